"""The progress of live runs through the time of one region, and its form in the region's watermark (ADR-0024)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from cloudtrail_elasticsearch.core.encoding import typed

STEP: Final = timedelta(hours=1)
"""The longest time of a query of several pages: after an outage, the oldest hour comes first."""


@dataclass(frozen=True, slots=True)
class LiveQuery:
    """A query for the events from `start` (included) to `end` (excluded), and the token of its next page."""

    start: datetime
    end: datetime
    began: datetime
    """The time of its first request: events that CloudTrail delivered later may be missing from its answers."""
    token: str | None = None


class _Position(msgspec.Struct, omit_defaults=True):
    """The text that a watermark keeps."""

    settled: datetime
    query: LiveQuery | None = None


_decode: Final = typed.make_decode(_Position)


@dataclass(frozen=True, slots=True)
class LiveProgress:
    """How far the time of a region was looked up."""

    until: datetime
    """Every query for the time before it has ended."""
    settled: datetime
    """The time before it was looked up so late that CloudTrail had probably delivered all of its events."""
    query: LiveQuery | None = None
    """The query that has further pages."""
    step: timedelta | None = None
    """The longest time of a new query; None: a quiet region is looked up in one query, however long."""

    @classmethod
    def from_position(cls, until: datetime, position: str) -> LiveProgress:
        """Return the progress of a watermark; a position of another version only costs that time again."""
        try:
            found = _decode(position)
        except msgspec.MsgspecError:
            return cls(until, until - STEP)
        return cls(until, found.settled, found.query)

    @property
    def position(self) -> str:
        """The text for the watermark; `from_position` reads it."""
        return msgspec.json.encode(_Position(self.settled, self.query)).decode()

    def choose_query(self, now: datetime, goal: datetime) -> LiveQuery | None:
        """Return the query to go on with, or a new one towards the goal; None if the goal is reached.

        :param now: the time of the query's first request
        """
        if self.query is not None:
            return self.query
        # Whole seconds, as LookupEvents takes them.
        start = min(self.settled, self.until).replace(microsecond=0)
        end = min(goal, self.until + self.step if self.step else goal).replace(microsecond=0)
        return LiveQuery(start, end, now) if end > self.until else None

    def go_on(self, query: LiveQuery, token: str | None, overlap: timedelta) -> LiveProgress:
        """Return the progress after a page of a query.

        :param token: the token of the query's next page; None if that was the last one
        :param overlap: the time that CloudTrail may take to deliver an event
        """
        if token is not None:
            if query.end - self.until > STEP:
                return replace(self, query=None, step=STEP)
            return replace(self, query=replace(query, token=token))
        settled = max(self.settled, min(query.end, query.began - overlap))
        return replace(self, until=max(self.until, query.end), settled=settled, query=None)

    def without_query(self) -> LiveProgress:
        """Return the progress without its open query, whose time is then looked up again."""
        return replace(self, query=None)

    def move_up(self, oldest: datetime) -> LiveProgress:
        """Return the progress from a time on, if it is not that far: the daily runs load the time before it."""
        if self.until >= oldest:
            return replace(self, settled=max(self.settled, oldest))
        return LiveProgress(oldest, oldest)
