"""The checkpoints of a fetch: the newest pages and the progress, for the next attempt (ADR-0008)."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Final

import msgspec

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.encoding import typed
from cloudtrail_elasticsearch.core.errors import LoaderError, StagingError
from cloudtrail_elasticsearch.core.once import make_once
from cloudtrail_elasticsearch.core.progress import Checkpoint, StateStore
from cloudtrail_elasticsearch.sources.lookup_events.fetch_record import FetchRecord, Saved, SliceRecord
from cloudtrail_elasticsearch.sources.lookup_events.fetch_state import FetchState
from cloudtrail_elasticsearch.sources.lookup_events.growing_part import GrowingPart
from cloudtrail_elasticsearch.sources.lookup_events.paging import Paging
from cloudtrail_elasticsearch.sources.lookup_events.part_ids import PartIds
from cloudtrail_elasticsearch.sources.lookup_events.slices import Range, Slice
from cloudtrail_elasticsearch.sources.lookup_events.strays import Strays
from cloudtrail_elasticsearch.staging import Manifest, Staging
from cloudtrail_elasticsearch.staging.parts import digest, pack, unpack

log = logging.getLogger(__name__)

STATE_KEY: Final = "fetch"

SECONDS_BETWEEN: Final = 10.0
"""The time between two checkpoints, so that a kill costs the calls of about as many seconds (ADR-0008)."""

_READERS: Final = 8

_decode_record: Final = typed.make_decode(FetchRecord)


class FetchCheckpoint:
    """Saves the progress of a fetch, and restores the progress that an earlier attempt saved."""

    def __init__(self, state: FetchState, staging: Staging, store: StateStore, key: str = STATE_KEY) -> None:
        self._state = state
        self._staging = staging
        self._checkpoint = _open(state.window, staging, store, key)
        self._saved = _load(self._checkpoint, state.window)
        if self._saved is not None:
            state.id = self._saved.id
            state.attempts = self._saved.attempts + 1
        self._due: float | None = None
        """The time of the next checkpoint; None before the fetch's id is saved."""
        self._count = 0
        # Two attempts at once must not use the same names.
        self._name = f"checkpoint-{secrets.token_hex(4)}"

    @property
    def is_saved(self) -> bool:
        """Whether the state store has this fetch, from this attempt or an earlier one."""
        return self._saved is not None

    def begin(self) -> None:
        """Save the fetch's id before the first object, which only an attempt with the same id can delete."""
        with self._state.changed:
            if self._due is not None:
                return
            self._due = time.monotonic() + SECONDS_BETWEEN
            saved = self._saved or Saved(self._state.id, 1)
            self._store(msgspec.structs.replace(saved, attempts=self._state.attempts))

    def save_if_due(self) -> None:
        """Write a checkpoint if the newest one is old."""
        with self._state.changed:
            if self._due is None or time.monotonic() < self._due:
                return
            # So no other worker writes one at the same time, or after this one has failed: it would need it.
            self._due = float("inf")
        self.save()
        self._due = time.monotonic() + SECONDS_BETWEEN

    def save(self) -> None:
        """Write a checkpoint: the pages since the newest one, and the record of the fetch.

        It is one object, because each write costs as much processor time as a call.
        """
        self.begin()
        state, body = self._state, bytearray()
        self._count += 1
        key = self._staging.object_key(state.window, state.id, f"{self._name}-{self._count:06d}.gz")
        with state.changed:
            record = pack(msgspec.json.encode(state.to_record(key, body)))
        # Without the lock, so that the other workers continue.
        self._staging.bucket.create(key, bytes(body + record), "application/gzip")
        self._store(Saved(state.id, state.attempts, key, len(body), digest(record)))

    def clear(self) -> None:
        """Remove the saved progress, if there is some."""
        if self.is_saved:
            self._checkpoint.clear()

    def restore(self, ids: PartIds) -> bool:
        """Fill the state with that of the newest checkpoint; return false if there is none.

        Ranges with a damaged object are looked up again.
        """
        state = self._state
        record = self._read_record()
        if record is None:
            return False
        slices = (*record.retired, *record.done, *record.open)
        # Several slices have members in one checkpoint, which is read once.
        keys = {member.part.key for each in record.open for member in (*each.members, *each.aside_members)}
        readers = {key: make_once(partial(self._staging.read_checkpoint, key)) for key in keys}
        with ThreadPoolExecutor(_READERS, thread_name_prefix="restore") as pool:
            read = zip(slices, pool.map(lambda each: self._read_slice(each, readers), slices), strict=True)
            sound = {each: growing for each, growing in read if growing is not None}
        # A slice skips the events of retired queries of its range, so it is not usable if one of these is damaged.
        gone = [each.range for each in record.retired if each not in sound]

        def is_usable(slice_: SliceRecord) -> bool:
            return slice_ in sound and not any(map(slice_.range.overlaps, gone))

        state.calls, state.throttled = record.calls, record.throttled
        state.strays = Strays(set(record.strays), record.more_strays)
        state.retired = [each for each in record.retired if each in sound]
        state.done = [each for each in record.done if is_usable(each)]
        state.open = [self._reopen(each, sound[each], ids) for each in record.open if is_usable(each)]
        lost = (each.range for each in record.done + record.open if not is_usable(each))
        state.pool.ranges = [*record.pool, *lost]
        # Observed densities are not saved; the finished slices show them again.
        for each in state.done:
            state.pool.observe((each.floor, each.pages / each.range.seconds))
        log.info(
            "Resuming the fetch of %s: earlier attempts finished %d slices and began %d others.",
            state.window.name,
            len(state.done),
            len(state.open),
        )
        return True

    def _store(self, saved: Saved) -> None:
        self._saved = saved
        self._checkpoint.save(msgspec.to_builtins(saved))

    def _read_slice(
        self, record: SliceRecord, readers: Mapping[str, Callable[[], bytes]]
    ) -> list[GrowingPart] | None:
        """Check the parts of a slice and return the growing ones; None if an object is missing or damaged."""
        staging, window = self._staging, self._state.window
        try:
            # The manifest will name these parts, so a missing one must be noticed now.
            for part in (*record.parts, *record.asides):
                staging.lines(part)
            return [
                GrowingPart([(each, each.cut(readers[each.part.key]())) for each in members])
                for members in (record.members, record.aside_members)
            ]
        except StagingError as error:
            log.warning("%s The slice %s of %s is looked up again.", error, record.range.name, window.name)
            return None

    def _reopen(self, record: SliceRecord, growing: list[GrowingPart], ids: PartIds) -> Paging:
        state = self._state
        retired = (part for each in state.retired for part in each.parts)
        slice_ = Slice(
            state.whole,
            record.range,
            record.query,
            # Retired queries of this range have staged these events, so they must not count again (ADR-0015).
            known=ids.find_in_range(retired, record.range),
            token=record.token,
            pages=record.pages,
            looked_up=record.looked_up,
            duplicates=record.duplicates,
            is_done=record.token is None,
        )
        # The rest of the query may repeat events of the pages before the restart.
        for part in (*record.parts, *record.asides):
            slice_.seen.update(ids.read(part))
        for each in growing:
            slice_.seen.update(each.read_ids())
        unfinished, aside = growing
        return Paging(
            slice_, unfinished, aside, record.pages_in_parts, record.parts, record.asides, record.misplaced
        )

    def _read_record(self) -> FetchRecord | None:
        saved, window = self._saved, self._state.window
        if saved is None or not saved.checkpoint:
            return None
        try:
            packed = saved.cut(self._staging.read_checkpoint(saved.checkpoint))
            record = _decode_record(b"".join(unpack(packed, None)))
        except (StagingError, ValueError, msgspec.MsgspecError) as error:
            log.warning("%s The progress is lost: all of %s is looked up again.", error, window.name)
            return None
        if not _is_whole(record, Range.between(window.start, window.end)):
            log.warning("The saved progress of %s has gaps or overlaps. Starting from the beginning.", window.name)
            return None
        return record


def forget_staged(manifest: Manifest, staging: Staging, store: StateStore) -> None:
    """Delete the temporary objects and the state of an attempt that was killed after it wrote the manifest.

    A failure is only logged.
    """
    with log_failed_deletion(manifest.window):
        checkpoint = _open(manifest.window, staging, store, STATE_KEY)
        saved = _load(checkpoint, manifest.window)
        # Another fetch may still run, and replace this manifest.
        if saved is not None and saved.id in manifest.fetches:
            staging.tidy(manifest.window, manifest, [saved.id])
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


def _load(checkpoint: Checkpoint, window: Window) -> Saved | None:
    saved = checkpoint.load()
    try:
        return None if saved is None else typed.convert(saved, Saved)
    except msgspec.ValidationError as error:
        log.warning("The saved progress of %s is damaged (%s). Starting from the beginning.", window.name, error)
        return None


def _is_whole(record: FetchRecord, whole: Range) -> bool:
    """Return whether a record has each second of a window exactly once.

    Otherwise its events would be missing, or looked up twice.
    """
    slices = record.open + record.done
    ranges = sorted([*record.pool, *(each.range for each in slices)])
    ends = [whole.floor, *(each.end for each in ranges)]
    return (
        [each.floor for each in ranges] == ends[:-1]
        and ends[-1] == whole.end
        and all(each.seconds > 0 for each in ranges)
        # A finished query without pages would make its range look like one without events.
        and all(each.pages > 0 for each in slices + record.retired)
    )
