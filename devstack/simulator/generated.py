"""Event stores that make their events from a seed, each independently, the same in every process."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar, Final

import orjson

from devstack.simulator.draw import Draw, digest, uuid_text
from devstack.simulator.regions import REGIONS, SHARES
from devstack.simulator.store import NEWEST, Entry, Position, Record, Span
from devstack.simulator.timeline import DAY, Timeline, volume

DEFAULT_VOLUME: Final = 2500
"""Events a weekday of the busiest region; all regions together have some 2.7 times as many."""


@dataclass(frozen=True, slots=True)
class GeneratedEvents:
    """The base of the stores: the number, times and ids of the events. A subclass makes the records.

    `volume` is the events of the busiest region on a weekday, `shares` each region's events per event of the
    busiest one, and `activity` an account's events per event of an account that is not listed. `account_shares`
    has the shares of accounts that differ.
    """

    seed: int = 1
    volume: int = DEFAULT_VOLUME
    shares: Mapping[str, float] = field(default_factory=lambda: SHARES)
    activity: Mapping[str, float] = field(default_factory=dict)
    account_shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    kind: ClassVar[str] = ""
    """Part of the key of every random choice, so that no two stores have an eventID in common."""

    def regions(self) -> frozenset[str]:
        """Return the 17 default regions."""
        return frozenset(REGIONS)

    def count(self, span: Span) -> int:
        """Return how many events happen in a span, without making them."""
        return sum(len(indices) for _, indices in self._days(span))

    def newest_first(self, span: Span, before: Position = NEWEST) -> Iterator[Entry]:
        """Yield the events of a span before a position, from the latest to the earliest."""
        until = Span(span.account, span.region, span.start, min(span.end, before[0]))
        for timeline, indices in self._days(until):
            for time, second in itertools.groupby(reversed(indices), key=timeline.time):
                named = sorted(((event_id(timeline.key, index), index) for index in second), reverse=True)
                for name, index in named:
                    if (time, name) < before:
                        yield Entry(time, name, functools.partial(self._read, span, timeline, index))

    def event(self, account: str, region: str, day: date, index: int) -> dict[str, Any]:
        """Return event number `index` (from 0, the day's first) of a region's day.

        :raises IndexError: the day has fewer events
        """
        timeline = self._timeline(account, region, day_number(day))
        if not 0 <= index < timeline.count:
            raise IndexError(f"{region} has {timeline.count} events on {day}, so none has number {index}")
        return self._make(account, region, timeline, index)

    @staticmethod
    def day(account: str, region: str, day: date) -> Span:
        """Return the span of a day, in UTC."""
        start = day_number(day) * DAY
        return Span(account, region, start, start + DAY - 1)

    def _timeline(self, account: str, region: str, day: int) -> Timeline:
        key = "/".join(filter(None, (str(self.seed), self.kind, account, region, str(day))))
        shares = self.account_shares.get(account, self.shares)
        weekday = self.volume * shares.get(region, 0.0) * self.activity.get(account, 1.0)
        return Timeline(key, day, volume(self.seed, account, region, day, weekday))

    def _days(self, span: Span) -> Iterator[tuple[Timeline, range]]:
        """Yield each day of a span, the last first, with the numbers of its events."""
        for day in range(span.end // DAY, span.start // DAY - 1, -1):
            timeline = self._timeline(span.account, span.region, day)
            if timeline.count:
                yield timeline, range(timeline.first_at(span.start), timeline.first_at(span.end + 1))

    def _read(self, span: Span, timeline: Timeline, index: int) -> Record:
        fields = self._make(span.account, span.region, timeline, index)
        return Record(fields, orjson.dumps(fields).decode())

    def _make(self, account: str, region: str, timeline: Timeline, index: int) -> dict[str, Any]:
        """Return the record of event number `index` of a day."""
        raise NotImplementedError


def event_id(key: str, index: int) -> str:
    """Return the eventID of the event with this number in the day with this key."""
    return uuid_text(int.from_bytes(digest(key, "id", index), "big"))


def draw_of(name: str) -> Draw:
    """Return the random choices of the event with this eventID."""
    return Draw(int(name.replace("-", ""), 16))


def day_number(day: date) -> int:
    """Return the days from 1 January 1970 to a day."""
    return day.toordinal() - date(1970, 1, 1).toordinal()
