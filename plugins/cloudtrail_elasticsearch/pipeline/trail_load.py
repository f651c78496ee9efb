"""Loads the windows of a batch, and keeps their cells for a further attempt."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.coverage.cells import Cell
from cloudtrail_elasticsearch.core.coverage.days import find_day
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, Run, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.core.loading.loader import Loader
from cloudtrail_elasticsearch.core.loading.report import LoadReport
from cloudtrail_elasticsearch.core.progress import Checkpoint, StateStore
from cloudtrail_elasticsearch.pipeline.load import WindowLoad, make_quiet_cell
from cloudtrail_elasticsearch.pipeline.log_files import LogFiles
from cloudtrail_elasticsearch.pipeline.trail_list import StagingOf
from cloudtrail_elasticsearch.pipeline.trail_plan import BatchWindow
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket
from cloudtrail_elasticsearch.sources.trail.read_ahead import AheadSettings
from cloudtrail_elasticsearch.sources.trail.window_files import WindowFiles
from cloudtrail_elasticsearch.staging import TrailManifest, TrailStaging

Work = Callable[[WindowLoad], Cell]
"""What to do with a window."""

_FRESH: Final = timedelta(hours=6)
"""The age of an earlier attempt's cell that is not verified again: retries follow within minutes."""


class DayLedger(Ledger):
    """A ledger without documents for the parts of a day: the coverage task merges their cells."""

    def record_loading(self, window: Window, run: Run | None) -> None:
        """Record that a task is loading a day, or a part of it."""
        super().record_loading(find_day(window), run)

    def record_verified(self, found: VerifiedCell) -> None:
        """Record the figures of a whole day, which were just verified on the server."""
        if found.cell.window.is_day:
            super().record_verified(found)


class _Memory:
    """Lets threads hold log files of a bounded size together; one that needs more than the bound works alone."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = size
        self._changed = threading.Condition()

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Wait until so many bytes are free, and hold them."""
        size = min(size, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()


class BatchLoad:
    """One attempt at loading the windows of a batch. Threads may share it.

    :param connect: returns the loader and the ledger; it is called only if a window has log files
    :param store: keeps the progress for a further attempt
    :param run: the task of the attempt, for the ledger
    :param on_sent: takes each window and the outcomes of the events that were sent for it
    """

    def __init__(
        self,
        bucket: TrailBucket,
        staging_of: StagingOf,
        connect: Callable[[], tuple[Loader, DayLedger]],
        store: StateStore,
        run: Run | None,
        work: Work,
        on_sent: Callable[[Window, LoadReport], None],
    ) -> None:
        self._bucket = bucket
        self._staging_of = staging_of
        self._connect = connect
        self._store = store
        self._run = run
        self._work = work
        self._on_sent = on_sent
        self._kept: list[Checkpoint] = []
        self._memory = _Memory(AheadSettings().bytes)
        self._connecting = threading.Lock()
        self._services: tuple[Loader, DayLedger] | None = None

    def find_quiet(self, asked: BatchWindow) -> VerifiedCell | None:
        """Return the cell of a window without log files; None if it has some.

        :raises StagingError: the window is not listed
        """
        manifest, _ = self._read_manifest(asked)
        if manifest.files:
            return None
        with closing(LogFiles(manifest, lambda: WindowFiles(manifest, self._bucket))) as source:
            return make_quiet_cell(source, self._run)

    def load(self, asked: BatchWindow) -> VerifiedCell:
        """Load a window with log files, and return its cell.

        A window that an earlier attempt of this task has loaded without a problem is not read again.

        :raises LoaderError: as `pipeline.trail.load_window` raises
        """
        manifest, staging = self._read_manifest(asked)
        loader, ledger = self._connect_once()
        name = _name_window(manifest.window)
        checkpoint = self._open_checkpoint(manifest, f"cell-{name}", loader.target)
        earlier = _read_cell(checkpoint.load(), manifest.window)
        if earlier is not None:
            self._kept.append(checkpoint)
            return earlier
        with (
            self._memory.take(manifest.bytes),
            closing(LogFiles(manifest, lambda: WindowFiles(manifest, self._bucket))) as source,
        ):
            # A key for each window, because several windows are loaded at once.
            load = WindowLoad(source, staging, loader, ledger, self._store, self._run, f"load-{name}")
            try:
                self._work(load)
            finally:
                self._on_sent(manifest.window, load.sent)
        assert load.found is not None  # noqa: S101 - the work has found it
        if load.found.cell.problem is None:
            checkpoint.save(msgspec.to_builtins(load.found.to_dict()))
            self._kept.append(checkpoint)
        return load.found

    def forget(self) -> None:
        """Remove the cells that were kept for a further attempt, because there will be none."""
        for checkpoint in self._kept:
            checkpoint.clear()

    def _connect_once(self) -> tuple[Loader, DayLedger]:
        with self._connecting:
            if self._services is None:
                self._services = self._connect()
            return self._services

    def _read_manifest(self, asked: BatchWindow) -> tuple[TrailManifest, TrailStaging]:
        staging = self._staging_of(asked.region.root)
        manifest = staging.manifest(asked.window)
        if manifest is None:
            raise StagingError(
                f"{asked.window.name} is not listed in {staging.uri(asked.window)}: run its list task first."
            )
        return manifest, staging

    def _open_checkpoint(self, manifest: TrailManifest, key: str, target: str) -> Checkpoint:
        # Another run can share the store, and its work can be another one, such as a replay.
        run = self._run
        named = "" if run is None else f"{run.dag_id} {run.run_id} {run.task_id}"
        about = f"{target} {manifest.root} {manifest.listed_at.isoformat()} {named}"
        return Checkpoint(self._store, key, hashlib.sha256(about.encode()).hexdigest())


def _name_window(window: Window) -> str:
    return f"{window.account}-{window.region}-{window.start:%Y%m%dT%H%M}"


def _read_cell(kept: Mapping[str, Any] | None, window: Window) -> VerifiedCell | None:
    found = VerifiedCell.from_dict(dict(kept)) if kept else None
    is_fresh = found is not None and found.cell.window == window and datetime.now(UTC) - found.at < _FRESH
    return found if is_fresh else None
