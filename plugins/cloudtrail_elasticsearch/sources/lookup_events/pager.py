"""The pager of a fetch: requests the pages of slices, and stages them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Final

from cloudtrail_elasticsearch.core.errors import ExpiredPageError, StuckLookupError
from cloudtrail_elasticsearch.core.progress_log import ProgressLog
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents, Page
from cloudtrail_elasticsearch.sources.lookup_events.fetch_checkpoint import FetchCheckpoint
from cloudtrail_elasticsearch.sources.lookup_events.fetch_record import SliceRecord
from cloudtrail_elasticsearch.sources.lookup_events.fetch_state import FetchState
from cloudtrail_elasticsearch.sources.lookup_events.paging import Paging
from cloudtrail_elasticsearch.sources.lookup_events.slices import Range, Slice
from cloudtrail_elasticsearch.staging import Staging

log = logging.getLogger(__name__)

SECONDS_UNWRITTEN: Final = 10.0
"""A page is written when it is this old, so that a kill costs the calls of about as many seconds (ADR-0008)."""

# 5,000 events: parts of a few pages would be too small to load well (ADR-0008).
PAGES_PER_PART: Final = 100

PAGES_PER_SLICE: Final = 1_000
"""A slice with more pages is always divided: this bounds its ids in memory, and the cost of a damaged record."""

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
        try:
            page = self._ask(paging.slice)
        except ExpiredPageError as error:
            self._restart(paging, error)
            return
        with state.changed:
            # Under the lock, because other workers read the slice's estimates when they choose a slice.
            found = paging.slice.accept_page(page.events, page.token)
            state.strays.add(found.strays)
            state.changed.notify_all()
        # Without the lock: packing takes long, and only this worker has the slice.
        misplaced = paging.add(found, page.misplaced)
        state.misplaced_example = state.misplaced_example or next(iter(misplaced), "")
        if paging.unwritten_pages == 1:
            paging.unwritten_since = time.monotonic()
        if paging.slice.stuck:
            self._give_up(paging, paging.slice.stuck)
        elif paging.slice.is_done or paging.growing_pages >= PAGES_PER_PART or _is_overdue(paging):
            self._save_progress(paging)
        self._progress_log.log(state.looked_up, state.share_done)

    def write_overdue(self) -> None:
        """Write the pages of an idle slice whose oldest unwritten page is too old, if there is such a slice."""
        state = self._state
        with state.changed:
            overdue = next(filter(_is_overdue, state.find_idle_slices()), None)
            if overdue is None:
                return
            overdue.mark_taken()
        self._save_progress(overdue)
        self.release(overdue)

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
        # Before the state changes: a state that names a part which was not written would lose its events.
        record = self._write(paging, is_last=True)
        with state.changed:
            # One step under the lock, so that each second stays in exactly one of `pool`, `open`, `done` and
            # `stuck`.
            state.open.remove(paging)
            if error is not None:
                state.stuck.append((paging.slice.range, error))
            state.pool.observe(paging.slice.density)
            state.pool.ranges.extend(again)
            # Nothing to compare with in an empty record, so the state store need not hold it.
            if not record.is_empty:
                state.retired.append(record)
            state.changed.notify_all()
        self._checkpoint.save()

    def _ask(self, asked: Slice) -> Page:
        state = self._state
        page = self._source.request_page(state.window, asked.range.start, asked.range.until, asked.token)
        with state.changed:
            state.calls += page.calls
            state.throttled += page.throttled
        state.times.observe(page.seconds)
        return page

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

    def _save_progress(self, paging: Paging) -> None:
        """Write the pages of a slice that are not written yet, and save the slice's progress."""
        state = self._state
        # A slice that is the whole window needs no record: the manifest follows at once.
        is_done = paging.slice.is_done
        is_all = is_done and paging.slice.range == state.whole
        if is_all:
            record = paging.write_parts(state.window, state.id, self._staging)
        else:
            record = self._write(paging, is_last=is_done)
        with state.changed:
            # The slice is done only after its events were written; otherwise a failed write would lose them.
            paging.kept = record.mark
            if is_done:
                state.open.remove(paging)
                state.done.append(record)
                state.pool.observe(paging.slice.density)
            state.changed.notify_all()
        if not is_all:
            self._checkpoint.save()

    def _write(self, paging: Paging, *, is_last: bool) -> SliceRecord:
        """Stage a slice's events and its record, and return the record.

        :param is_last: whether the slice gets no further page
        """
        state = self._state
        # Before the first object, because only an attempt that has this fetch's id can delete it (ADR-0008).
        if not self._checkpoint.is_saved:
            self._checkpoint.save()
        is_whole = is_last or paging.growing_pages >= PAGES_PER_PART
        write = paging.write_parts if is_whole else paging.write_pieces
        record = write(state.window, state.id, self._staging)
        if record.pages:
            self._staging.write_slice(state.window, state.id, record.mark.name, record)
        return record


def _is_overdue(paging: Paging) -> bool:
    return paging.unwritten_pages > 0 and time.monotonic() - paging.unwritten_since >= SECONDS_UNWRITTEN
