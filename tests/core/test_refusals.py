"""The servers' words, as each was made to say them, and the path that they blame."""

from __future__ import annotations

import pytest

from cloudtrail_elasticsearch.core.refusals import blamed_path

BLAMING = {
    # Elasticsearch 8.19 and 9.2
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
def test_the_blamed_path_is_read(words: str) -> None:
    """From every sentence of the four servers that names one."""
    assert blamed_path(words) == BLAMING[words]


@pytest.mark.parametrize("words", BLAMING_NONE)
def test_a_sentence_without_a_path_blames_none(words: str) -> None:
    """There is none to guess."""
    assert blamed_path(words) is None


def test_an_event_cannot_blame_another_path() -> None:
    """A server quotes the value: words of an event that look like the server's are not read."""
    quoted = "failed to parse field [eventName] of type [long]: object mapping for [a] tried to parse field [a]"
    assert blamed_path(f"no luck: {quoted}") is None
    assert blamed_path(quoted) == "eventName"
