"""The state of one fetch, shared by its threads."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import StuckLookupError
from cloudtrail_elasticsearch.sources.lookup_events.fetch_record import FetchRecord, SliceRecord
from cloudtrail_elasticsearch.sources.lookup_events.paging import Paging
from cloudtrail_elasticsearch.sources.lookup_events.slice_pool import SlicePool
from cloudtrail_elasticsearch.sources.lookup_events.slices import Range, Slice
from cloudtrail_elasticsearch.sources.lookup_events.strays import Strays

QUERY_BITS: Final = 24
"""Bits of a query's random number, which distinguishes the queries of two simultaneous attempts at one range."""

ID_TIME: Final = "%Y%m%dT%H%M%SZ"
"""The time at the beginning of an id. As texts, ids have the order of their times."""


def _make_id() -> str:
    # The random part keeps the objects of two fetches of the same second apart (ADR-0008).
    return f"{datetime.now(UTC):{ID_TIME}}-{secrets.token_hex(3)}"


@dataclass(slots=True)
class PageTimes:
    """The seconds that the calls for a page take."""

    slowest: float = 0.0
    """The slowest recent page. The number of pagers follows from it, so that they use the whole quota."""
    usual: float = 0.0
    """An average. Dividing a slice repeats its calls, so a few slow pages do not justify it."""

    def observe(self, seconds: float) -> None:
        """Add the seconds of a page."""
        usual = self.usual or seconds
        # It decays, so that one slow answer does not keep too many pagers at work.
        self.slowest = max(seconds, 0.8 * self.slowest)
        self.usual = 0.8 * usual + 0.2 * seconds


@dataclass(slots=True, eq=False)
class FetchState:
    """The slices and the counts of a fetch. Threads read and change them while they hold `changed`.

    Every second of the window is in exactly one of `pool`, `open`, `done` and `stuck`.
    """

    window: Window
    whole: Range
    pool: SlicePool
    id: str = field(default_factory=_make_id)
    """The fetch's id; a resumed fetch keeps the id of its first attempt."""
    attempts: int = 1
    calls: int = 0
    throttled: int = 0
    open: list[Paging] = field(default_factory=list)
    done: list[SliceRecord] = field(default_factory=list)
    retired: list[SliceRecord] = field(default_factory=list)
    """Abandoned queries; other queries cover their ranges again."""
    stuck: list[tuple[Range, StuckLookupError]] = field(default_factory=list)
    strays: Strays = field(default_factory=Strays)
    misplaced_example: str = ""
    """The eventID of a misplaced event."""
    times: PageTimes = field(default_factory=PageTimes)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @classmethod
    def for_window(cls, window: Window) -> FetchState:
        """Return the state of a new fetch."""
        whole = Range.between(window.start, window.end)
        return cls(window, whole, SlicePool(whole))

    @property
    def is_finished(self) -> bool:
        """Whether all slices have ended."""
        return not self.open and not self.pool.ranges

    @property
    def records(self) -> list[SliceRecord]:
        """The records of all queries that have ended."""
        return self.done + self.retired

    @property
    def looked_up(self) -> int:
        """The number of events looked up so far."""
        running = sum(paging.slice.looked_up for paging in self.open)
        return sum(record.looked_up for record in self.records) + running

    @property
    def share_done(self) -> float:
        """The share of the window's time that is looked up, from 0 to 1; the number of all events is unknown."""
        # Not the retired queries: other slices look up their ranges again.
        done = sum(record.range.seconds for record in self.done)
        running = sum(paging.slice.share_done * paging.slice.range.seconds for paging in self.open)
        return (done + running) / self.whole.seconds

    def find_idle_slices(self) -> Iterator[Paging]:
        """Yield the open slices that no worker has taken."""
        return (paging for paging in self.open if not paging.is_taken)

    def open_slice(self, chosen: Range, expected_pages: float) -> Paging:
        """Open a slice of a range and return it."""
        paging = Paging.for_slice(Slice(self.whole, chosen, secrets.randbits(QUERY_BITS), expected_pages))
        self.open.append(paging)
        return paging

    def to_record(self, checkpoint: str, body: bytearray) -> FetchRecord:
        """Return the record for the next attempt, which looks up stuck ranges again.

        :param checkpoint: the key of a new checkpoint
        :param body: of the checkpoint; events of growing parts are added
        """
        begun = [paging for paging in self.open if paging.slice.pages]
        without_page = (paging.slice.range for paging in self.open if not paging.slice.pages)
        ranges = [*self.pool.ranges, *without_page, *(stuck for stuck, _ in self.stuck)]
        return FetchRecord(
            calls=self.calls,
            throttled=self.throttled,
            pool=tuple((each.floor, each.end) for each in ranges),
            open=tuple(paging.to_record(checkpoint, body) for paging in begun),
            done=tuple(self.done),
            retired=tuple(self.retired),
            strays=tuple(self.strays.remembered),
            more_strays=self.strays.more,
        )
