"""A LookupEvents in memory that returns all events of a range, in any order, with repeats and strays."""

from __future__ import annotations

import random
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError


class Killed(BaseException):
    """Represents `kill -9`."""


@dataclass(frozen=True)
class Happened:
    """An event of the account; its `time` may be outside the looked-up window."""

    id: str
    time: datetime

    @property
    def answer(self) -> dict[str, Any]:
        """Return the event as LookupEvents returns it."""
        return {"EventId": self.id, "EventTime": self.time, "CloudTrailEvent": f'{{"eventID":"{self.id}"}}'}


def event_id(number: int) -> str:
    return str(uuid.UUID(int=number))


@dataclass(frozen=True)
class Manners:
    """The way in which the service answers."""

    order: str = "newest"
    page_size: int = 5
    strays: int = 0
    """Events outside the window, one of them on any page."""
    misrouted: float = 0.0
    """The share of pages that have an event of the account from outside the requested range."""
    repeats: float = 0.0
    """The share of pages that have events of an earlier page of the same query again."""
    empty: float = 0.0
    """The share of pages that are empty, although more follow."""
    expiries: int = 0
    """The number of tokens that are rejected."""
    latency: float = 0.0


class UnrulyLookup:
    """A CloudTrail client; threads may share it."""

    def __init__(self, events: list[Happened], strays: list[Happened], manners: Manners, seed: int) -> None:
        self._events = events
        self._strays = strays
        self._manners = manners
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._queries: dict[str, tuple[list[Happened], int]] = {}
        self._expiries = manners.expiries
        self.calls = 0
        self.kill_at: int | None = None

    def lookup_events(self, **request: Any) -> dict[str, Any]:
        token = request.get("NextToken")
        if self._manners.latency:
            time.sleep(self._chance.random() * self._manners.latency)
        with self._lock:
            self.calls += 1
            if self.kill_at is not None and self.calls >= self.kill_at:
                raise Killed
            whole = request["StartTime"], request["EndTime"]
            events, begin = self._queries[token] if token else (self._answer(*whole), 0)
            if token and self._expiries and self._chance.random() < 0.3:
                self._expiries -= 1
                raise ClientError({"Error": {"Code": "InvalidNextTokenException"}}, "LookupEvents")
            return self._page(events, begin)

    def _answer(self, start: datetime, end: datetime) -> list[Happened]:
        found = [event for event in self._events if start <= event.time < end + timedelta(seconds=1)]
        if self._manners.order == "shuffled":
            self._chance.shuffle(found)
        elif self._manners.order == "disordered":
            found.sort(key=lambda event: event.time.timestamp() + self._chance.uniform(-40, 40), reverse=True)
        else:
            found.sort(key=lambda event: event.time, reverse=self._manners.order == "newest")
        return found

    def _page(self, events: list[Happened], begin: int) -> dict[str, Any]:
        manners, chance = self._manners, self._chance
        size = 0 if chance.random() < manners.empty else manners.page_size
        page = events[begin : begin + size]
        if begin and chance.random() < manners.repeats:
            page += chance.sample(events[:begin], min(begin, 2))
        if self._strays and chance.random() < 0.5:
            page.insert(chance.randrange(len(page) + 1), chance.choice(self._strays))
        if self._events and chance.random() < manners.misrouted:
            page.insert(chance.randrange(len(page) + 1), chance.choice(self._events))
        more = {}
        if begin + size < len(events) or size == 0:
            more = {"NextToken": uuid.UUID(int=chance.getrandbits(128)).hex}
            self._queries[more["NextToken"]] = (events, begin + size)
        return {"Events": [event.answer for event in page], **more}


def at(second: float) -> datetime:
    return datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=second)
