"""Slices: ranges of a window's time, each looked up by a query of its own.

A slice ends only when AWS answers without a NextToken. The order of answers is only a hint for estimates
(docs/adr/0015-a-slice-ends-when-its-query-ends.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.sources.lookup_events.compact_ids import CompactId, compact_id

BARREN_PAGES: Final = 50
"""A query is stuck after this many pages in a row without a new event."""


class Range(NamedTuple):
    """A range of whole epoch seconds, from `floor` (included) to `end` (excluded)."""

    floor: int
    end: int

    @classmethod
    def between(cls, start: datetime, end: datetime) -> Range:
        """Return the range between two times of whole seconds."""
        return cls(int(start.timestamp()), int(end.timestamp()))

    @property
    def seconds(self) -> int:
        """The length."""
        return self.end - self.floor

    @property
    def start(self) -> datetime:
        """The first second, in UTC."""
        return datetime.fromtimestamp(self.floor, UTC)

    @property
    def until(self) -> datetime:
        """The second after the last one, in UTC."""
        return datetime.fromtimestamp(self.end, UTC)

    @property
    def name(self) -> str:
        """The two ends as text, for object names and messages."""
        return f"{self.start:%Y%m%dT%H%M%SZ}-{self.until:%Y%m%dT%H%M%SZ}"

    def contains(self, time: datetime) -> bool:
        """Return whether a time is in the range."""
        return self.floor <= time.timestamp() < self.end

    def overlaps(self, other: Range) -> bool:
        """Return whether a second is in both ranges."""
        return self.floor < other.end and other.floor < self.end

    def split_in_half(self) -> tuple[Range, Range]:
        """Return the older and the newer half of a range of two seconds or more."""
        middle = self.floor + self.seconds // 2
        return Range(self.floor, middle), Range(middle, self.end)


@dataclass(slots=True)
class SortedPage:
    """A page's events, sorted by where they belong; repeated and known events are in none of the lists."""

    fresh: list[LookedUpEvent] = field(default_factory=list)
    """Events of the slice that were returned for the first time."""
    aside: list[LookedUpEvent] = field(default_factory=list)
    """Events of the window that belong to another slice, or have no time."""
    strays: list[LookedUpEvent] = field(default_factory=list)
    """Events outside the window."""


@dataclass(slots=True)
class Order:
    """The order of a query's answers so far, from which the number of pages left is estimated."""

    newest: float = 0.0
    oldest: float = 0.0
    pages: int = 0
    is_newest_first: bool = True
    is_oldest_first: bool = True

    def add(self, times: Sequence[float]) -> None:
        """Add the times of a page's events."""
        if not times:
            return
        newest, oldest = max(times), min(times)
        if self.pages:
            self.is_newest_first &= newest <= self.oldest
            self.is_oldest_first &= oldest >= self.newest
            newest, oldest = max(newest, self.newest), min(oldest, self.oldest)
        else:
            # The first page has no page before it, so the order of its own events decides.
            self.is_newest_first = times[0] >= times[-1]
            self.is_oldest_first = not self.is_newest_first
        self.newest, self.oldest, self.pages = newest, oldest, self.pages + 1


@dataclass(slots=True, eq=False)
class Slice:
    """A range of a window, and the progress of its query.

    :param window: the range of the whole window
    :param known: ids of the range's events that earlier queries of this fetch have staged
    :param seen: ids of the events that the query has returned
    """

    window: Range
    range: Range
    query: int
    expected_pages: float = 1.0
    known: set[CompactId] = field(default_factory=set)
    seen: set[CompactId] = field(default_factory=set)
    token: str | None = None
    pages: int = 0
    looked_up: int = 0
    duplicates: int = 0
    fresh: int = 0
    """The number of events that this query returned before all other queries."""
    is_done: bool = False
    stuck: str | None = None
    """The reason why the query makes no progress; None if it does."""
    _order: Order = field(default_factory=Order)
    _tokens: set[int] = field(default_factory=set)
    _pages_seen: set[int] = field(default_factory=set)
    _barren: int = 0

    def accept_page(self, events: Sequence[LookedUpEvent], token: str | None) -> SortedPage:
        """Sort a page's events and check the query's progress; without a token, the slice is done (ADR-0015)."""
        result = SortedPage()
        seen_before = len(self.seen)
        found = [id_ for event in events if (id_ := self._sort_event(event, result)) is not None]
        times = (event.time for event in events if event.time is not None)
        # Events outside the range show nothing about how much of it is looked up.
        self._order.add([time.timestamp() for time in times if self.range.contains(time)])
        self.pages += 1
        self.token = token
        self.is_done = token is None
        self._barren = 0 if len(self.seen) > seen_before else self._barren + 1
        # A query without a further token has ended, whatever its last page looked like (ADR-0015).
        self.stuck = None if token is None else self._check_progress(token, frozenset(found))
        return result

    def _sort_event(self, event: LookedUpEvent, result: SortedPage) -> CompactId | None:
        """Add an event to its list and return its id; return None for a stray."""
        if event.time is not None and not self.window.contains(event.time):
            result.strays.append(event)
            return None
        event_id = compact_id(event.id)
        own = self._belongs_here(event.time)
        if event_id in self.seen:
            # An event of another slice's time is counted when it is staged, not here.
            self.looked_up += own
            self.duplicates += own
            return event_id
        self.seen.add(event_id)
        if not own:
            result.aside.append(event)
        # A retired query of this range has staged and counted the known ones (ADR-0015).
        elif event_id not in self.known:
            self.looked_up += 1
            self.fresh += 1
            result.fresh.append(event)
        return event_id

    def _belongs_here(self, time: datetime | None) -> bool:
        """Return whether an event of this time belongs to the slice."""
        # An event without a time belongs to a slice only if the slice is the whole window.
        return self.range == self.window if time is None else self.range.contains(time)

    def _check_progress(self, token: str, found: frozenset[CompactId]) -> str | None:
        # Hashes, because a query can have 1,000 tokens and pages.
        if _is_repeated(hash(token), self._tokens):
            return "AWS returned a NextToken again"
        # Empty pages are all equal; `_barren` limits them.
        if found and _is_repeated(hash(found), self._pages_seen):
            return "AWS returned a page again"
        if self._barren >= BARREN_PAGES:
            return f"AWS returned {self._barren} pages in a row without a new event"
        return None

    @property
    def pages_left(self) -> float:
        """The estimated number of pages left."""
        if self.is_done:
            return 0.0
        order = self._order
        if not order.pages:
            return max(0.5, self.expected_pages - self.pages)
        # If the answers are in order, the time that they cover shows the share of the range that is looked up.
        if order.is_newest_first:
            return max(0.5, self._extrapolate(self.range.end - order.oldest))
        if order.is_oldest_first:
            return max(0.5, self._extrapolate(order.newest + 1 - self.range.floor))
        # Without an order nothing can be estimated, so the query counts as half done (ADR-0015).
        return float(self.pages)

    def _extrapolate(self, covered: float) -> float:
        return self.pages * (self.range.seconds - covered) / max(1.0, covered)

    @property
    def share_done(self) -> float:
        """The estimated share of the range that is looked up, from 0 to 1."""
        return 1.0 if self.is_done else self.pages / (self.pages + self.pages_left) if self.pages else 0.0

    @property
    def density(self) -> tuple[int, float] | None:
        """A second, and the number of pages per second near it; None before the first page."""
        if not self.pages:
            return None
        order = self._order
        if self.is_done or not order.pages:
            return (self.range.floor + self.range.end) // 2, self.pages / self.range.seconds
        span = max(1.0, (self.range.end if order.is_newest_first else order.newest) - order.oldest)
        return int(order.oldest + order.newest) // 2, self.pages / span


def _is_repeated(item: int, seen: set[int]) -> bool:
    """Return whether an item is already in a set, and add it."""
    before = len(seen)
    seen.add(item)
    return len(seen) == before
