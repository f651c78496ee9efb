"""The pager of a fetch: requests the pages of slices, and stages them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from cloudtrail_elasticsearch.core.errors import ExpiredPageError, LoaderError, StuckLookupError
from cloudtrail_elasticsearch.core.progress_log import ProgressLog
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.fetch_checkpoint import FetchCheckpoint
from cloudtrail_elasticsearch.sources.lookup_events.fetch_record import SliceRecord
from cloudtrail_elasticsearch.sources.lookup_events.fetch_state import FetchState
from cloudtrail_elasticsearch.sources.lookup_events.paging import Paging
from cloudtrail_elasticsearch.sources.lookup_events.slices import Range
from cloudtrail_elasticsearch.staging import Staging
from cloudtrail_elasticsearch.staging.parts import StagedPage

log = logging.getLogger(__name__)

# 5,000 events: a part of one page would be too small to load well (ADR-0008).
PAGES_PER_PART: Final = 100
PAGES_PER_SLICE: Final = 1_000
"""A slice with more pages is always divided: this bounds its ids in memory, and the cost of a damaged record."""

MOST_RETRIES: Final = 3
"""The most queries in a row for one second whose token expires before they return a new event."""


class Pager:
    """Pages slices. One worker at a time pages a slice; several workers page different slices in parallel.

    Every page is in S3 before the next one of its slice is requested (ADR-0008).
    """

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
        """Process the next page of a slice: a page that an earlier attempt has stored, or AWS's answer.

        :raises AccessDeniedError: cloudtrail:LookupEvents is not allowed
        :raises TransientError: AWS throttles or fails for longer than the source's patience
        """
        state = self._state
        try:
            page = self._read_kept(paging) or self._ask(paging)
        except ExpiredPageError as error:
            self._restart(paging, error)
            return
        with state.changed:
            # Under the lock, because other workers read the slice's estimates when they choose a slice.
            found = paging.slice.accept_page(page.events, page.head.token)
            state.strays.add(found.strays)
            state.changed.notify_all()
        # Without the lock: packing takes long, and only this worker has the slice.
        misplaced = paging.add(found, page.head.misplaced)
        state.misplaced_example = state.misplaced_example or next(iter(misplaced), "")
        if paging.slice.stuck:
            self._give_up(paging, paging.slice.stuck)
        elif paging.slice.is_done or paging.pages_since_kept >= PAGES_PER_PART:
            self._finish_part(paging)
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
        # Before the state changes: a state that names a part which was not written would lose its events.
        record = self._write(paging)
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
        # Pages are deleted after this: until the state names the part, another attempt needs them (ADR-0008).
        self._checkpoint.save()
        self._drop_pages(paging.page_names() if paging.has_kept_pages else [])
        with state.changed:
            state.changed.notify_all()

    def _read_kept(self, paging: Paging) -> StagedPage | None:
        """Return a page that an earlier attempt has stored; None if it is missing or damaged."""
        state = self._state
        if paging.page_name not in state.kept_pages:
            return None
        page = self._staging.page(state.window, state.id, paging.page_name, paging.head)
        paging.has_kept_pages |= page is not None
        return page

    def _ask(self, paging: Paging) -> StagedPage:
        state, asked = self._state, paging.slice
        # The window's first page, and a stored page that proved damaged, come without a slot.
        if not paging.has_slot:
            self._source.limiter.acquire()
        answer = self._source.request_page(state.window, asked.range.start, asked.range.until, asked.token)
        began = time.monotonic()
        with state.changed:
            state.calls += answer.calls
            state.throttled += answer.throttled
        head = replace(paging.head, token=answer.token, misplaced=answer.misplaced)
        page = StagedPage(head, answer.events)
        if answer.token:  # the last page of a slice goes into a part at once, so it needs no object of its own
            # Without the saved id of this fetch, no later attempt would find the page (ADR-0008).
            if not self._checkpoint.is_saved:
                self._checkpoint.save()
            # Another attempt may have stored this page first. Both must continue with the same events (ADR-0008).
            page = self._staging.keep_page(state.window, state.id, paging.page_name, page)
            paging.has_kept_pages = True
        state.times.observe(answer.seconds + time.monotonic() - began)
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

    def _finish_part(self, paging: Paging) -> None:
        """Stage the unfinished parts of a slice, and save the slice's progress."""
        state = self._state
        is_all = paging.slice.is_done and paging.slice.range == state.whole
        pages = paging.page_names() if paging.has_kept_pages else []
        # A slice that is the whole window needs no record: the manifest follows at once.
        record = paging.write_parts(state.window, state.id, self._staging) if is_all else self._write(paging)
        with state.changed:
            # Only now, after the part was written, may the slice count as done; otherwise a failed write loses its
            # events.
            paging.kept = record.mark
            if paging.slice.is_done:
                state.open.remove(paging)
                state.done.append(record)
                state.pool.observe(paging.slice.density)
            state.changed.notify_all()
        # Nothing of this slice was saved; `clean_up` deletes its pages after the manifest is written.
        if is_all:
            return
        self._checkpoint.save()
        self._drop_pages(pages)
        paging.has_kept_pages = False

    def _write(self, paging: Paging) -> SliceRecord:
        """Stage a slice's unfinished parts and its record, and return the record."""
        state = self._state
        record = paging.write_parts(state.window, state.id, self._staging)
        if not record.is_empty or paging.slice.is_done or record.pages:
            self._staging.write_slice(state.window, state.id, record.mark.name, record)
        return record

    def _drop_pages(self, names: list[str]) -> None:
        try:
            self._staging.drop_pages(self._state.window, self._state.id, names)
        except LoaderError as error:
            # The pages only need space now, and `clean_up` deletes what is left.
            log.warning("Could not delete stored pages whose events are now in a part: %s", error)
