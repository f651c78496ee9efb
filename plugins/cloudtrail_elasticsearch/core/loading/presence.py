"""The presence check: counts the events that the server holds, each in the index of the event's own time.

Each index is searched by its exact name, because a wildcard would also match the indices of other patterns
(docs/adr/0003-the-server-is-asked.md, docs/adr/0016-an-index-is-named-exactly.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from cloudtrail_elasticsearch.core.documents.own_events import OwnEvents
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern, make_index_lookup
from cloudtrail_elasticsearch.core.loading.places import Place
from cloudtrail_elasticsearch.core.loading.quarantine import IDS_PER_REQUEST, Quarantine
from cloudtrail_elasticsearch.core.search.bulk import MISSING_IS_EMPTY
from cloudtrail_elasticsearch.core.search.reader import IndexReader
from cloudtrail_elasticsearch.core.search.sender import Sender

_Value = TypeVar("_Value")


@dataclass(slots=True)
class HeldEvents:
    """The numbers of events that the server holds, indexed or quarantined; no event counts as both."""

    indexed: int = 0
    quarantined: int = 0
    own: int = 0
    """Events of the loader's own calls."""
    left_out: int = 0
    """Events of the loader's own calls that are left out of the index; they are not searched."""


class PresenceCheck:
    """Counts events of one index pattern on one server, as of the first request.

    Each index is refreshed once, before its first search.
    """

    def __init__(self, sender: Sender, quarantine: Quarantine, pattern: IndexPattern) -> None:
        self._sender = sender
        self._quarantine = quarantine
        self._index_of = make_index_lookup(pattern)
        self._indices: dict[str, list[str]] = {}
        """For each searched name, its indices: one index, or several if the name is an alias of several."""

    def count(self, index: str, ids: Iterable[str]) -> int:
        """Return how many of these documents a search finds in an index."""
        self._refresh(index)
        return sum(self._count(index, some) for some in _split_into_chunks(ids))

    def count_held(self, places: Iterable[Place], own_events: OwnEvents) -> HeldEvents:
        """Return how many events the server holds, given their places; an indexed event leaves the quarantine.

        Each place must occur once: the server counts one document for equal places.
        """
        self._quarantine.refresh()
        # Most patterns have no quarantined event, so their loads need no request for each chunk.
        count_quarantined = _count_none if self._quarantine.is_empty() else self._count_quarantined
        total = HeldEvents()
        # Lazily, so that memory holds the ids of one chunk.
        for some in _split_into_chunks(self._choose_indices(places, own_events, total)):
            for index, ids in _group_by_index(some).items():
                self._refresh(index)
                total.indexed += self._count(index, ids)
                total.quarantined += count_quarantined(index, ids)
        return total

    def _choose_indices(
        self, places: Iterable[Place], own_events: OwnEvents, total: HeldEvents
    ) -> Iterator[tuple[str, str]]:
        """Yield each event's index and document id; count the loader's own events."""
        index_of = self._index_of
        for place in places:
            if place.is_own:
                total.own += 1
                if own_events is OwnEvents.LEAVE_OUT:
                    # No index holds these events, so they are not searched.
                    total.left_out += 1
                    continue
            yield index_of(place.day), place.id

    def _refresh(self, index: str) -> None:
        if index not in self._indices:
            # An alias of several indices has several shards, so an index with one shard needs no further request.
            shards = self._reader(index).refresh()
            self._indices[index] = self._resolve_alias(index) if shards.total > 1 else [index]

    def _resolve_alias(self, name: str) -> list[str]:
        path = f"/{name}?{MISSING_IS_EMPTY}&filter_path=*.settings.index.uuid"
        # Empty if the index does not exist; then its search finds nothing.
        return sorted(self._sender.request(dict[str, Any], "GET", path)) or [name]

    def _count(self, index: str, ids: list[str]) -> int:
        if len(self._indices[index]) > 1:  # copies of an event in several indices are one event
            return len(self._find_indexed(index, set(ids)))
        # Cheaper than a search, because it returns no hits.
        return self._reader(index).count({"ids": {"values": ids}})

    def _count_quarantined(self, index: str, ids: list[str]) -> int:
        held = self._quarantine.find_held(ids)
        if not held:
            return 0
        indexed = self._find_indexed(index, held)
        # An event in both counts as indexed (ADR-0006).
        if indexed:
            self._quarantine.release(indexed)
        return len(held - indexed)

    def _find_indexed(self, index: str, ids: set[str]) -> set[str]:
        return {found for each in self._indices[index] for found in self._reader(each).find_ids(ids)}

    def _reader(self, index: str) -> IndexReader:
        return IndexReader(self._sender.request, index)


def _count_none(_: str, __: list[str]) -> int:
    return 0


def _group_by_index(places: list[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for index, identifier in places:
        grouped[index].append(identifier)
    return grouped


def _split_into_chunks(values: Iterable[_Value]) -> Iterator[list[_Value]]:
    remaining: Iterator[_Value] = iter(values)
    while some := list(islice(remaining, IDS_PER_REQUEST)):
        yield some
