"""The interface of an event store, and stores that combine others."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from devstack.simulator.draw import uniform

Position = tuple[int, str]
"""An event's position in the order of all: its time in epoch seconds, then its eventID."""

NEWEST: Final[Position] = (1 << 62, "")
"""The position that every event comes before."""


@dataclass(frozen=True, slots=True)
class Span:
    """A region of an account from `start` to `end`, both included, in epoch seconds."""

    account: str
    region: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Record:
    """A CloudTrail record, read and as the JSON text that is delivered."""

    fields: Mapping[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An event's position, and a function that makes or reads its record when it is needed."""

    time: int
    id: str
    read: Callable[[], Record]

    @property
    def position(self) -> Position:
        """Return the event's position in the order of all events."""
        return (self.time, self.id)


class EventStore(Protocol):
    """Events of accounts and regions, identified by eventID."""

    def regions(self) -> frozenset[str]:
        """Return the regions in which this store can have events."""

    def count(self, span: Span) -> int:
        """Return the number of events in a span."""

    def newest_first(self, span: Span, before: Position = NEWEST) -> Iterator[Entry]:
        """Yield the events of a span before a position, from the latest to the earliest.

        Events of one second are in descending order of eventID, so that a position always has the same meaning.
        """


class Together:
    """Several stores as one. An eventID can be in only one of them."""

    def __init__(self, *stores: EventStore) -> None:
        self._stores = stores

    def regions(self) -> frozenset[str]:
        """Return the regions of all stores."""
        return frozenset().union(*(store.regions() for store in self._stores))

    def count(self, span: Span) -> int:
        """Return how many events all stores have in a span."""
        return sum(store.count(span) for store in self._stores)

    def newest_first(self, span: Span, before: Position = NEWEST) -> Iterator[Entry]:
        """Yield the events of all stores in one order."""
        streams = [store.newest_first(span, before) for store in self._stores]
        return heapq.merge(*streams, key=lambda entry: entry.position, reverse=True)


@dataclass(frozen=True, slots=True)
class Lateness:
    """The delay between an event and the first lookup that returns it.

    `fraction` of the events, chosen by eventID, come `shortest` to `longest` seconds late, all others at once.
    """

    fraction: float = 0.0
    shortest: int = 60
    longest: int = 900

    def of(self, event_id: str) -> int:
        """Return an event's delay in seconds."""
        return Latenesses((self,)).of(event_id) if self.fraction else 0

    def delay(self, event_id: str) -> int:
        """Return the delay of an event that is late, in seconds."""
        return self.shortest + int(uniform("delay", event_id) * (self.longest - self.shortest + 1))


@dataclass(frozen=True, slots=True)
class Latenesses:
    """Several kinds of lateness, each with its fraction of the events; the remaining events come at once."""

    kinds: tuple[Lateness, ...]

    def __post_init__(self) -> None:
        if sum(kind.fraction for kind in self.kinds) > 1 + 1e-9:
            raise ValueError("the fractions of late events are more than all events together")

    def of(self, event_id: str) -> int:
        """Return an event's delay in seconds."""
        draw = uniform("late", event_id)
        for kind in self.kinds:
            if draw < kind.fraction:
                return kind.delay(event_id)
            draw -= kind.fraction
        return 0


class Arrived:
    """The events of a store that have arrived by now; future events have not."""

    def __init__(self, store: EventStore, lateness: Lateness | Latenesses, now: Callable[[], float]) -> None:
        self._store = store
        self._lateness = lateness
        self._now = now
        self.schedule: dict[str, float] = {}
        """The time of arrival, in epoch seconds, of events that `lateness` does not decide on."""

    def regions(self) -> frozenset[str]:
        """Return the regions of the store."""
        return self._store.regions()

    def count(self, span: Span) -> int:
        """Return the number of events of a span that have arrived."""
        return sum(1 for _ in self.newest_first(span))

    def newest_first(self, span: Span, before: Position = NEWEST) -> Iterator[Entry]:
        """Yield the events of a span that have arrived."""
        now = self._now()
        past = replace(span, end=min(span.end, int(now)))
        return (entry for entry in self._store.newest_first(past, before) if self.arrival(entry) <= now)

    def arrival(self, entry: Entry) -> float:
        """Return the time at which a lookup can first return an event, in epoch seconds."""
        scheduled = self.schedule.get(entry.id)
        return entry.time + self._lateness.of(entry.id) if scheduled is None else scheduled
