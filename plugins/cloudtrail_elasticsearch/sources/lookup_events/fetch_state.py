"""The state of one fetch, shared by its threads."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
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


class FetchState:
    """The slices and the counts of a fetch. Threads read and change them while they hold `changed`.

    Every second of the window is in exactly one of `pool`, `open`, `done` and `stuck`.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self.whole = Range.between(window.start, window.end)
        self.pool = SlicePool(self.whole)
        # The random part keeps the objects of two fetches of the same second apart (ADR-0008).
        self.id = f"{datetime.now(UTC):{ID_TIME}}-{secrets.token_hex(3)}"
        """The fetch's id; a resumed fetch keeps the id of its first attempt."""
        self.attempts = 1
        self.calls = self.throttled = 0
        self.open: list[Paging] = []
        self.done: list[SliceRecord] = []
        self.retired: list[SliceRecord] = []
        """Abandoned queries; other queries cover their ranges again."""
        self.stuck: list[tuple[Range, StuckLookupError]] = []
        self.strays = Strays()
        self.misplaced_example = ""
        """The eventID of a misplaced event."""
        self.times = PageTimes()
        self.changed = threading.Condition()

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
        paging = Paging(Slice(self.whole, chosen, secrets.randbits(QUERY_BITS), expected_pages))
        self.open.append(paging)
        return paging

    def to_record(self, checkpoint: str, body: bytearray) -> FetchRecord:
        """Return the record for the next attempt, which looks up stuck ranges again.

        :param checkpoint: the key of a new checkpoint
        :param body: of the checkpoint; events of growing parts are added
        """
        begun = [paging for paging in self.open if paging.slice.pages]
        without_page = (paging.slice.range for paging in self.open if not paging.slice.pages)
        return FetchRecord(
            calls=self.calls,
            throttled=self.throttled,
            pool=(*self.pool.ranges, *without_page, *(stuck for stuck, _ in self.stuck)),
            open=tuple(paging.to_record(checkpoint, body) for paging in begun),
            done=tuple(self.done),
            retired=tuple(self.retired),
            strays=tuple(self.strays.remembered),
            more_strays=self.strays.more,
        )
