"""Turns documents back into events: the `_source` in a dump, in a search's hits or in a bulk request."""

from __future__ import annotations

from typing import Any, Final

from cloudtrail_elasticsearch.core.documents.restore import DERIVED, restore
from cloudtrail_elasticsearch.core.documents.times import parse_time
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import FileError
from cloudtrail_elasticsearch.sources.files.kinds import Head, encode_text, read_head

_OTHERS: Final = frozenset({"@version", "agent", "data_stream", "ecs", "host", "input", "log"}) - DERIVED
"""Names that Logstash, Filebeat and Elastic's integration write into a document, and this loader does not."""

_LOADERS: Final = ("overflow", "unindexed", "normalization")

_NOT_RESTORED: Final = (AttributeError, LookupError, TypeError, ValueError)
"""The errors that `restore` raises for a document that this loader did not make."""


def read_events(document: bytes) -> list[bytes]:
    """Return the event of a document: the text of the event that it holds, or the restored event.

    A document of unknown origin is returned unchanged.

    :raises FileError: the event of this loader's document cannot be restored
    """
    head = read_head(document)
    if head is None:
        return [document]
    original = _find_original(head)
    if original is not None:
        # Decoding kept one of two values, and the lost one may be the event's.
        if not head.holds_all_of(document):
            raise FileError(
                "a document that holds its event as text has a duplicate name: fetch it from the server again"
            )
        return [encode_text(original)]
    return [codec.encode(restore_event(read_document(document)))] if _is_loaders(head) else [document]


def read_document(text: bytes) -> dict[str, Any]:
    """Return a document.

    :raises FileError: the text is not a document of a search server
    """
    try:
        document = codec.decode(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise FileError("a document is not a JSON object, or has a duplicate name: fetch it from the server again")
    return document


def restore_event(document: dict[str, Any]) -> dict[str, Any] | codec.Verbatim:
    """Return the original event of a document.

    :raises FileError: the document's record of changes is damaged
    """
    try:
        return restore(document)
    except _NOT_RESTORED as error:
        raise FileError(
            "a document's overflow, unindexed or normalization is not in the loader's format: fetch the document "
            "from the server again"
        ) from error


def _find_original(head: Head) -> str | None:
    """Return the text of the event, as Filebeat or this loader's quarantine stores it; None if there is none."""
    # An entry of this loader's quarantine has its event as text, unless the event was too large.
    if "quarantinedAt" in head.names:
        return head.string("event")
    for text in (head.inner("event").string("original"), head.string("event.original"), head.string("message")):
        # Other programs fill `message` with any text.
        if text is not None and text.lstrip().startswith("{"):
            return text
    return None


def _is_loaders(head: Head) -> bool:
    if any(name in head.names for name in _LOADERS):
        return True
    # A document without moved or changed values has none of these names, but it has other fields of the loader.
    is_timed = "@timestamp" in head.names and parse_time(head.value("@timestamp")) is not None
    return (is_timed or {"ecs", "event"} <= head.names) and _OTHERS.isdisjoint(head.names)
