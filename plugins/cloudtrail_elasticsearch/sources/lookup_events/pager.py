"""The pager of a fetch: requests the pages of slices, and stages them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from cloudtrail_elasticsearch.core.errors import ExpiredPageError, StuckLookupError
from cloudtrail_elasticsearch.core.progress_log import ProgressLog
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents, Page
from cloudtrail_elasticsearch.sources.lookup_events.fetch_checkpoint import FetchCheckpoint
from cloudtrail_elasticsearch.sources.lookup_events.fetch_state import FetchState
from cloudtrail_elasticsearch.sources.lookup_events.paging import Paging
from cloudtrail_elasticsearch.sources.lookup_events.slices import Range, Slice
from cloudtrail_elasticsearch.staging import Part, Staging
from cloudtrail_elasticsearch.staging.parts import PackedPart

log = logging.getLogger(__name__)

# 5,000 events: parts of a few pages would be too small to load well (ADR-0008).
PAGES_PER_PART: Final = 100

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
        state = self._state
        # An earlier attempt was killed between the last page and the part.
        if paging.slice.is_done:
            self._finish(paging)
            return
        try:
            page = self._ask(paging.slice)
        except ExpiredPageError as error:
            self._restart(paging, error)
            return
        with state.changed:
            # Under the lock, because other workers read the slice's estimates when they choose a slice, and a
            # checkpoint must have a page's events if it has the token after the page.
            found = paging.slice.accept_page(page.events, page.token)
            state.strays.add(found.strays)
            misplaced = paging.add(found, page.misplaced)
            state.misplaced_example = state.misplaced_example or next(iter(misplaced), "")
            state.changed.notify_all()
        if paging.slice.stuck:
            self._give_up(paging, paging.slice.stuck)
        elif paging.slice.is_done:
            self._finish(paging)
        elif paging.growing_pages >= PAGES_PER_PART:
            self._write_parts(paging)
        self._progress_log.log(state.looked_up, state.share_done)

    def release(self, paging: Paging) -> None:
        """Return a slice to the other workers; divide it first if it is marked for division or too large."""
        # A slice that is done or retired cannot be divided.
        if paging in self._state.open:
            is_too_large = paging.slice.pages >= PAGES_PER_SLICE
            if (paging.is_to_divide or is_too_large) and paging.slice.range.seconds > 1:
                self.retire(paging, paging.slice.range.split_in_half())
        with self._state.changed:
            paging.is_taken = False
            self._state.changed.notify_all()

    def retire(self, paging: Paging, again: Iterable[Range], error: StuckLookupError | None = None) -> None:
        """Abandon a slice's query: its staged events stay, and other queries look up the ranges in `again`.

        :param error: the reason, if no other query of this attempt looks up the slice's range
        """
        state = self._state
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
                state.retired.append(record)
            state.changed.notify_all()

    def _ask(self, asked: Slice) -> Page:
        state = self._state
        page = self._source.request_page(state.window, asked.range.start, asked.range.until, asked.token)
        with state.changed:
            state.calls += page.calls
            state.throttled += page.throttled
        state.times.observe(page.seconds)
        return page

    def _finish(self, paging: Paging) -> None:
        """Write the last part of a slice whose query has ended."""
        state = self._state
        # First: the slice is done only after its events were written; otherwise a failed write would lose them.
        self._write_parts(paging)
        with state.changed:
            state.open.remove(paging)
            state.done.append(paging.to_record())
            state.pool.observe(paging.slice.density)
            state.changed.notify_all()

    def _restart(self, paging: Paging, error: ExpiredPageError) -> None:
        """Look up a slice again after its token expired: in halves, or, if it is one second, a few times."""
        chosen = paging.slice.range
        if chosen.seconds > 1:
            log.info("%s The slice %s is divided and looked up again.", error, chosen.name)
            self.retire(paging, chosen.split_in_half())
            return
        # Only queries in a row without a new event count (ADR-0015).
        retries = 0 if paging.slice.fresh else self._retries.get(chosen, 0) + 1
        self._retries[chosen] = retries
        if retries > MOST_RETRIES:
            self._give_up(paging, f"its token expired again, and {retries} queries in a row had no new event")
        else:
            self.retire(paging, [chosen])

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
        self.retire(paging, (), error)

    def _write_parts(self, paging: Paging) -> None:
        """Write the growing parts of a slice, and begin new ones."""
        with self._state.changed:
            wholes = (("", paging.part.join()), ("-aside", paging.aside.join()))
        parts, asides = (self._write(f"{paging.part_name}{kind}", whole) for kind, whole in wholes)
        with self._state.changed:
            paging.begin_parts(parts, asides)

    def _write(self, name: str, packed: PackedPart | None) -> tuple[Part, ...]:
        if packed is None:
            return ()
        self._checkpoint.begin()
        return (self._staging.write_part(self._state.window, self._state.id, name, packed),)
