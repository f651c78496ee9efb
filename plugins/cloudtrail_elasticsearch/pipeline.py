"""A cell's work: fetch a window to staging, load what is staged, and say how the figures add up."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.coverage import Cell
from cloudtrail_elasticsearch.core.events import line_id
from cloudtrail_elasticsearch.core.load import Holding, Loader
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.sources.lookup_events import EVENTS_PER_PAGE, LookupEvents, Page
from cloudtrail_elasticsearch.staging import LoadRecord, Manifest, Part, Staging

log = logging.getLogger(__name__)

EVENTS_PER_PART: Final = 5_000
SECONDS_BETWEEN_LINES: Final = 10.0


def fetch(window: Window, source: LookupEvents, staging: Staging) -> Manifest:
    """Look up every event of a window and stage it; the manifest is written last.

    Holds one part at a time. Equal answers make equal parts, so an attempt that was killed is simply repeated.
    """
    progress = _Progress(f"Looked up {window.name}")
    stager = _Stager(window, staging)
    for page in source.pages(window):
        stager.add(page)
        progress.tell(stager.looked_up)
    manifest = stager.finish()
    staging.write_manifest(manifest)
    log.info(
        "Staged %s: %d events in %d parts, %d calls, %d throttled or failed.",
        window.name,
        manifest.staged,
        len(manifest.parts),
        manifest.calls,
        manifest.calls - stager.pages,
    )
    return manifest


def load(manifest: Manifest, staging: Staging, loader: Loader) -> Cell:
    """Load a staged window and ask the server what it holds of it.

    A window that was already loaded to the same place in the same way, and of which the server still has
    every document, is not sent again. One without events asks nothing of the server.

    :raises StagingError: a part is not what the manifest says
    """
    window = manifest.window
    if not manifest.parts:
        return _cell(manifest, Holding())
    fingerprint = _fingerprint(manifest, loader.target)
    record = staging.load_record(window)
    if record is not None and record.fingerprint == fingerprint:
        cell = _cell(manifest, loader.holding(_ids(manifest, staging)))
        if cell.problem is None:
            log.info("%s is loaded already, and the server has all of it: nothing to send.", window.name)
            return cell
        log.warning("%s was loaded, but %s: loading it again.", window.name, cell.problem)
    return load_again(manifest, staging, loader)


def load_again(manifest: Manifest, staging: Staging, loader: Loader) -> Cell:
    """Load a staged window, loaded before or not, and ask the server what it holds of it.

    :raises StagingError: a part is not what the manifest says
    """
    window = manifest.window
    cell = _send(manifest, staging, loader)
    if cell.problem is None:
        fingerprint = _fingerprint(manifest, loader.target)
        staging.write_load_record(window, LoadRecord(fingerprint, datetime.now(UTC)))
    log.info("Loaded %s: %s.", window.name, cell.sentence)
    return cell


def replay(manifest: Manifest, staging: Staging, loader: Loader) -> Cell:
    """Load a window's quarantined events again, nothing else, and ask the server what it holds of the window.

    :raises StagingError: a part is not what the manifest says
    """
    if not manifest.parts:
        return _cell(manifest, Holding())
    loader.prepare()
    report = loader.replay(_ids(manifest, staging))
    log.info(
        "Replayed %s: %d events were in quarantine, %d of them still are.",
        manifest.window.name,
        report.read,
        report.quarantined,
    )
    return _cell(manifest, loader.holding(_ids(manifest, staging)))


def _send(manifest: Manifest, staging: Staging, loader: Loader) -> Cell:
    loader.prepare()
    progress = _Progress(f"Loaded {manifest.window.name}", of=manifest.staged)
    loader.load(_lines(manifest, staging), lambda done: progress.tell(done.read))
    return _cell(manifest, loader.holding(_ids(manifest, staging)))


def _lines(manifest: Manifest, staging: Staging) -> Iterator[bytes]:
    for part in manifest.parts:
        yield from staging.lines(part)


def _ids(manifest: Manifest, staging: Staging) -> Iterator[str]:
    return map(line_id, _lines(manifest, staging))


def _cell(manifest: Manifest, holding: Holding) -> Cell:
    return Cell(
        window=manifest.window,
        looked_up=manifest.looked_up,
        staged=manifest.staged,
        duplicates=manifest.duplicates,
        indexed=holding.indexed,
        quarantined=holding.quarantined,
    )


def _fingerprint(manifest: Manifest, target: str) -> str:
    """Name what was loaded and where to, so that a change of either is a new load."""
    content = codec.canonical([target, *(part.sha256 for part in manifest.parts)])
    return hashlib.sha256(content).hexdigest()


class _Stager:
    """Collects pages into parts, and leaves out what LookupEvents gives twice.

    Pages come newest first, so an event can only come again soon after its first time: the ids of the last
    two pages tell, whatever the size of the window.
    """

    def __init__(self, window: Window, staging: Staging) -> None:
        self._window = window
        self._staging = staging
        self._lines: list[bytes] = []
        self._parts: list[Part] = []
        self._recent: deque[str] = deque(maxlen=2 * EVENTS_PER_PAGE)
        self._duplicates = 0
        self._calls = 0
        self.looked_up = 0
        self.pages = 0

    def add(self, page: Page) -> None:
        """Take a page; stage a part where one is full."""
        self.pages += 1
        self._calls += page.calls
        self.looked_up += len(page.events)
        for event in page.events:
            if event.id in self._recent:
                self._duplicates += 1
                continue
            self._recent.append(event.id)
            self._lines.append(event.line)
            if len(self._lines) >= EVENTS_PER_PART:
                self._stage()

    def finish(self) -> Manifest:
        """Stage what is left and return the manifest."""
        if self._lines:
            self._stage()
        window = self._window
        return Manifest(
            account=window.account,
            region=window.region,
            start=window.start,
            end=window.end,
            parts=tuple(self._parts),
            looked_up=self.looked_up,
            duplicates=self._duplicates,
            calls=self._calls,
            staged_at=datetime.now(UTC),
        )

    def _stage(self) -> None:
        self._parts.append(self._staging.write_part(self._window, len(self._parts), self._lines))
        self._lines = []


class _Progress:
    """Tells in steady lines how far a long work has come."""

    def __init__(self, doing: str, of: int | None = None) -> None:
        self._doing = doing
        self._of = of
        self._began = self._told = time.monotonic()

    def tell(self, events: int) -> None:
        """Log the figures where the last line is some seconds old."""
        now = time.monotonic()
        if now - self._told < SECONDS_BETWEEN_LINES:
            return
        self._told = now
        rate = events / (now - self._began)
        left = f" of {self._of}, {(self._of - events) / rate:.0f} s left" if self._of and rate else ""
        log.info("%s: %d events%s, %.0f events/s.", self._doing, events, left, rate)
