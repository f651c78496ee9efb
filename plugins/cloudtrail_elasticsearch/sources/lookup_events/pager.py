"""The pager of a fetch: requests the pages of slices, and stages them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from cloudtrail_elasticsearch.core.errors import ExpiredPageError, StuckLookupError
from cloudtrail_elasticsearch.core.progress_log import ProgressLog
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.fetch_checkpoint import FetchCheckpoint
from cloudtrail_elasticsearch.sources.lookup_events.fetch_state import FetchState
from cloudtrail_elasticsearch.sources.lookup_events.growing_part import GrowingPart
from cloudtrail_elasticsearch.sources.lookup_events.paging import Paging
from cloudtrail_elasticsearch.sources.lookup_events.slices import Range
from cloudtrail_elasticsearch.staging import Part, Staging
from cloudtrail_elasticsearch.staging.parts import PackedPart

log = logging.getLogger(__name__)

# 5,000 events: parts of a few pages would be too small to load well (ADR-0008).
PAGES_PER_PART: Final = 100

BYTES_PER_PART: Final = 16 * 2**20
"""Unpacked: twice the size of usual parts. Events of 256 KiB make parts of fewer pages, so memory is bounded."""

PAGES_PER_SLICE: Final = 1_000
"""A slice with more pages is always divided: this bounds its ids in memory, and the cost of a damaged part."""

MOST_RETRIES: Final = 3
"""The most queries in a row for one second whose token expires before they return a new event."""


class Pager:
    """Pages slices. One worker at a time pages a slice; several workers page different slices in parallel."""

    def __init__(
        self, state: FetchState, checkpoint: FetchCheckpoint, source: LookupEvents, staging: Staging
    ) -> None:
        self._state = state
        self._checkpoint = checkpoint
        self._source = source
        self._staging = staging
        self._retries: dict[Range, int] = {}
        self._progress_log = ProgressLog(f"Looked up {state.window.name}", state.looked_up, state.share_done)

    def take_page(self, paging: Paging) -> None:
        """Request the next page of a slice, and add its events to the slice's part.

        The caller has taken a slot of the quota.

        :raises AccessDeniedError: cloudtrail:LookupEvents is not allowed
        :raises TransientError: AWS throttles or fails for longer than the source's patience
        """
        state, asked = self._state, paging.slice
        # An earlier attempt was killed between the last page and the part.
        if asked.is_done:
            self.close_slice(paging)
            return
        try:
            page = self._source.request_page(state.window, asked.range.start, asked.range.until, asked.token)
        except ExpiredPageError as error:
            self._restart(paging, error)
            return
        with state.changed:
            state.calls += page.calls
            state.throttled += page.throttled
            state.times.observe(page.seconds)
            # Under the lock, because other workers read the slice's estimates when they choose a slice, and a
            # checkpoint must have a page's events if it has the token after the page.
            found = asked.accept_page(page.events, page.token)
            state.strays.add(found.strays)
            misplaced = paging.add(found, page.misplaced)
            state.misplaced_example = state.misplaced_example or next(iter(misplaced), "")
            state.changed.notify_all()
        if asked.stuck:
            self._give_up(paging, asked.stuck)
        elif asked.is_done:
            self.close_slice(paging)
        elif asked.pages - paging.pages_in_parts >= PAGES_PER_PART or paging.unpacked >= BYTES_PER_PART:
            self._write_parts(paging)
        self._progress_log.log(state.looked_up, state.share_done)

    def release(self, paging: Paging) -> None:
        """Return a slice to the other workers; divide it first if it is marked for division or too large."""
        # A slice that is done or retired cannot be divided.
        if paging in self._state.open:
            is_too_large = paging.slice.pages >= PAGES_PER_SLICE
            if (paging.is_to_divide or is_too_large) and paging.slice.range.seconds > 1:
                self.close_slice(paging, paging.slice.range.split_in_half())
        with self._state.changed:
            paging.is_taken = False
            self._state.changed.notify_all()

    def close_slice(
        self, paging: Paging, again: Iterable[Range] = (), error: StuckLookupError | None = None
    ) -> None:
        """End the paging of a slice: its staged events stay.

        If its query has not ended, it is retired, and other queries look up its range again.

        :param again: the ranges of these queries
        :param error: the reason, if no other query of this attempt looks up the slice's range
        """
        state = self._state
        # First: the slice is done only after its events were written; otherwise a failed write would lose them.
        self._write_parts(paging)
        record = paging.to_record()
        with state.changed:
            # One step under the lock, so that each second stays in exactly one of `pool`, `open`, `done` and
            # `stuck`.
            state.open.remove(paging)
            if error is not None:
                state.stuck.append((paging.slice.range, error))
            state.pool.observe(paging.slice.density)
            state.pool.ranges.extend(again)
            # A query without a page has nothing to compare with.
            if record.pages:
                (state.done if paging.slice.is_done else state.retired).append(record)
            state.changed.notify_all()

    def _restart(self, paging: Paging, error: ExpiredPageError) -> None:
        """Look up a slice again after its token expired: in halves, or, if it is one second, a few times."""
        chosen = paging.slice.range
        if chosen.seconds > 1:
            log.info("%s The slice %s is divided and looked up again.", error, chosen.name)
            self.close_slice(paging, chosen.split_in_half())
            return
        # Only queries in a row without a new event count (ADR-0015).
        retries = 0 if paging.slice.fresh else self._retries.get(chosen, 0) + 1
        self._retries[chosen] = retries
        if retries > MOST_RETRIES:
            self._give_up(paging, f"its token expired again, and {retries} queries in a row had no new event")
        else:
            self.close_slice(paging, [chosen])

    def _give_up(self, paging: Paging, why: str) -> None:
        """Abandon a stuck slice, which the next attempt looks up again; the other slices continue."""
        stuck = paging.slice.range
        error = StuckLookupError(
            f"Looking up events of {self._state.window.name} is stuck between {stuck.start:%Y-%m-%dT%H:%M:%SZ} "
            f"and {stuck.until:%Y-%m-%dT%H:%M:%SZ}: {why} (page {paging.slice.pages} of the query, "
            f"{self._state.calls} calls in all). The events that were looked up are kept. Clear the task to look "
            f"up this range again. If that does not help, load the window from a trail, or ask AWS Support about "
            f"LookupEvents."
        )
        log.warning("%s", error)
        self.close_slice(paging, (), error)

    def _write_parts(self, paging: Paging) -> None:
        """Write the growing parts of a slice, and begin new ones."""
        state, written = self._state, paging.slice
        # The random number of the query keeps the parts of two attempts at one range apart (ADR-0015).
        name = f"{written.range.name}-{written.query:08d}-{written.pages:06d}"
        with state.changed:
            part, aside = paging.part.join(written.window.start), paging.aside.join(written.window.start)
        # Without the lock, so that the other workers continue.
        parts, asides = self._write(name, part), self._write(f"{name}-aside", aside)
        with state.changed:
            paging.parts += parts
            paging.asides += asides
            paging.part, paging.aside = GrowingPart(), GrowingPart()
            paging.pages_in_parts = written.pages

    def _write(self, name: str, packed: PackedPart | None) -> tuple[Part, ...]:
        if packed is None:
            return ()
        self._checkpoint.begin()
        return (self._staging.write_part(self._state.window, self._state.id, name, packed),)
