"""Loads the windows of a batch, whichever their source, and keeps their progress for a further attempt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, Generic, Protocol, TypeVar

from cloudtrail_elasticsearch.core.coalescer import Coalescer
from cloudtrail_elasticsearch.core.coverage.cells import Cell
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, Run, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.joint_progress import open_batch_progress
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.core.loading.places import Place, locate_line
from cloudtrail_elasticsearch.core.loading.report import LoadReport
from cloudtrail_elasticsearch.core.once import make_once
from cloudtrail_elasticsearch.core.progress import StateStore
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.core.side_by_side import HoldMemory
from cloudtrail_elasticsearch.pipeline.load import CellLedger, LoadRecords, WindowLoad, make_quiet_cell
from cloudtrail_elasticsearch.pipeline.sources import WindowSource

Work = Callable[[WindowLoad], Cell]
"""What to do with a window."""

Locate = Callable[[bytes], Place]
"""Returns the place of a line."""

_FRESH: Final = timedelta(hours=6)
"""The age of an earlier attempt's cell that is not verified again: retries follow within minutes."""

_MEMORY: Final = 64 * 1024 * 1024
"""The bytes of memory that all windows of a task share."""

_SMALL: Final = 256 * 1024
"""Packed bytes, about 1,500 events: a window with fewer is loaded in one request, within a second."""

_LEAST_SHARE: Final = 16 * 1024 * 1024
"""The bytes of memory that a window needs at least: its requests, whatever its events."""

Asked = TypeVar("Asked")


class ManifestedWindow(Protocol):
    """A window whose manifest was read."""

    @property
    def window(self) -> Window:
        """The window."""

    @property
    def records(self) -> LoadRecords:
        """Keeps the record of its load."""

    @property
    def is_quiet(self) -> bool:
        """Whether its manifest names nothing to load."""

    @property
    def size(self) -> int:
        """The packed bytes of its events."""

    @property
    def memory(self) -> int:
        """The bytes of its events that are in memory at the same time."""

    def open(
        self, hold_memory: HoldMemory = nullcontext, locate: Locate = locate_line
    ) -> AbstractContextManager[WindowSource]:
        """Return its events.

        :param hold_memory: returns a context within which the events are read
        :param locate: returns the place of a line, such as `Loader.locate`
        """


ReadManifest = Callable[[Asked], ManifestedWindow]
"""Returns a window with its manifest, and raises `StagingError` if it has none."""


class SharedLedger(Ledger):
    """A ledger that threads may share: cells that they record at the same time are stored by one request."""

    def __init__(self, server: SearchServer, pattern: str, settings: LoadSettings | None = None) -> None:
        super().__init__(server, pattern, settings)
        self._verified = Coalescer(self._record_all)

    def record_verified(self, found: VerifiedCell) -> None:
        """Record a cell's figures, which were just verified on the server."""
        self._verified.ask(found)

    def _record_all(self, found: Sequence[VerifiedCell]) -> list[None]:
        self.record_verified_all(found)
        return [None] * len(found)


class _Unannounced:
    """Records the result of a small window, but not that it is being loaded."""

    def __init__(self, ledger: CellLedger) -> None:
        self._ledger = ledger

    def record_loading(self, window: Window, run: Run | None) -> None:
        """Record nothing: the result follows within a second."""

    def record_verified(self, found: VerifiedCell) -> None:
        """Record a cell's figures, which were just verified on the server."""
        self._ledger.record_verified(found)


class _Memory:
    """Lets threads hold a bounded number of bytes together; one that needs more than the bound works alone."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = size
        self._changed = threading.Condition()
        # Only one thread waits for bytes, so that small windows do not overtake a large one for ever.
        self._turn = threading.Lock()

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Wait until so many bytes are free, and hold them."""
        size = min(size, self._size)
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()


class BatchLoad(Generic[Asked]):
    """One attempt at loading the windows of a batch. Threads may share it.

    A context manager: it keeps the progress of its windows for a further attempt.

    :param connect: returns the loader and the ledger; it is called only if a window has events
    :param store: keeps the progress for a further attempt
    :param run: the task of the attempt, for the ledger
    :param on_sent: takes each window and the outcomes of the events that were sent for it
    """

    def __init__(
        self,
        read_manifest: ReadManifest[Asked],
        connect: Callable[[], tuple[Loader, CellLedger]],
        store: StateStore,
        run: Run | None,
        work: Work,
        on_sent: Callable[[Window, LoadReport], None],
    ) -> None:
        self._read_manifest = read_manifest
        self._connect = make_once(connect)
        self._run = run
        self._work = work
        self._on_sent = on_sent
        self._progress = open_batch_progress(store, run)
        self._memory = _Memory(_MEMORY)

    def __enter__(self) -> BatchLoad[Asked]:
        self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.__exit__(kind, error, trace)

    def find_quiet(self, asked: Asked) -> VerifiedCell | None:
        """Return the cell of a window with nothing to load; None if there is something.

        :raises StagingError: the window has no manifest
        """
        found = self._read_manifest(asked)
        if not found.is_quiet:
            return None
        with found.open() as source:
            return make_quiet_cell(source, self._run)

    def load(self, asked: Asked) -> VerifiedCell:
        """Load a window with events, and return its cell.

        A window that an earlier attempt of this task has loaded without a problem is not read again.

        :raises LoaderError: as the methods of `WindowLoad` raise
        """
        found = self._read_manifest(asked)
        loader, ledger = self._connect()
        is_small = found.size < _SMALL
        share = max(found.memory, _LEAST_SHARE)

        def hold() -> AbstractContextManager[None]:
            return self._memory.take(share)

        # While a small window waits for its count, others are read. A larger one holds its share until its end.
        whole, reading = (nullcontext, hold) if is_small else (hold, nullcontext)
        with whole(), found.open(reading, loader.locate) as source:
            load = WindowLoad(
                source,
                found.records,
                loader,
                _Unannounced(ledger) if is_small else ledger,
                self._progress,
                self._run,
                # A key for each window, because several windows are loaded at once.
                f"load-{_name_window(found.window)}",
            )
            if self._progress.is_resumed:
                earlier = load.find_loaded(max(self._progress.since, datetime.now(UTC) - _FRESH))
                if earlier is not None:
                    return earlier
            try:
                self._work(load)
            finally:
                self._on_sent(found.window, load.sent)
        assert load.found is not None  # noqa: S101 - the work has found it
        return load.found

    def finish(self) -> None:
        """Remove the progress that is kept for a further attempt, because there will be none."""
        self._progress.finish()


def _name_window(window: Window) -> str:
    return f"{window.account}-{window.region}-{window.start:%Y%m%dT%H%M}"
