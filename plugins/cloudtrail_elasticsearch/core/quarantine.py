"""The quarantine: an index of the events that a server still refuses, whole, with its reasons.

Its documents are named by index pattern and event, so that loading an event again replaces its entry, and two
patterns that refuse the same event have an entry each.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.bulk import BulkItem, Refused
from cloudtrail_elasticsearch.core.errors import RefusedError
from cloudtrail_elasticsearch.core.mapping import QUARANTINE_INDEX
from cloudtrail_elasticsearch.core.send import MISSING_IS_EMPTY, Sender

log = logging.getLogger(__name__)

ENTRIES_PER_PAGE: Final = 500
IDS_PER_REQUEST: Final = 10_000
REASON_CHARACTERS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A quarantined event: its document id and its line."""

    id: str
    line: bytes


class Quarantine:
    """One index pattern's part of the quarantine."""

    def __init__(self, sender: Sender, pattern: str) -> None:
        self._sender = sender
        self._pattern = pattern

    def put(self, refused: Iterable[Refused]) -> None:
        """Keep events with the server's reason; an event that is there gets the new reason.

        :raises RefusedError: the server refuses even that
        """
        now = datetime.now(UTC).isoformat()
        items = []
        for entry in refused:
            log.warning(
                "Quarantined %s (%s): its reason stands in %s.", entry.item.id, entry.kind, QUARANTINE_INDEX
            )
            content = {
                "quarantinedAt": now,
                "eventID": entry.item.id,
                "index": entry.item.index,
                "pattern": self._pattern,
                "kind": entry.kind,
                "reason": entry.reason[:REASON_CHARACTERS],
                "event": entry.item.original.decode("utf-8", "backslashreplace"),
            }
            items.append(BulkItem(self._name(entry.item.id), QUARANTINE_INDEX, codec.encode(content)))
        lost = self._sender.send(items).refused
        if lost:
            raise RefusedError(
                f"The search server refuses even the quarantine of {lost[0].item.id}: {lost[0].reason}. "
                f"Nothing is lost: the event stays staged.",
                400,
            )

    def release(self, ids: Iterable[str]) -> None:
        """Delete the entries of events that are indexed now."""
        self._sender.send([BulkItem(self._name(identifier), QUARANTINE_INDEX, None) for identifier in ids])
        self.refresh()

    def refresh(self) -> None:
        """Make what was put and released visible to the next question."""
        self._sender.ask("POST", f"/{QUARANTINE_INDEX}/_refresh?{MISSING_IS_EMPTY}")

    def is_empty(self) -> bool:
        """Whether it holds no event of this pattern."""
        query = {"query": {"term": {"pattern": self._pattern}}}
        answer = self._sender.ask("POST", f"/{QUARANTINE_INDEX}/_count?{MISSING_IS_EMPTY}", codec.encode(query))
        return not answer["count"]

    def held(self, ids: list[str]) -> set[str]:
        """Return those of at most `IDS_PER_REQUEST` events that are in it."""
        hits = self._search({"size": len(ids), "_source": ["eventID"], "query": self._named(ids)})
        return {hit["_source"]["eventID"] for hit in hits}

    def pages(self) -> Iterator[list[Entry]]:
        """Yield all entries, page by page; each once, though entries may be deleted or put meanwhile."""
        yield from self._pages({"term": {"pattern": self._pattern}})

    def pages_of(self, ids: Iterable[str]) -> Iterator[list[Entry]]:
        """Yield the entries of these events, page by page."""
        remaining = iter(ids)
        while some := list(islice(remaining, IDS_PER_REQUEST)):
            yield from self._pages(self._named(some))

    def _pages(self, query: dict[str, Any]) -> Iterator[list[Entry]]:
        """Page by eventID, which no change to the quarantine moves."""
        request = {"size": ENTRIES_PER_PAGE, "_source": ["eventID", "event"], "query": query, "sort": ["eventID"]}
        while hits := self._search(request):
            yield [Entry(hit["_source"]["eventID"], hit["_source"]["event"].encode()) for hit in hits]
            request["search_after"] = hits[-1]["sort"]

    def _search(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self._sender.ask("POST", f"/{QUARANTINE_INDEX}/_search?{MISSING_IS_EMPTY}", codec.encode(request))
        hits: list[dict[str, Any]] = answer["hits"]["hits"]
        return hits

    def _named(self, ids: Iterable[str]) -> dict[str, Any]:
        return {"ids": {"values": [self._name(identifier) for identifier in ids]}}

    def _name(self, identifier: str) -> str:
        return f"{self._pattern}/{identifier}"
