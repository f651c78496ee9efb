"""Slices: how a window is divided by time, so that it can be paged side by side.

A slice is paged from its end towards its floor. Its query always begins where the window does, so a slice can
give the older half of what it has not seen to another one at any moment: its floor rises, its token stays valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

ONE_SECOND: Final = timedelta(seconds=1)
PAGES_WORTH_A_SLICE: Final = 6
"""A slice costs a call for the page that its border divides, so less than this is not divided."""

SECONDS_WORTH_A_SLICE: Final = 4.0
"""But where pages are slow, what would take so long page by page is: else the last slices hold the end up."""


class Timed(Protocol):
    """An event, as far as slices care."""

    @property
    def id(self) -> str:
        """Its eventID."""

    @property
    def time(self) -> datetime:
        """When it happened."""


Event = TypeVar("Event", bound=Timed)


@dataclass(frozen=True, slots=True)
class Position:
    """How far a slice has come."""

    until: datetime
    """The end of what is asked for: the slice's own, or later that of the last second seen."""
    token: str | None
    """The next page's; None where the next page is the first of its query."""
    cursor: datetime
    """When the oldest event seen happened; the slice's end before the first."""
    pages: int
    looked_up: int
    duplicates: int

    @classmethod
    def at(cls, end: datetime) -> Position:
        """Return where a slice begins."""
        return cls(until=end, token=None, cursor=end, pages=0, looked_up=0, duplicates=0)


@dataclass(slots=True)
class Slice:
    """A part of a window, from `floor` (included) to `end` (excluded), paged on its own, newest first."""

    end: datetime
    floor: datetime
    position: Position
    is_done: bool = False
    _recent: set[str] = field(default_factory=set)
    _page_spans: timedelta = ONE_SECOND

    @classmethod
    def between(cls, floor: datetime, end: datetime) -> Slice:
        """Return a slice of which nothing is looked up."""
        return cls(end=end, floor=floor, position=Position.at(end))

    @property
    def pages_left(self) -> float:
        """About how many pages are left, if the rest is as busy as the last page."""
        if self.is_done or not self.position.pages:
            return 0.0
        return (self.position.cursor - self.floor) / self._page_spans

    @property
    def passed(self) -> timedelta:
        """How much of its time is looked up."""
        return self.end - (self.floor if self.is_done else max(self.position.cursor, self.floor))

    def remember(self, events: Iterable[Timed]) -> None:
        """Take note of events that were seen before an interruption, to know them when they come again."""
        self._recent |= {event.id for event in events}

    def accept(self, events: Sequence[Event], until: datetime, token: str | None) -> list[Event]:
        """Take a page and return its events that are this slice's and new.

        The slice is done where the page reaches below its floor, or no other follows.
        """
        own = [event for event in events if event.time >= self.floor]
        fresh: list[Event] = []
        for event in own:
            if event.id not in self._recent:
                self._recent.add(event.id)
                fresh.append(event)
        before = self.position
        cursor = min((event.time for event in own), default=before.cursor).replace(microsecond=0)
        self._recent = {event.id for event in own} | (self._recent if cursor == before.cursor else set())
        if events:
            self._page_spans = max(ONE_SECOND, min(before.cursor, events[0].time) - cursor)
        self.position = Position(
            until=until,
            token=token,
            cursor=cursor,
            pages=before.pages + 1,
            looked_up=before.looked_up + len(own),
            duplicates=before.duplicates + len(own) - len(fresh),
        )
        self.is_done = token is None or len(own) < len(events)
        return fresh

    def go_on_by_time(self) -> None:
        """Forget the token, and ask for what is older than the last second seen, that second included."""
        before = self.position
        until = min(before.until, before.cursor + ONE_SECOND)
        self.position = Position(until, None, before.cursor, before.pages, before.looked_up, before.duplicates)

    @property
    def can_be_divided(self) -> bool:
        """Whether there is a whole second to give away, and one to keep."""
        return not self.is_done and self.position.cursor - self.floor >= 2 * ONE_SECOND

    def divide(self) -> Slice:
        """Give the older half of what is left to a new slice, and return it."""
        return self._give((self.position.cursor - self.floor) / 2)

    def end_soon(self) -> Slice:
        """Give all but about a page of what is left to a new slice, and return it."""
        return self._give(self.position.cursor - self.floor - self._page_spans)

    def _give(self, share: timedelta) -> Slice:
        border = self.floor + max(ONE_SECOND, timedelta(seconds=share // ONE_SECOND))
        other = Slice.between(self.floor, border)
        self.floor = border
        return other


def worth_dividing(slices: Iterable[Slice], seconds_a_page: float) -> Slice | None:
    """Return the slice with most left, or None where none has enough."""
    enough = min(PAGES_WORTH_A_SLICE, max(2.0, SECONDS_WORTH_A_SLICE / max(seconds_a_page, 0.001)))
    candidates = [each for each in slices if each.can_be_divided and each.pages_left >= enough]
    return max(candidates, key=lambda each: each.pages_left, default=None)
