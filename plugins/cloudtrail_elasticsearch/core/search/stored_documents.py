"""Stored documents of events: compares those that exist with those that a load sends. ADR-0023"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.enrichment.fields import split_enrichment
from cloudtrail_elasticsearch.core.errors import UnexpectedAnswerError
from cloudtrail_elasticsearch.core.search.answers import send_request
from cloudtrail_elasticsearch.core.search.bulk import BulkItem
from cloudtrail_elasticsearch.core.search.bulk_answer import Conflict
from cloudtrail_elasticsearch.core.search.sending_time import UNSTORED, drop_time
from cloudtrail_elasticsearch.core.search.server import SearchServer

READ_BYTES: Final = 1024 * 1024
"""Bytes of documents that one request reads; as values, they take several times as much memory."""

READ_ITEMS: Final = 1_000
"""The most documents that one request reads."""

# Without `filter_path`, because the server would parse and write again every document.
PATH: Final = "/_mget"


class _Document(msgspec.Struct, frozen=True):
    index: str = msgspec.field(name="_index")
    id: str = msgspec.field(name="_id")
    source: dict[str, Any] | None = msgspec.field(name="_source", default=None)
    """None if the document does not exist, and if its index stores no sources."""
    error: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        # A deleted index has no document. Any other error, such as a missing shard, proves nothing.
        if self.error is not None and self.error.get("type") != "index_not_found_exception":
            raise ValueError(f"a document could not be read: {self.error.get('type')}")


class _StoredDocuments(msgspec.Struct, frozen=True):
    """The answer to ``_mget``; if a document could not be read, the whole answer is invalid."""

    docs: list[_Document]


def find_changed(
    server: SearchServer, conflicts: Sequence[Conflict], renews_enrichment: bool = False
) -> list[BulkItem]:
    """Return the items whose documents differ from the stored ones, or were deleted meanwhile. Sends one request.

    :param renews_enrichment: whether documents that differ in enrichment only count as different (ADR-0030)
    :raises UnexpectedAnswerError: the server did not answer for every document
    """
    wanted = codec.encode({"docs": [{"_index": each.index, "_id": each.item.id} for each in conflicts]})
    answer = send_request(server, _StoredDocuments, "POST", PATH, wanted)
    stored = {(document.index, document.id): document.source for document in answer.docs}
    if any(conflict.key not in stored for conflict in conflicts):
        raise UnexpectedAnswerError(
            f"The search server {server.name} answered a request for {len(conflicts)} documents without some of "
            f"them. The request is retried; nothing is lost."
        )
    return [each.item for each in conflicts if not is_stored(each.item, stored[each.key], renews_enrichment)]


def keep_last(conflicts: Iterable[Conflict]) -> list[Conflict]:
    """Return one conflict for each document: the last one, because the last copy of an event prevails."""
    return list({conflict.key: conflict for conflict in conflicts}.values())


def is_stored(item: BulkItem, stored: Mapping[str, Any] | None, renews_enrichment: bool = False) -> bool:
    """Return whether a stored document equals an item's; the times may differ.

    The values of enrichment may differ, too, unless they are renewed: the first ones are nearest to the event.
    Neither the order of names nor the spelling of numbers and texts is a difference. A stored document without a
    time, as earlier versions wrote it, is one. So is a stored document without an enrichment that ours has.
    """
    found = None if stored is None else drop_time(stored)
    if found is None or item.document is None:
        return False
    # Nearly all documents have the same text, and that is much faster to compare.
    if codec.encode(found) == item.document:
        return True
    ours = _drop_unstored(codec.decode(item.document))
    found = _drop_unstored(found)
    if codec.canonical(found) == codec.canonical(ours):
        return True
    return not renews_enrichment and _keeps_enrichment(found, ours)


def _drop_unstored(source: dict[str, Any]) -> dict[str, Any]:
    """Return a document without the values that follow from the others, and that an index need not store."""
    return {name: value for name, value in source.items() if name not in UNSTORED}


def _keeps_enrichment(stored: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Return whether documents differ in enrichment only, and the stored one has each group of fields of ours."""
    rest, groups = split_enrichment(stored)
    our_rest, our_groups = split_enrichment(ours)
    return our_groups <= groups and codec.canonical(rest) == codec.canonical(our_rest)
