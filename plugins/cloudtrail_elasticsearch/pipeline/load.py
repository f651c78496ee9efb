"""Loads a window into the search server, and verifies the documents that the server then holds."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from cloudtrail_elasticsearch.core.coverage.cells import Cell
from cloudtrail_elasticsearch.core.coverage.ledger import Run, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.loading.loader import HeldEvents, Loader
from cloudtrail_elasticsearch.core.loading.report import LoadReport
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.progress import BackgroundCheckpoint, Checkpoint, StateStore
from cloudtrail_elasticsearch.core.progress_log import ProgressLog
from cloudtrail_elasticsearch.pipeline.sources import Done, Position, WindowSource
from cloudtrail_elasticsearch.staging import LoadRecord

log = logging.getLogger(__name__)

STATE_KEY: Final = "load"


class CellLedger(Protocol):
    """Records the state of cells, such as a `Ledger`."""

    def record_loading(self, window: Window, run: Run | None) -> None:
        """Record that a task is loading a cell."""

    def record_verified(self, found: VerifiedCell) -> None:
        """Record a cell's figures, which were just verified on the server."""


class LoadRecords(Protocol):
    """Keeps the records of finished loads."""

    def load_record(self, window: Window) -> LoadRecord | None:
        """Return the record of the window's load; None if there is none."""

    def write_load_record(self, window: Window, record: LoadRecord) -> None:
        """Record that the window was loaded."""


def make_quiet_cell(source: WindowSource, run: Run | None) -> VerifiedCell:
    """Return the cell of a window without events; there is nothing to verify on the server."""
    return _make_verified_cell(source, HeldEvents(), run)


class WindowLoad:
    """One attempt at loading a window with events.

    :param run: the task of the attempt, for the ledger
    :param state_key: the key of the progress in the store
    """

    def __init__(
        self,
        source: WindowSource,
        records: LoadRecords,
        loader: Loader,
        ledger: CellLedger,
        store: StateStore,
        run: Run | None = None,
        state_key: str = STATE_KEY,
    ) -> None:
        self._source = source
        self._window = source.window
        self._records = records
        self._loader = loader
        self._run = run
        self._ledger = ledger
        self._fingerprint = _make_fingerprint(source, loader.target)
        self._checkpoint = Checkpoint(store, state_key, self._fingerprint)
        self.sent = LoadReport()
        """The outcomes, so far, of the events that this attempt has sent."""
        self.found: VerifiedCell | None = None
        """The cell, when the work is done."""

    def find_loaded(self, since: datetime) -> VerifiedCell | None:
        """Return the cell of an earlier attempt of the same task that loaded this window; None if there is none.

        :param since: the start of the first attempt; the server may have lost documents of earlier loads
        """
        record = self._records.load_record(self._window)
        if record is None or record.fingerprint != self._fingerprint or not record.cell:
            return None
        found = VerifiedCell.from_dict(record.cell)
        if found is None or found.cell.problem is not None or found.at < since:
            return None
        # Another run's work can be another one, such as a replay.
        return found if _is_same_task(found.run, self._run) else None

    def load(self) -> Cell:
        """Load the window, and verify it on the server.

        If the window was loaded before, with the same target, and the server still holds every document, nothing
        is sent.

        :raises StagingError: a part differs from its entry in the manifest
        :raises TransientError: the server does not recover in time, or the window was fetched again meanwhile
        """
        record = self._records.load_record(self._window)
        # An index can lose documents later, so they are counted again (ADR-0003).
        if record is not None and record.fingerprint == self._fingerprint:
            cell = self.verify()
            problem = cell.figures_problem
            if problem is None and not self._source.is_as_described:
                problem = "some of its log files were replaced since they were listed"
            if problem is None:
                log.info("%s is already loaded, and the server holds all of its documents.", self._window.name)
                return cell
            log.warning("%s was loaded before, but %s. Loading it again.", self._window.name, problem)
        return self.load_again()

    def load_again(self) -> Cell:
        """Load the window even if it was loaded before, and verify it on the server.

        Events that an earlier attempt at the same work has sent, according to the state store, are skipped.

        :raises StagingError: a part differs from its entry in the manifest
        :raises TransientError: the server does not recover in time, or the window was fetched again meanwhile
        """
        self._loader.prepare()
        self._ledger.record_loading(self._window, self._run)
        start = self._checkpoint.load() or None
        if start:
            log.info("Resuming the load of %s after the events that an earlier attempt sent.", self._window.name)
        self._send(start)
        cell = self.verify()
        if cell.figures_problem and start:  # the index may have lost the events of the earlier attempt since
            log.warning("%s: %s. Sending all of its events again.", cell.window.name, cell.figures_problem)
            self._send(None)
            cell = self.verify()
        # Also if the figures do not add up: the next attempt must then send all events again.
        self._checkpoint.clear()
        self._record_load()
        log.info("Loaded %s: %s.", self._window.name, cell.sentence)
        return cell

    def load_changes(self) -> Cell:
        """Load the window if it was listed anew since its last load; else return the cell of that load.

        An unchanged window is not verified again. If only its proof changed, no event is sent, but the log files
        are read, and their documents counted again.

        :raises LoaderError: as `load` raises
        """
        record = self._records.load_record(self._window)
        if record is None or record.fingerprint != self._fingerprint:
            return self.load_again()
        known = VerifiedCell.from_dict(record.cell) if record.cell else None
        if known is not None and self._source.describe().staged_at <= record.loaded_at:
            self.found = known
            return known.cell
        cell = self.load()
        self._record_load()
        return cell

    def replay(self) -> Cell:
        """Load only the window's quarantined events again, and verify the window on the server.

        :raises StagingError: a part differs from its entry in the manifest
        """
        self._loader.prepare()
        places = self._source.read_places(self._loader.index_of)
        report = self._loader.replay(place.id for place in places)
        self.sent.add(report)
        log.info(
            "Replayed %s: %d events were in quarantine, and %d of them still are.",
            self._window.name,
            report.read,
            report.quarantined,
        )
        return self.verify()

    def verify(self) -> Cell:
        """Count the events of the window that the server holds, and record them in the ledger (ADR-0003).

        :raises StagingError: a part differs from its entry in the manifest
        """
        held = self._loader.count_places(self._source.read_places(self._loader.index_of))
        found = self.found = _make_verified_cell(self._source, held, self._run)
        _log_left_out(found.cell, held.still_indexed)
        self._ledger.record_verified(found)
        return found.cell

    def _record_load(self) -> None:
        found = self.found
        if found is not None and found.cell.figures_problem is None:
            # Only now: a window counts as loaded only while the server's count is right (ADR-0003).
            plain = msgspec.to_builtins(found.to_dict())
            # If other events were sent than the fingerprint names, the next load must send all of them again.
            fingerprint = self._fingerprint if self._source.is_as_described else ""
            self._records.write_load_record(self._window, LoadRecord(fingerprint, datetime.now(UTC), plain))

    def _send(self, start: Position | None) -> None:
        source = self._source
        done = Done(0, 0.0) if start is None else source.measure_before(start)
        progress_log = ProgressLog(f"Loaded {self._window.name}", *done)
        # A second pass of this attempt adds to the outcomes of the first.
        earlier = self.sent
        with BackgroundCheckpoint(self._checkpoint) as progress:

            def record_progress(report: LoadReport, acknowledged: int) -> None:
                self.sent = earlier.plus(report)
                # Only events without a gap before them, because the next attempt skips this many.
                progress.save(source.find_position(acknowledged))
                progress_log.log(done.events + report.read, source.share_read)

            self._loader.load(source.read_lines(start), record_progress)


def _make_verified_cell(source: WindowSource, held: HeldEvents, run: Run | None) -> VerifiedCell:
    return VerifiedCell(source.make_cell(held), source.describe(), run, datetime.now(UTC))


def _log_left_out(cell: Cell, still_indexed: int) -> None:
    if cell.left_out:
        counts = ", ".join(f"{events} by {safe_text(rule)}" for rule, events in cell.left_out_rules)
        log.info("%s: %d events were left out by rules: %s.", cell.window.name, cell.left_out, counts)
    if still_indexed:
        log.warning(
            "%s: %d events that rules leave out are in the index, because an earlier load had other rules. They "
            "count as indexed. Delete them from the index if it must not have them: docs/rules.md has the query.",
            cell.window.name,
            still_indexed,
        )


def _is_same_task(one: Run | None, other: Run | None) -> bool:
    if one is None or other is None:
        return one is other
    return replace(one, attempt=0) == replace(other, attempt=0)


def _make_fingerprint(source: WindowSource, target: str) -> str:
    """Return a hash of the source's content and the target: if either changes, the window is loaded again."""
    return hashlib.sha256(codec.canonical([target, *source.content])).hexdigest()
