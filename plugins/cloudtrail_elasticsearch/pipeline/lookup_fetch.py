"""Looks up the windows of a batch, each in its account, and stages their events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cloudtrail_elasticsearch.core.coverage.lookup_batches import LookupWindow
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.progress import StateStore
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.fetch import fetch
from cloudtrail_elasticsearch.sources.lookup_events.fetch_checkpoint import forget_staged
from cloudtrail_elasticsearch.sources.lookup_events.late import fetch_late
from cloudtrail_elasticsearch.staging import Staging

_BUSY_AT_ONCE: Final = 8
"""Windows of several pages that are looked up at once: their pages are in memory. Quiet ones do not count."""


class FetchWork(StrEnum):
    """What to do with a window."""

    NEW = "new"
    """Look it up if it is not staged."""
    AGAIN = "again"
    """Look it up, and replace its staged events."""
    LATE = "late"
    """Look it up, and stage only its new events."""


@dataclass(frozen=True, slots=True)
class FetchedWindow:
    """The figures of a window's fetch; all are 0 if it was staged already."""

    looked_up: int = 0
    staged: int = 0
    calls: int = 0
    throttled: int = 0


class WindowFetcher:
    """Fetches windows; threads may share it.

    :param open_lookup: returns the LookupEvents client for a window
    :param store_of: returns the store of a window's progress, for a further attempt
    :param finished: keeps the windows that this task has fetched, for a further attempt; None for
        `FetchWork.NEW`, of which the manifests show it
    :param on_calls: takes each window and the numbers of its calls and throttled calls, also if it fails
    """

    def __init__(
        self,
        open_lookup: Callable[[LookupWindow], LookupEvents],
        staging: Staging,
        store_of: Callable[[Window], StateStore],
        finished: StateStore | None,
        work: FetchWork,
        on_calls: Callable[[Window, int, int], None],
    ) -> None:
        self._open_lookup = open_lookup
        self._staging = staging
        self._store_of = store_of
        self._finished = finished
        self._work = work
        self._on_calls = on_calls
        self._busy = threading.BoundedSemaphore(_BUSY_AT_ONCE)

    def fetch(self, asked: LookupWindow) -> FetchedWindow:
        """Stage a window, and return the figures of the work.

        :raises AccessDeniedError: a permission is missing, or the account's role cannot be assumed
        :raises TransientError: AWS throttles a page or fails to return it, in every retry
        """
        window, staging = asked.window, self._staging
        if self._work is FetchWork.NEW and (staged := staging.manifest(window)) is not None:
            forget_staged(staged, staging, self._store_of(window))
            return FetchedWindow()
        # Another window of the batch failed, so that this attempt repeats the whole task.
        if self._finished is not None and self._finished.get(window.name):
            return FetchedWindow()
        before = staging.standing(window).manifest if self._work is FetchWork.LATE else None
        source = self._open_lookup(asked)
        look_up = fetch_late if self._work is FetchWork.LATE else fetch
        try:
            manifest = look_up(window, source, staging, self._store_of(window), self._hold_memory)
        finally:
            # A failed window's calls have used the quota, too.
            self._on_calls(window, source.calls, source.throttled)
        if self._finished is not None:
            self._finished.set(window.name, True)
        # The manifest of a late fetch also counts the events of earlier fetches.
        earlier = (before.looked_up, before.staged) if before else (0, 0)
        return FetchedWindow(
            manifest.looked_up - earlier[0], manifest.staged - earlier[1], source.calls, source.throttled
        )

    @contextmanager
    def _hold_memory(self) -> Iterator[None]:
        with self._busy:
            yield
