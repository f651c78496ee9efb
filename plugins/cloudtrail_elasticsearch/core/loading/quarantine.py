"""The quarantine: an index of the events that the server rejected, whole, with the reasons.

The id of an entry is made of the index pattern and the eventID. So a repeated load replaces the entry, and two
patterns that reject the same event have an entry each.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.chunks import split_into_chunks
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import RejectedRequestError
from cloudtrail_elasticsearch.core.index.index_pattern import QUARANTINE_INDEX
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.search.bulk import BulkItem, Rejection
from cloudtrail_elasticsearch.core.search.reader import IndexReader
from cloudtrail_elasticsearch.core.search.rejection_reasons import cut_quoted_content
from cloudtrail_elasticsearch.core.search.sender import Sender

log = logging.getLogger(__name__)

ENTRIES_PER_PAGE: Final = 500
# A server returns at most this many hits (index.max_result_window); counts have the same limit (ADR-0003).
IDS_PER_REQUEST: Final = 10_000
REASON_CHARACTERS: Final = 2_000


class KeptEvent(msgspec.Struct, frozen=True):
    """An entry's copy of its event: the text, the compressed text, or only the eventID if both are too large."""

    eventID: str  # noqa: N815 - the field's name
    event: str | None = None
    eventGzip: str | None = None  # noqa: N815 - the field's name

    @property
    def line(self) -> bytes | None:
        """The event's line; None if the entry was too large to hold it.

        :raises ValueError: the compressed text is damaged
        """
        if self.event is not None:
            return self.event.encode()
        if self.eventGzip is not None:
            return gzip.decompress(base64.b64decode(self.eventGzip))
        return None


class Quarantine:
    """One index pattern's part of the quarantine."""

    def __init__(self, sender: Sender, pattern: str) -> None:
        self._sender = sender
        self._pattern = pattern
        self._reader = IndexReader(sender.request, QUARANTINE_INDEX)

    def put(self, rejections: Iterable[Rejection]) -> None:
        """Store events with the server's reasons; an event that is already stored gets the new reason.

        If the server rejects an event's text, the entry holds the compressed text. If the server rejects that too,
        the entry holds the size and the SHA-256, and the event stays staged.

        :raises RejectedRequestError: the server rejects all of these entries
        """
        waiting = {self._make_id(entry.item.id): entry for entry in rejections}
        for entry in waiting.values():
            log.warning(
                "Quarantined event %s (%s): %s has the reason.",
                safe_text(entry.item.id),
                safe_text(entry.kind),
                QUARANTINE_INDEX,
            )
        lost: list[Rejection] = []
        # Each round has only the entries that the round before could not store.
        for keep in (_keep_text, _keep_compressed, _keep_checksum):
            items = [self._make_entry(name, entry, keep) for name, entry in waiting.items()]
            lost = self._sender.send(items).rejections
            waiting = {each.item.id: waiting[each.item.id] for each in lost}
        if lost:
            entry = waiting[lost[0].item.id]
            raise RejectedRequestError(
                f"The search server rejected the quarantine entry of event {safe_text(entry.item.id)}: "
                f"{safe_text(cut_quoted_content(lost[0].reason))}. Nothing is lost: the event stays staged.",
                400,
            )

    def _make_entry(self, name: str, entry: Rejection, keep: Callable[[bytes], dict[str, Any]]) -> BulkItem:
        content = {
            "quarantinedAt": datetime.now(UTC).isoformat(),
            "eventID": entry.item.id,
            "index": entry.item.index,
            "pattern": self._pattern,
            "kind": entry.kind,
            # Cut, because a server's reason can quote the whole document.
            "reason": entry.reason[:REASON_CHARACTERS],
        }
        return BulkItem(name, QUARANTINE_INDEX, codec.encode(content | keep(entry.item.original)))

    def release(self, ids: Iterable[str]) -> None:
        """Delete the entries of events that are indexed now."""
        self._sender.send([BulkItem(self._make_id(identifier), QUARANTINE_INDEX, None) for identifier in ids])
        # Until a refresh, searches still find the deleted entries.
        self.refresh()

    def refresh(self) -> None:
        """Make stored and deleted entries visible to the next search."""
        self._reader.refresh()

    def is_empty(self) -> bool:
        """Return whether the quarantine has no event of this pattern."""
        return not self._reader.count({"term": {"pattern": self._pattern}})

    def find_held(self, ids: list[str]) -> set[str]:
        """Return the quarantined ones of at most `IDS_PER_REQUEST` events."""
        request = {"size": len(ids), "_source": ["eventID"], "query": self._query_by_ids(ids)}
        hits = self._reader.find(request, KeptEvent)
        return {hit.source.eventID for hit in hits}

    def read_pages(self, ids: Iterable[str] | None = None) -> Iterator[list[KeptEvent]]:
        """Yield the entries of these events, by default all, page by page.

        Each comes once, even if entries are deleted or added meanwhile.
        """
        if ids is None:
            yield from self._read_pages({"term": {"pattern": self._pattern}})
            return
        for some in split_into_chunks(ids, IDS_PER_REQUEST):
            yield from self._read_pages(self._query_by_ids(some))

    def _read_pages(self, query: dict[str, Any]) -> Iterator[list[KeptEvent]]:
        """Yield pages sorted by eventID, so that deleted and added entries move no others."""
        request = {
            "size": ENTRIES_PER_PAGE,
            "_source": list(KeptEvent.__struct_fields__),
            "query": query,
            "sort": ["eventID"],
        }
        while hits := self._reader.find(request, KeptEvent):
            yield [hit.source for hit in hits]
            request["search_after"] = hits[-1].sort

    def _query_by_ids(self, ids: Iterable[str]) -> dict[str, Any]:
        return {"ids": {"values": [self._make_id(identifier) for identifier in ids]}}

    def _make_id(self, identifier: str) -> str:
        return f"{self._pattern}/{identifier}"


def _keep_text(line: bytes) -> dict[str, Any]:
    # A document is UTF-8, so other bytes become escapes.
    return {"event": line.decode("utf-8", "backslashreplace")}


def _keep_compressed(line: bytes) -> dict[str, Any]:
    return _keep_checksum(line) | {"eventGzip": base64.b64encode(gzip.compress(line)).decode()}


def _keep_checksum(line: bytes) -> dict[str, Any]:
    return {"eventBytes": len(line), "eventSha256": hashlib.sha256(line).hexdigest()}
