"""The checkpoint of a fetch: the state in the state store and in the bucket, for the next attempt.

See docs/adr/0008-parts-are-written-in-pieces.md.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.core.progress import Checkpoint, StateStore
from cloudtrail_elasticsearch.sources.lookup_events.fetch_record import SliceRecord
from cloudtrail_elasticsearch.sources.lookup_events.fetch_state import FetchState
from cloudtrail_elasticsearch.sources.lookup_events.paging import Paging
from cloudtrail_elasticsearch.sources.lookup_events.part_ids import PartIds
from cloudtrail_elasticsearch.sources.lookup_events.restored_slices import decode_record, restore_slices
from cloudtrail_elasticsearch.sources.lookup_events.slices import Slice
from cloudtrail_elasticsearch.sources.lookup_events.strays import Strays
from cloudtrail_elasticsearch.staging import Manifest, Staging

log = logging.getLogger(__name__)

STATE_KEY: Final = "fetch"


class FetchCheckpoint:
    """Saves the state of a fetch, and restores the state that an earlier attempt saved."""

    def __init__(self, state: FetchState, staging: Staging, store: StateStore, key: str = STATE_KEY) -> None:
        self._state = state
        self._staging = staging
        self._checkpoint = _open(state.window, staging, store, key)
        self._saving = threading.Lock()
        self.is_saved = False
        """Whether this attempt or an earlier one has saved a state."""

    def save(self) -> None:
        """Save the slices and the progress of each."""
        with self._saving:  # a later state must not be overwritten by an earlier one of another thread
            # The lock is held only while the record is made: a write to the store takes long.
            with self._state.changed:
                record = self._state.to_record()
            self.is_saved = True
            self._checkpoint.save(record.to_builtins())

    def clear(self) -> None:
        """Remove the saved state, if there is one."""
        if self.is_saved:
            self._checkpoint.clear()

    def restore(self, ids: PartIds) -> None:
        """Fill the state with that of an earlier attempt; damaged slices start again from the beginning."""
        saved = self._checkpoint.load()
        state = self._state
        record = None if saved is None else decode_record(saved, state.window)
        if record is None:
            return
        restored = restore_slices(record, state.window, self._staging)
        self.is_saved = True
        state.id = record.id
        state.attempts = record.attempts + 1
        state.calls, state.throttled = record.calls, record.throttled
        state.strays = Strays(set(record.strays), record.more_strays)
        # Before `open`: `_reopen` reads the retired records.
        state.done, state.retired = restored.done, restored.retired
        state.pool.ranges = restored.pool
        state.open = [_reopen(each, state, ids) for each in restored.open]
        # Observed densities are not saved; the finished slices show them again.
        for each in state.done:
            state.pool.observe((each.floor, each.pages / each.range.seconds))
        log.info(
            "Resuming the fetch of %s: earlier attempts finished %d slices and began %d others.",
            state.window.name,
            len(state.done),
            len(state.open),
        )


def forget_staged(manifest: Manifest, staging: Staging, store: StateStore) -> None:
    """Delete the temporary objects and the state of an attempt that was killed after it wrote the manifest.

    A failure is only logged.
    """
    with log_failed_deletion(manifest.window):
        checkpoint = _open(manifest.window, staging, store, STATE_KEY)
        saved = checkpoint.load()
        if saved is None:
            return
        record = decode_record(saved, manifest.window)
        # Another fetch may still run, and replace this manifest: before Airflow 3.3, all runs share the state.
        if record is None or record.id not in manifest.fetches:
            return
        staging.tidy(manifest.window, manifest, [record.id])
        # Last, because only the state names the objects.
        checkpoint.clear()


@contextmanager
def log_failed_deletion(window: Window) -> Iterator[None]:
    """Log that a staged window's temporary objects cannot be deleted; objects that remain only need space."""
    try:
        yield
    except LoaderError as error:
        log.warning("Could not delete temporary fetch objects of %s: %s", window.name, error)


def _open(window: Window, staging: Staging, store: StateStore, key: str) -> Checkpoint:
    # Airflow's store is keyed by map index, not by region: after a change of the plan it returns another cell's
    # state.
    return Checkpoint(store, key, f"{staging.uri(window)} {window.name}")


def _reopen(record: SliceRecord, state: FetchState, ids: PartIds) -> Paging:
    slice_ = Slice(
        state.whole,
        record.range,
        record.query,
        # Retired queries of this range have staged these events, so they must not count again (ADR-0015).
        known=ids.find_in_range((part for retired in state.retired for part in retired.parts), record.range),
        token=record.token,
        pages=record.pages,
        looked_up=record.looked_up,
        duplicates=record.duplicates,
    )
    # The rest of the query may repeat events of the pages before the restart.
    for part in (*record.parts, *record.asides):
        slice_.add_seen_ids(ids.read(part))
    paging = Paging.for_slice(slice_)
    paging.kept, paging.misplaced, paging.pages_in_parts = record.mark, record.misplaced, record.pages
    paging.parts, paging.asides = record.parts, record.asides
    return paging
