"""Reads the servers' reasons for rejections: the cause (the document, or the index), and the path in the document.

Elasticsearch 8 and 9 and OpenSearch 2 and 3 use the same sentences. Elasticsearch puts the position in the
document before them (``[1:15] …``), and ``failed to parse: …`` before errors of the whole document.
"""

from __future__ import annotations

import re
from typing import Final

_START: Final = r"(?:\[\d+:\d+\] )?(?:failed to parse: )?"

_BLAMING: Final = tuple(
    re.compile(_START + words)
    for words in (
        r"failed to parse field \[(?P<path>.+?)\] of type \[",
        r"object mapping for \[(?P<path>.+?)\] tried to parse field \[",
        r"mapping set to strict, dynamic introduction of \[(?P<path>.+?)\] within \[(?P<parent>.+?)\] is not ",
        r"Could not dynamically add mapping for field \[.+?\]\. Existing mapping for \[(?P<path>.+?)\] must be ",
        r'Document contains at least one immense term in field="(?P<path>.+?)" \(',
        r"Cannot write to a field alias \[(?P<path>.+?)\]",
        r"unknown join name \[.*?\] for field \[(?P<path>.+?)\]",
        r"mapper \[(?P<path>.+?)\] cannot be changed from type \[",
        r"Limit of mapping depth \[\d+\] has been exceeded due to object field \[(?P<path>.+?)\]",
    )
)
"""Matched only at the beginning: later in the sentence, the server quotes the value, which may be any text."""

_ROOT: Final = "_doc"


def find_blamed_path(reason: str) -> str | None:
    """Return the path that the reason names, as the server writes it; None if it names none.

    The path can be longer than the document's own path (``eventName.keyword``, ``overflow._value``), because a
    field can have sub-fields.
    """
    for pattern in _BLAMING:
        # `match`, not `search`: a value that the server quotes could look like any sentence.
        found = pattern.match(reason)
        if found is None:
            continue
        # Strict mappings name the new field and the object around it apart.
        parent = found.groupdict().get("parent", _ROOT)
        return found["path"] if parent == _ROOT else f"{parent}.{found['path']}"
    return None


_ALIAS: Final = re.compile(_START + r"Cannot write to a field alias \[")

PIPELINE_REMEDY: Final = (
    "The loader sends no such field, so an ingest pipeline of the index writes it. Change the pipeline so that it "
    "writes another field; for the processor user_agent, list the properties without `original`. Then replay the "
    "event."
)


def names_alias(reason: str) -> bool:
    """Return whether the server rejects a document because the name of one of its fields is an alias."""
    return _ALIAS.match(reason) is not None


_DOCUMENT_KINDS: Final = frozenset(
    {
        "document_parsing_exception",
        "mapper_parsing_exception",
        "strict_dynamic_mapping_exception",
    }
)

_DOCUMENT_SENTENCES: Final = re.compile(
    _START
    + r"(?:Limit of (?:total fields|mapping depth|nested fields|field name length|dimension fields) \["
    + r"|Field name \[.*?\] is longer than the limit"
    + r"|The (?:number of nested documents|depth of the field) has exceeded the allowed limit"
    + r"|field name cannot |object field |DocValuesField )"
)
"""Reasons that name the document as the cause, although their kind is only ``illegal_argument_exception``."""

_INDEX_FAULTS: Final = tuple(
    (re.compile(words), remedy)
    for words, remedy in (
        (r"no write index is defined for alias \[", "Give the alias one write index (is_write_index: true)"),
        (r"Alias \[.*?\] has (?:more than one index|index routing)", "Load into an index, not this alias"),
        (
            r"only write ops with an op_type of create are allowed in data streams",
            "Load into an index: a data stream cannot take an event a second time",
        ),
        (r"pipeline with id \[.*?\] does not exist", "Create the ingest pipeline, or remove it from the index"),
        (r"[Nn]umber of documents in (?:the index|shard)", "Load into an index that is not full"),
        (r"this action would add \[.*?\] (?:total )?shards", "Delete indices, or raise the cluster's shard limit"),
    )
)

_INDEX_KINDS: Final = {
    "index_closed_exception": "Open the index, or load into another one",
    "index_not_found_exception": "Create the index, or let the server create it (action.auto_create_index)",
    "invalid_index_name_exception": "Choose another value for the param index",
    "invalid_alias_name_exception": "Choose another value for the param index",
    "invalid_index_template_exception": "Correct the index template",
    "index_template_missing_exception": "Correct the index template",
    "settings_exception": "Correct the settings of the index template",
    "routing_missing_exception": "Load into an index whose mapping requires no routing",
    "validation_exception": "Correct the fault that the server names, or load into another index",
}


def blames_document(kind: str, reason: str) -> bool:
    """Return whether a rejection names the document's content as the cause: a changed document may be accepted."""
    return (
        kind in _DOCUMENT_KINDS
        or find_blamed_path(reason) is not None
        or _DOCUMENT_SENTENCES.match(reason) is not None
    )


def find_index_remedy(kind: str, reason: str) -> str | None:
    """Return the remedy if a rejection names the index as the cause; None for any other rejection."""
    if kind in _DOCUMENT_KINDS:  # the reason may quote the document, and so match by chance
        return None
    # The sentence first, because it is more precise than the kind.
    return next((remedy for words, remedy in _INDEX_FAULTS if words.match(reason)), _INDEX_KINDS.get(kind))


_PRESSURE: Final = re.compile(r"\b(?:coordinating|primary|replica)_operation_bytes=(\d+), max_\w+_bytes=(\d+)")
_BREAKER: Final = re.compile(r"which is larger than the limit of \[(\d+)/")
_RESERVED: Final = re.compile(r"new bytes reserved: \[(\d+)/")


def never_fits(reason: str, sent: int = 0) -> bool:
    """Return whether a request of `sent` bytes, rejected with status 429, is larger than the server's limits.

    Both servers answer with the same 429 if one request or the sum of many exceeds their limits
    (https://www.elastic.co/docs/reference/elasticsearch/index-settings/pressure).
    """
    pressure = _PRESSURE.search(reason)
    if pressure is not None:
        needed, limit = map(int, pressure.groups())
        # A smaller request was rejected because of others, and will pass later.
        return max(needed, sent) > limit
    breaker, reserved = _BREAKER.search(reason), _RESERVED.search(reason)
    needed = max(sent, int(reserved[1]) if reserved else 0)
    return breaker is not None and needed > int(breaker[1])


_CONTENT: Final = re.compile(r"(?: Preview of field's value:|, request: \[|\s*at \[Source:).*", re.DOTALL)


def cut_quoted_content(reason: str) -> str:
    """Return a server's reason without its quotation of the document."""
    return _CONTENT.sub(" …", reason)
