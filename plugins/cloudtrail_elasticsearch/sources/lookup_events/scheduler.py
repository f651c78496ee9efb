"""The scheduler of a fetch: chooses the slice to page next, and the slice to divide (ADR-0015)."""

from __future__ import annotations

import threading
from typing import Final

from cloudtrail_elasticsearch.sources.lookup_events.fetch_state import FetchState
from cloudtrail_elasticsearch.sources.lookup_events.paging import Paging
from cloudtrail_elasticsearch.sources.lookup_events.part_ids import PartIds
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from cloudtrail_elasticsearch.sources.lookup_events.slice_pool import Speed, is_worth_dividing

MOST_SLICES: Final = 8
"""The most slices that are paged at once: enough for a quota of 2 calls a second at 4 s a call."""

MOST_STUCK: Final = 8
"""A fetch ends at once if this many slices are stuck; if fewer are, the others are looked up first."""


class Scheduler:
    """Assigns slices to the workers of a fetch."""

    def __init__(self, state: FetchState, ids: PartIds, limiter: RateLimiter) -> None:
        self._state = state
        self._ids = ids
        self._limiter = limiter
        self._is_stopped = False
        self._turn = threading.Lock()
        """Held by the worker that chooses the next slice."""

    def next_slice(self) -> Paging | None:
        """Wait for a slice to page and return it; return None if all are done, or if a worker has failed.

        One worker at a time waits for a slot of the quota, and chooses a slice when the slot is due. If workers
        chose slices before they waited, each slice would get an equal share of the quota, and a busy slice, whose
        pages come one after another, would end last.
        """
        with self._turn:
            if not self._wait_for_idle():
                return None
            # Without `changed`, so that the other workers can accept their pages during the wait.
            self._limiter.acquire()
            with self._state.changed:
                # The one with the most pages left, so that all slices end together. There is one, because only the
                # worker that holds `_turn` takes slices.
                busiest = max(self._state.find_idle_slices(), key=_pages_left)
                busiest.is_taken = True
                return busiest

    def stop(self) -> None:
        """Stop the workers: none begins another page."""
        with self._state.changed:
            self._is_stopped = True
            self._state.changed.notify_all()

    def pays_to_divide(self, paging: Paging, others: int) -> bool:
        """Return whether a slice ends sooner if it is divided.

        :param others: other slices that are paged at the same time
        """
        slice_ = paging.slice
        speed = self._make_speed(self._state.times.usual)
        return slice_.range.seconds > 1 and is_worth_dividing(
            slice_.pages, slice_.pages_left, speed, others, MOST_SLICES
        )

    def _wait_for_idle(self) -> bool:
        """Wait until a slice can be paged, and return True; return False if the work is over."""
        state = self._state
        while True:
            with state.changed:
                if self._is_stopped or state.is_finished or len(state.stuck) >= MOST_STUCK:
                    return False
                opened = self._open_another()
                if opened is None:
                    if any(state.find_idle_slices()):
                        return True
                    self._mark_for_division()
                    state.changed.wait()
                    continue
                retired = [part for record in state.retired for part in record.parts]
            # Without `changed`, because parts are read from S3. No other worker takes the slice, because `_turn`
            # is held.
            opened.slice.known = self._ids.find_in_range(retired, opened.slice.range)

    def _open_another(self) -> Paging | None:
        """Open a slice of a part of the pool; return None if enough are open or the pool is empty."""
        state = self._state
        if not state.pool.ranges or len(state.open) >= self._most_open:
            return None
        pages_left = state.pool.pages + sum(paging.slice.pages_left for paging in state.open)
        return state.open_slice(*state.pool.take(pages_left / self._most_open))

    @property
    def _most_open(self) -> int:
        """The most open slices: twice the number of pagers, of which those with most pages left are paged first.

        So all slices end at about the same time.
        """
        pagers = self._make_speed(self._state.times.slowest).pagers
        # If one pager uses the whole quota, more slices only cost calls: half a page each (ADR-0015).
        return min(MOST_SLICES, 2 * pagers) if pagers > 1 else 1

    def _make_speed(self, latency: float) -> Speed:
        # Not 0, because estimates are divided by it; no page was timed before the first one.
        return Speed(self._limiter.rate, max(latency, 0.001))

    def _mark_for_division(self) -> None:
        """Mark the slice with most pages left if dividing it saves time; its worker divides it after its page."""
        state = self._state
        candidates = [paging for paging in state.open if paging.slice.pages and paging.slice.range.seconds > 1]
        if any(paging.is_to_divide for paging in candidates):
            return
        largest = max(candidates, key=_pages_left, default=None)
        if largest is not None and self.pays_to_divide(largest, len(state.open) - 1):
            largest.is_to_divide = True


def _pages_left(paging: Paging) -> float:
    return paging.slice.pages_left
