"""Loads and verifies the windows of a trail: the log files of a manifest, in their place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from cloudtrail_elasticsearch.core.coverage.cells import Cell
from cloudtrail_elasticsearch.core.coverage.findings import Finding, ProofStatus
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, Run
from cloudtrail_elasticsearch.core.loading.loader import HeldEvents, Loader
from cloudtrail_elasticsearch.core.loading.report import LoadReport
from cloudtrail_elasticsearch.core.progress import StateStore
from cloudtrail_elasticsearch.pipeline.load import LoadRecords, WindowLoad
from cloudtrail_elasticsearch.pipeline.log_files import LogFiles
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket
from cloudtrail_elasticsearch.sources.trail.read_ahead import AheadSettings
from cloudtrail_elasticsearch.sources.trail.window_files import WindowFiles
from cloudtrail_elasticsearch.staging import TrailManifest


@dataclass(frozen=True, slots=True)
class LoadedWindow:
    """A trail's window after its load: the figures, and what is proven about its log files."""

    cell: Cell
    findings: tuple[Finding, ...]
    """All of them, the worst ones first; the cell's proof keeps some."""
    sent: LoadReport
    """The outcomes of the events that this attempt has sent."""

    @property
    def proof(self) -> ProofStatus | None:
        """The status of the proof; None if no digest was read, and nothing was found."""
        return self.cell.proof.status if self.cell.proof else None


def load_window(
    manifest: TrailManifest,
    bucket: TrailBucket,
    loader: Loader,
    ledger: Ledger,
    records: LoadRecords,
    store: StateStore,
    run: Run | None = None,
    settings: AheadSettings | None = None,
) -> LoadedWindow:
    """Load the log files of a window, verify its events on the server, and return what is proven.

    Findings about single log files do not stop the load: everything that can be read is loaded.

    :param records: keep the record of a finished load, such as a `TrailStaging`
    :param store: keeps the progress for a further attempt
    :param run: the task of the attempt, for the ledger
    :raises TransientError: S3 or the server does not recover in time; a further attempt resumes this one
    :raises AccessDeniedError: none of the log files may be read
    """
    files = LogFiles(manifest, lambda: WindowFiles(manifest, bucket, settings), locate=loader.locate)
    with closing(files) as source:
        load = WindowLoad(source, records, loader, ledger, store, run)
        cell = load.load()
        return LoadedWindow(cell, source.files.findings, load.sent)


def load_window_once(
    manifest: TrailManifest,
    bucket: TrailBucket,
    loader: Loader,
    on_progress: Callable[[int, int], None],
    settings: AheadSettings | None = None,
) -> LoadedWindow:
    """Load the log files of a window without a ledger and without progress for a further attempt.

    :param loader: a loader that is prepared; several windows may share it
    :param on_progress: takes the numbers of events sent and of bytes read since its last call
    :raises LoaderError: as `load_window` raises
    """
    files = LogFiles(manifest, lambda: WindowFiles(manifest, bucket, settings), locate=loader.locate)
    with closing(files) as source:
        if not manifest.files:
            # There is nothing to verify on the server.
            cell = source.make_cell(HeldEvents())
            return LoadedWindow(cell, source.files.findings, LoadReport())
        shown = [0, 0]

        def show(report: LoadReport, _: int) -> None:
            now = [report.read, source.files.bytes_read]
            on_progress(now[0] - shown[0], now[1] - shown[1])
            shown[:] = now

        sent = loader.load(source.read_lines(), show)
        held = loader.count_places(source.read_places(loader.index_of))
        return LoadedWindow(source.make_cell(held), source.files.findings, sent)


def verify_window(
    manifest: TrailManifest, bucket: TrailBucket, settings: AheadSettings | None = None
) -> WindowFiles:
    """Read and hash the log files of a window without loading them; return what was found.

    :raises LoaderError: S3 cannot be asked
    """
    files = WindowFiles(manifest, bucket, settings)
    for opened in files.open_all():
        if opened.content is not None:
            opened.content.hash()
    return files
