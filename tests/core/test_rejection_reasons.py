"""The servers' reasons for rejections, as recorded from them, and the paths that they name."""

from __future__ import annotations

import pytest

from cloudtrail_elasticsearch.core.search.rejection_reasons import (
    blames_document,
    cut_quoted_content,
    find_blamed_path,
    find_index_remedy,
    names_alias,
    never_fits,
)

BLAMING = {
    # Elasticsearch 8.19, 9.2 and 9.5
    "[1:41] failed to parse field [requestParameters.a.b.c] of type [long] in document with id '1'. "
    "Preview of field's value: 'x': For input string: \"x\"": "requestParameters.a.b.c",
    "[1:21] failed to parse field [sourceIPAddress] of type [geo_point]: unsupported symbol": "sourceIPAddress",
    "[1:7] failed to parse field [a.keyword] of type [keyword] in document with id '1'. Preview of field's value: "
    "'xxx': Document contains at least one immense term in field=\"a.keyword\" (whose UTF8": "a.keyword",
    "[1:44] object mapping for [requestParameters.responseElements] tried to parse field [responseElements] as "
    "object, but found a concrete value": "requestParameters.responseElements",
    "[1:33] object mapping for [responseElements] tried to parse field [null] as object, but found a concrete "
    "value": "responseElements",
    "[1:31] mapping set to strict, dynamic introduction of [eventName] within [_doc] is not allowed": "eventName",
    "[1:29] mapping set to strict, dynamic introduction of [b] within [a.c] is not allowed": "a.c.b",
    "[1:7] Cannot write to a field alias [a].": "a",
    "[1:121] failed to parse: Limit of mapping depth [20] has been exceeded due to object field [a.a]": "a.a",
    # OpenSearch 2.19 and 3.8
    "failed to parse field [eventName] of type [long] in document with id '1'. Preview of field's value: "
    "'RunInstances': For input string: \"RunInstances\"": "eventName",
    "failed to parse field [overflow] of type [flat_object] in document with id '1'. Preview of field's value: "
    "'text': [overflow] unexpected token [VALUE_STRING] in flat_object field value": "overflow",
    "object mapping for [a] tried to parse field [a] as object, but found a concrete value": "a",
    "mapping set to strict, dynamic introduction of [b] within [requestParameters] is not allowed": (
        "requestParameters.b"
    ),
    'Document contains at least one immense term in field="overflow._value" (whose UTF8 encoding is longer than '
    "the max length 32766), all of which were skipped.": "overflow._value",
    "Could not dynamically add mapping for field [a.b.c]. Existing mapping for [x.a] must be of type object but "
    "found [keyword].": "x.a",
    "failed to parse: Cannot write to a field alias [a].": "a",
    "failed to parse: unknown join name [x] for field [a]": "a",
    # Elasticsearch 8, of two documents that change a mapping at once (in its source; not provoked)
    "mapper [a.b] cannot be changed from type [long] to [text]": "a.b",
}

BLAMING_NONE = [
    "Limit of total fields [1000] has been exceeded",
    "[1:6400] failed to parse: Limit of total fields [1000] has been exceeded while adding new fields [1002]",
    "[1:8] failed to parse: field name cannot be an empty string",
    "object field cannot contain only whitespace: ['a. ']",
    "failed to parse: The depth of the field has exceeded the allowed limit of [20].",
    "",
]


@pytest.mark.parametrize("words", BLAMING)
def test_the_path_in_a_reason_is_found(words: str) -> None:
    """In every message of the four servers that has one."""
    assert find_blamed_path(words) == BLAMING[words]


@pytest.mark.parametrize("words", BLAMING_NONE)
def test_a_reason_without_a_path_gives_none(words: str) -> None:
    """No path is guessed."""
    assert find_blamed_path(words) is None


def test_a_quoted_value_is_not_read_as_a_path() -> None:
    """A server quotes the value. Text of an event that looks like a server's message is ignored."""
    quoted = "failed to parse field [eventName] of type [long]: object mapping for [a] tried to parse field [a]"
    assert find_blamed_path(f"no luck: {quoted}") is None
    assert find_blamed_path(quoted) == "eventName"


@pytest.mark.parametrize("words", [*BLAMING, *BLAMING_NONE[:5]])
def test_reasons_that_name_the_document_are_recognised(words: str) -> None:
    """By the message, whatever the error type is."""
    assert blames_document("illegal_argument_exception", words)
    assert find_index_remedy("illegal_argument_exception", words) is None


INDEX_FAULTS = [
    ("illegal_argument_exception", "no write index is defined for alias [a]. The write index may be explicitly"),
    ("illegal_argument_exception", "only write ops with an op_type of create are allowed in data streams"),
    ("illegal_argument_exception", "pipeline with id [nope] does not exist"),
    ("illegal_argument_exception", "Alias [a] has index routing associated with it [x], and was provided with"),
    ("illegal_argument_exception", "number of documents in the index cannot exceed 2147483519"),
    ("routing_missing_exception", "routing is required for [a]/[1]"),
    ("index_closed_exception", "closed"),
    ("index_not_found_exception", "no such index [a] and [action.auto_create_index] is [false]"),
    ("invalid_index_name_exception", "Invalid index name [A], must be lowercase"),
    ("validation_exception", "Validation Failed: 1: this action would add [2] shards, but this cluster"),
]


@pytest.mark.parametrize(("kind", "words"), INDEX_FAULTS)
def test_reasons_that_name_the_index_have_a_remedy(kind: str, words: str) -> None:
    """No document is changed because of them."""
    assert find_index_remedy(kind, words)
    assert not blames_document(kind, words)


def test_a_quoted_value_is_not_read_as_a_fault_of_the_index() -> None:
    """A parsing error quotes the value, which can be any text."""
    assert find_index_remedy("mapper_parsing_exception", "pipeline with id [nope] does not exist") is None
    assert find_index_remedy("x", "refused: no write index is defined for alias [a]") is None


COORDINATING = (
    "rejected execution of coordinating operation [coordinating_and_primary_bytes={others}, replica_bytes=0, "
    "all_bytes={others}, coordinating_operation_bytes={own}, max_coordinating_bytes=2097152]"
)


def test_a_field_alias_is_named_at_the_beginning_only() -> None:
    """Later in the reason, the server can quote the document."""
    assert names_alias("[1:23] Cannot write to a field alias [user_agent.original].")
    assert names_alias("failed to parse: Cannot write to a field alias [user_agent.original].")
    assert not names_alias("failed to parse field [a] of type [long]: 'Cannot write to a field alias [a].'")


def test_a_document_that_never_fits_differs_from_a_busy_server() -> None:
    """Both answer 429. The document never fits if the request alone exceeds the limit."""
    assert never_fits(COORDINATING.format(others=0, own=3_030_360))
    assert never_fits(COORDINATING.format(others=2_080_796, own=520_199), sent=3_000_000)
    assert not never_fits(COORDINATING.format(others=2_080_796, own=520_199), sent=520_000)
    parent = (
        "[parent] Data too large, data for [<http_request>] would be [{would}/1gb], which is larger than the "
        "limit of [1000/1000b], real usage: [900/900b], new bytes reserved: [{new}/{new}b]"
    )
    assert not never_fits(parent.format(would=1100, new=200))
    assert never_fits(parent.format(would=3000, new=2000))
    assert not never_fits("the server is busy", sent=10**9)


def test_messages_quote_reasons_without_the_document() -> None:
    """The servers' messages quote values of the document."""
    for words in (
        "failed to parse field [a] of type [long] in document with id '1'. Preview of field's value: 'secret'",
        "[x][0] primary shard is not active Timeout: [1s], request: [BulkShardRequest [[x][0]] source[{secret}]]",
        'Unexpected end of file at [Source: (byte[])"secret"; line: 1]',
    ):
        assert "secret" not in cut_quoted_content(words)
        assert len(cut_quoted_content(words)) > 10
