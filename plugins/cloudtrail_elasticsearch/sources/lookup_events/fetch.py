"""Fetch: looks up a window's slices in parallel, within the region's quota, and stages parts and a manifest.

A slice ends when its own query ends; nothing is inferred from the order of answers
(docs/adr/0015-a-slice-ends-when-its-query-ends.md). Every ten seconds, a worker writes the new pages of all slices
as a checkpoint (docs/adr/0008-a-fetch-writes-checkpoints.md). After a kill, the next attempt requests again only
the pages after the checkpoint.

`fetch_state` holds the slices, `scheduler` chooses the next one, `pager` requests its page, `fetch_checkpoint`
saves and restores the progress, and `fetch_result` makes the manifest.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import StagingError, TransientError
from cloudtrail_elasticsearch.core.progress import StateStore
from cloudtrail_elasticsearch.core.side_by_side import HoldMemory
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.fetch_checkpoint import (
    STATE_KEY,
    FetchCheckpoint,
    log_failed_deletion,
)
from cloudtrail_elasticsearch.sources.lookup_events.fetch_result import make_manifest, publish_manifest
from cloudtrail_elasticsearch.sources.lookup_events.fetch_state import ID_TIME, FetchState
from cloudtrail_elasticsearch.sources.lookup_events.pager import Pager
from cloudtrail_elasticsearch.sources.lookup_events.part_ids import PartIds
from cloudtrail_elasticsearch.sources.lookup_events.quota_sharing import QuotaSharing
from cloudtrail_elasticsearch.sources.lookup_events.scheduler import MOST_SLICES, Scheduler
from cloudtrail_elasticsearch.sources.lookup_events.sharers import Sharers
from cloudtrail_elasticsearch.staging import Manifest, Staging

log = logging.getLogger(__name__)


def fetch(
    window: Window,
    source: LookupEvents,
    staging: Staging,
    store: StateStore,
    hold_memory: HoldMemory = nullcontext,
) -> Manifest:
    """Look up every event of a window and stage it; the manifest is written last.

    Events that an earlier attempt has looked up, according to the state store, are not looked up again.

    :param hold_memory: returns a context within which a window of several pages is looked up
    :raises AccessDeniedError: a permission is missing
    :raises StuckLookupError: AWS's answers to a query make no progress
    :raises TransientError: AWS throttles or fails for longer than the source's patience
    """
    # Read before the lookup: the manifest is written only if this object is still the current one (ADR-0008).
    standing = staging.standing(window)
    attempt = FetchAttempt(window, source, staging, store, hold_memory)
    if standing.manifest is not None and standing.manifest.fetch == attempt.id:
        # All attempts of a fetch share its id, so only the temporary objects are left to delete.
        log.info("%s is already staged: an earlier attempt wrote the manifest and then ended.", window.name)
        return attempt.clean_up(standing.manifest)
    if standing.manifest is not None and attempt.is_outdated(standing.manifest):
        log.info("%s was staged again since this fetch began. Starting from the beginning.", window.name)
        attempt.clean_up(standing.manifest)
        attempt = FetchAttempt(window, source, staging, store, hold_memory)
    manifest = publish_manifest(attempt.run(), standing, staging)
    replaced = standing.manifest.fetches if standing.manifest else ()
    return attempt.clean_up(manifest, replaced)


class FetchAttempt:
    """One attempt at looking up a window; it resumes where an earlier one ended."""

    def __init__(
        self,
        window: Window,
        source: LookupEvents,
        staging: Staging,
        store: StateStore,
        hold_memory: HoldMemory = nullcontext,
        state_key: str = STATE_KEY,
    ) -> None:
        self._hold_memory = hold_memory
        self._source = source
        self._staging = staging
        self._ids = PartIds(staging)
        self._state = FetchState(window)
        self._checkpoint = FetchCheckpoint(self._state, staging, store, state_key)
        self._scheduler = Scheduler(self._state, self._ids, source.limiter)
        self._pager = Pager(self._state, self._checkpoint, source, staging)

    @property
    def id(self) -> str:
        """The fetch's id, which all of its attempts share."""
        return self._state.id

    def is_outdated(self, manifest: Manifest) -> bool:
        """Return whether another fetch has staged the window since the first attempt of this one began.

        A sweep can have found late events meanwhile, of seconds that this fetch has looked up before.
        """
        # The id begins with the time. All attempts decide alike, because they compare stored values.
        is_older = self.id < f"{manifest.staged_at:{ID_TIME}}"
        return self._checkpoint.is_saved and is_older

    def run(self) -> Manifest:
        """Look up the rest of the window and return the manifest to be published.

        :raises TransientError: an object of this fetch was removed or altered meanwhile
        """
        window = self._state.window
        try:
            self._look_up()
            return make_manifest(self._state, self._ids, self._staging)
        except StagingError as error:
            # Other staging errors are final for Airflow. This one is not: a new attempt looks up damaged ranges
            # again.
            raise TransientError(
                f"An object in {self._staging.uri(window)} was deleted or altered while {window.name} was looked "
                f"up; another attempt may have finished the fetch. The next attempt uses that attempt's manifest, "
                f"or looks up damaged ranges again."
            ) from error

    def clean_up(self, manifest: Manifest, replaced: Iterable[str] = ()) -> Manifest:
        """Delete temporary objects after a manifest is published, and return the manifest.

        A failed deletion is only logged.

        :param replaced: ids of earlier fetches; those of their parts that the manifest does not name are deleted
        """
        window = self._state.window
        # A window without events has no objects, so it needs no listing, unless another run's manifest is used.
        is_saved = self._checkpoint.is_saved
        fetches = {*replaced, *((self.id,) if is_saved or manifest.fetch != self.id else ())}
        with log_failed_deletion(window):
            self._staging.tidy(window, manifest, fetches)
        # Last, because only the state names the objects: another attempt deletes them if this one is killed.
        self._checkpoint.clear()
        log.info(
            "Staged %s: %d events in %d parts, %d calls, %d of them throttled.",
            window.name,
            manifest.staged,
            len(manifest.parts),
            manifest.calls,
            manifest.throttled,
        )
        return manifest

    def _look_up(self) -> None:
        state = self._state
        is_resumed = self._checkpoint.is_saved
        if not is_resumed:
            self._probe()
        if is_resumed or not state.is_finished:
            with self._hold_memory():
                if is_resumed and not self._checkpoint.restore(self._ids):
                    self._probe()
                if not state.is_finished:
                    self._page_side_by_side()
        # Raised last, so that a stuck slice does not keep the others from being looked up (ADR-0015).
        if state.stuck:
            self._checkpoint.save()
            raise state.stuck[0][1]

    def _probe(self) -> None:
        """Request the first page with one query of the whole window, so that a quiet window costs one call."""
        probe = self._state.open_slice(self._state.whole, 1.0)
        self._source.limiter.acquire()
        self._pager.take_page(probe)
        # The first page shows the latency and the density, which decide whether dividing saves time (ADR-0015).
        if probe in self._state.open and self._scheduler.pays_to_divide(probe, 0):
            self._pager.close_slice(probe, self._state.whole.split_in_half())

    def _page_side_by_side(self) -> None:
        # Before the first page, so that the next attempt has this fetch's id (ADR-0008).
        self._checkpoint.begin()
        sharing = QuotaSharing(Sharers(self._staging, self._state.window), self._state.id, self._source.limiter)
        with sharing, ThreadPoolExecutor(MOST_SLICES, thread_name_prefix="slice") as pool:
            workers = [pool.submit(self._page_slices) for _ in range(MOST_SLICES)]
            try:
                for worker in workers:
                    worker.result()
            finally:
                # Leaving the `with` block waits for the workers, so they must stop before.
                self._scheduler.stop()

    def _page_slices(self) -> None:
        try:
            while paging := self._scheduler.next_slice():
                self._pager.take_page(paging)
                self._pager.release(paging)
                self._checkpoint.save_if_due()
        except BaseException:
            # Otherwise the other workers would continue, or wait without end for a slice.
            self._scheduler.stop()
            raise
