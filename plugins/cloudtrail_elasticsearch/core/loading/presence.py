"""The presence check: counts the events that the server holds, each in the index of the event's own time.

Each index is searched by its exact name, because a wildcard would also match the indices of other patterns
(docs/adr/0003-the-server-is-asked.md, docs/adr/0016-an-index-is-named-exactly.md).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeAlias

from cloudtrail_elasticsearch.core.chunks import split_into_chunks
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern, make_index_lookup
from cloudtrail_elasticsearch.core.loading.places import Place
from cloudtrail_elasticsearch.core.loading.quarantine import IDS_PER_REQUEST, Quarantine
from cloudtrail_elasticsearch.core.search.bulk import MISSING_IS_EMPTY
from cloudtrail_elasticsearch.core.search.reader import IndexReader
from cloudtrail_elasticsearch.core.search.sender import Sender

_Find: TypeAlias = Callable[[str, list[str]], set[str]]
"""Returns which documents of an index, by their ids, are in quarantine."""


@dataclass(slots=True)
class HeldEvents:
    """The numbers of events that the server holds, indexed or quarantined; no event counts as both."""

    indexed: int = 0
    quarantined: int = 0
    own: int = 0
    """Events of the loader's own calls."""
    left_out_by: Counter[str] = field(default_factory=Counter)
    """Events that the server does not hold, by the name of the rule that leaves them out of the index."""
    still_indexed: int = 0
    """Indexed events that a rule leaves out now: an earlier load without that rule has indexed them."""

    @property
    def left_out(self) -> int:
        """Events that the server does not hold, because rules leave them out of the index."""
        return self.left_out_by.total()


class PresenceCheck:
    """Counts events of one index pattern on one server, as of the first request.

    Each index is refreshed once, before its first search. Events that rules leave out are searched too: if an
    earlier load has indexed one, it counts as indexed (ADR-0021).
    """

    def __init__(self, sender: Sender, quarantine: Quarantine, pattern: IndexPattern) -> None:
        self._sender = sender
        self._quarantine = quarantine
        self._index_of = make_index_lookup(pattern)
        self._indices: dict[str, list[str]] = {}
        """For each searched name, its indices: one index, or several if the name is an alias of several."""

    def count_groups(self, groups: Sequence[Sequence[Place]]) -> list[HeldEvents]:
        """Return for each group what `count_held` returns.

        If the server has every event as it should, the groups share their requests. A place may occur in several
        groups.
        """
        if len(groups) > 1 and self._are_as_expected(groups):
            return [_expect(places) for places in groups]
        return [self.count_held(places) for places in groups]

    def count(self, index: str, ids: Iterable[str]) -> int:
        """Return how many of these documents a search finds in an index."""
        self._refresh(index)
        return sum(self._count(index, some) for some in split_into_chunks(ids, IDS_PER_REQUEST))

    def count_held(self, places: Iterable[Place]) -> HeldEvents:
        """Return how many events the server holds, given their places; an indexed event leaves the quarantine.

        Each place must occur once: the server counts one document for equal places.
        """
        total = HeldEvents()
        self._quarantine.refresh()
        # Most patterns have no quarantined event, so their loads need no request for each chunk.
        find_quarantined = _find_none if self._quarantine.is_empty() else self._find_quarantined
        # Chunk by chunk, so that memory holds the ids of one.
        for some in split_into_chunks(places, IDS_PER_REQUEST):
            total.own += sum(place.is_own for place in some)
            wanted, left_out = _divide(some)
            for index, ids in self._group_by_index(wanted).items():
                self._refresh(index)
                total.indexed += self._count(index, ids)
                total.quarantined += len(find_quarantined(index, ids))
            if left_out:
                self._count_left_out(left_out, find_quarantined, total)
        return total

    def _count_left_out(self, places: list[Place], find_quarantined: _Find, total: HeldEvents) -> None:
        """Add the events of places that rules leave out to `total`: most are not on the server."""
        held: set[tuple[str, str]] = set()
        for index, ids in self._group_by_index(places).items():
            self._refresh(index)
            # A count is cheaper than a search, and nearly always 0.
            indexed = self._find_indexed(index, set(ids)) if self._count(index, ids) else set()
            quarantined = find_quarantined(index, ids)
            total.indexed += len(indexed)
            total.still_indexed += len(indexed)
            total.quarantined += len(quarantined)
            held |= {(index, identifier) for identifier in indexed | quarantined}
        total.left_out_by += _count_rules(
            place for place in places if (self._index_of(place.day), place.id) not in held
        )

    def _are_as_expected(self, groups: Sequence[Sequence[Place]]) -> bool:
        """Whether the server holds every event that no rule leaves out, and none of the others."""
        distinct: dict[tuple[str, str], Place] = {}
        for place in chain.from_iterable(groups):
            known = distinct.setdefault((self._index_of(place.day), place.id), place)
            # Copies of an event can differ. Then each group must be counted alone.
            if known.rule != place.rule:
                return False
        found, expected = self.count_held(distinct.values()), _expect(distinct.values())
        return (found.indexed, found.left_out_by) == (expected.indexed, expected.left_out_by)

    def _group_by_index(self, places: Iterable[Place]) -> dict[str, list[str]]:
        grouped: dict[str, list[str]] = defaultdict(list)
        for place in places:
            grouped[self._index_of(place.day)].append(place.id)
        return grouped

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

    def _find_quarantined(self, index: str, ids: list[str]) -> set[str]:
        """Return the quarantined events, without those that are indexed, which leave the quarantine."""
        held = self._quarantine.find_held(ids)
        if not held:
            return held
        indexed = self._find_indexed(index, held)
        # An event in both counts as indexed (ADR-0006).
        if indexed:
            self._quarantine.release(indexed)
        return held - indexed

    def _find_indexed(self, index: str, ids: set[str]) -> set[str]:
        return {found for each in self._indices[index] for found in self._reader(each).find_ids(ids)}

    def _reader(self, index: str) -> IndexReader:
        return IndexReader(self._sender.request, index)


def _find_none(_: str, __: list[str]) -> set[str]:
    return set()


def _divide(places: Iterable[Place]) -> tuple[list[Place], list[Place]]:
    """Return the places of events to index, and of those that rules leave out."""
    wanted: list[Place] = []
    left_out: list[Place] = []
    for place in places:
        (wanted if place.rule is None else left_out).append(place)
    return wanted, left_out


def _expect(places: Collection[Place]) -> HeldEvents:
    """Return the figures of places of which the server holds exactly those that no rule leaves out."""
    left_out_by = _count_rules(places)
    return HeldEvents(
        indexed=len(places) - left_out_by.total(),
        own=sum(place.is_own for place in places),
        left_out_by=left_out_by,
    )


def _count_rules(places: Iterable[Place]) -> Counter[str]:
    """Return how many of these places each rule leaves out."""
    return Counter(place.rule for place in places if place.rule is not None)
