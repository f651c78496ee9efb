"""Makes the events of any account, region and day from a seed, each alone, the same in every process.

>>> generator = Generator(seed=1)
>>> span = generator.day("123456789012", "us-east-1", date(2026, 11, 20))
>>> newest = next(generator.newest_first(span)).read().fields
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

import orjson

from devstack.simulator import envelope, mix, models
from devstack.simulator.calls import service_calls
from devstack.simulator.draw import Draw, digest, uuid_text
from devstack.simulator.regions import GLOBAL_REGION, REGIONS, SHARES
from devstack.simulator.store import NEWEST, Entry, Position, Record, Span
from devstack.simulator.timeline import DAY, Timeline, volume
from devstack.simulator.values import Scene

DEFAULT_VOLUME: Final = 2500
"""Events a weekday of the busiest region; all regions together have some 2.7 times as many."""

operations = models.operations


@dataclass(frozen=True, slots=True)
class Generator:
    """An event store of generated management events. `volume` is what the busiest region has on a weekday."""

    seed: int = 1
    volume: int = DEFAULT_VOLUME
    shares: Mapping[str, float] = field(default_factory=lambda: SHARES)
    """Each region's events per event of the busiest one."""

    def regions(self) -> frozenset[str]:
        """Return the 17 default regions."""
        return frozenset(REGIONS)

    def count(self, span: Span) -> int:
        """Return how many events happen in a span, without making them."""
        return sum(len(indices) for _, indices in self._days(span))

    def newest_first(self, span: Span, before: Position = NEWEST) -> Iterator[Entry]:
        """Yield the events of a span that stand before a position, from the latest to the earliest."""
        until = Span(span.account, span.region, span.start, min(span.end, before[0]))
        for timeline, indices in self._days(until):
            for time, second in itertools.groupby(reversed(indices), key=timeline.time):
                named = sorted(((_event_id(timeline.key, index), index) for index in second), reverse=True)
                for event_id, index in named:
                    if (time, event_id) < before:
                        yield Entry(time, event_id, functools.partial(self._read, span, timeline, index))

    def event(self, account: str, region: str, day: date, index: int) -> dict[str, Any]:
        """Return event number `index` (from 0, the day's first) of a region's day.

        :raises IndexError: the day has fewer events
        """
        timeline = self._timeline(account, region, _day_number(day))
        if not 0 <= index < timeline.count:
            raise IndexError(f"{region} has {timeline.count} events on {day}, so none has number {index}")
        return self._make(account, region, timeline, index)

    @staticmethod
    def day(account: str, region: str, day: date) -> Span:
        """Return the span of a day, in UTC."""
        start = _day_number(day) * DAY
        return Span(account, region, start, start + DAY - 1)

    def _timeline(self, account: str, region: str, day: int) -> Timeline:
        key = f"{self.seed}/{account}/{region}/{day}"
        weekday = self.volume * self.shares.get(region, 0.0)
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
        event_id = _event_id(timeline.key, index)
        draw = _draw(event_id)
        scene = Scene(draw, account, region, timeline.time(index))
        choice = mix.choose(draw, self.seed, account, region, timeline.day)
        return _record(scene, choice, event_id)


def event_for(
    service: str,
    operation: str,
    seed: int,
    *,
    account: str = "123456789012",
    region: str = GLOBAL_REGION,
    time: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC),
) -> dict[str, Any]:
    """Return an event of a named operation, by the names botocore has for both.

    :raises KeyError: botocore knows no such service
    :raises botocore.model.OperationNotFoundError: the service has no such operation
    """
    event_id = _event_id(f"{service}/{operation}/{seed}", 0)
    scene = Scene(_draw(event_id), account, region, int(time.timestamp()))
    return _record(scene, (service, operation), event_id)


def _record(scene: Scene, choice: tuple[str, str], event_id: str) -> dict[str, Any]:
    if choice == mix.CONSOLE_LOGIN:
        return envelope.sign_in(scene, event_id)
    if choice == mix.SERVICE_EVENT:
        return envelope.service_event(scene, event_id)
    service, operation = choice
    return envelope.record(scene, service_calls(service).call(operation), event_id)


def _event_id(key: str, index: int) -> str:
    return uuid_text(int.from_bytes(digest(key, "id", index), "big"))


def _draw(event_id: str) -> Draw:
    return Draw(int(event_id.replace("-", ""), 16))


def _day_number(day: date) -> int:
    return day.toordinal() - date(1970, 1, 1).toordinal()
