"""Load: a staged window through the rules into the search server, and what the server then holds of it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.coverage import Cell
from cloudtrail_elasticsearch.core.errors import StagingError, TransientError
from cloudtrail_elasticsearch.core.events import line_id
from cloudtrail_elasticsearch.core.ledger import Run, Staged, Verified
from cloudtrail_elasticsearch.core.load import Holding, Loader, LoadReport
from cloudtrail_elasticsearch.core.state import KeptBehind, Memory, StateStore
from cloudtrail_elasticsearch.pipeline.telling import Telling
from cloudtrail_elasticsearch.staging import LoadRecord, Manifest, Staging

log = logging.getLogger(__name__)

STATE_KEY: Final = "load"


def quiet(manifest: Manifest, run: Run | None) -> Verified:
    """Return the cell of a window without events: nobody has to be asked what became of them."""
    return _verified(manifest, Holding(), run)


class WindowLoad:
    """The load of one staged window with events, for one attempt.

    :param run: the task that does it, for the ledger
    """

    def __init__(
        self, manifest: Manifest, staging: Staging, loader: Loader, store: StateStore, run: Run | None = None
    ) -> None:
        self._manifest = manifest
        self._window = manifest.window
        self._staging = staging
        self._loader = loader
        self._run = run
        self._ledger = loader.ledger
        self._fingerprint = _fingerprint(manifest, loader.target)
        self._memory = Memory(store, STATE_KEY, self._fingerprint)
        self.sent = LoadReport()
        """What became of the events that this attempt has sent, as far as it has come."""

    def load(self) -> Cell:
        """Load the window and ask the server what it holds of it.

        A window that was already loaded to the same place in the same way, and of which the server still has
        every document, is not sent again.

        :raises StagingError: a part is not what the manifest says
        :raises TransientError: the server does not recover in time, or the window was fetched again meanwhile
        """
        record = self._staging.load_record(self._window)
        if record is not None and record.fingerprint == self._fingerprint:
            cell = self.verify()
            if cell.problem is None:
                log.info("%s is loaded already, and the server has all of it: nothing to send.", self._window.name)
                return cell
            log.warning("%s was loaded, but %s: loading it again.", self._window.name, cell.problem)
        return self.load_again()

    def load_again(self) -> Cell:
        """Load the window, loaded before or not, and ask the server what it holds of it.

        What an earlier attempt of the same work has sent, by the word of the state store, is not sent again.

        :raises StagingError: a part is not what the manifest says
        :raises TransientError: the server does not recover in time, or the window was fetched again meanwhile
        """
        self._loader.prepare()
        self._ledger.loading(self._window, self._run)
        sent_before = self._memory.recall() or 0
        if sent_before:
            log.info(
                "Going on with %s where an earlier attempt ended: %d of %d events are sent.",
                self._window.name,
                sent_before,
                self._manifest.staged,
            )
        self._send(sent_before)
        cell = self.verify()
        if cell.problem and sent_before:
            log.warning(
                "%s, though an earlier attempt had sent it: sending all of %s.", cell.problem, cell.window.name
            )
            self._send(0)
            cell = self.verify()
        self._memory.forget()
        if cell.problem is None:
            record = LoadRecord(self._fingerprint, datetime.now(UTC))
            self._staging.write_load_record(self._window, record)
        log.info("Loaded %s: %s.", self._window.name, cell.sentence)
        return cell

    def replay(self) -> Cell:
        """Load the window's quarantined events again, nothing else, and ask the server what it holds of it.

        :raises StagingError: a part is not what the manifest says
        """
        self._loader.prepare()
        report = self._loader.replay(map(line_id, self._lines()))
        self.sent.add(report)
        log.info(
            "Replayed %s: %d events were in quarantine, %d of them still are.",
            self._window.name,
            report.read,
            report.quarantined,
        )
        return self.verify()

    def verify(self) -> Cell:
        """Ask the server what it holds of the window, and note it in the ledger.

        :raises StagingError: a part is not what the manifest says
        """
        found = _verified(self._manifest, self._loader.holding(self._lines()), self._run)
        self._ledger.verified(found)
        return found.cell

    def _send(self, sent_before: int) -> None:
        staged = self._manifest.staged
        telling = Telling(f"Loaded {self._window.name}", sent_before, sent_before / staged)
        earlier = self.sent
        with KeptBehind(self._memory) as progress:

            def tell(report: LoadReport, acknowledged: int) -> None:
                self.sent = earlier.plus(report)
                progress.keep(sent_before + acknowledged)
                loaded = sent_before + report.read
                telling.tell(loaded, loaded / staged)

            self._loader.load(self._lines(sent_before), tell)

    def _lines(self, skipped: int = 0) -> Iterator[bytes]:
        """Yield the staged lines; parts that are skipped whole are not read."""
        for part in self._manifest.parts:
            if skipped >= part.events:
                skipped -= part.events
                continue
            try:
                yield from islice(self._staging.lines(part), skipped, None)
            except StagingError as error:
                if self._staging.manifest(self._window) != self._manifest:
                    raise TransientError(f"{self._window.name} was fetched again meanwhile.") from error
                raise
            skipped = 0


def _verified(manifest: Manifest, holding: Holding, run: Run | None) -> Verified:
    cell = Cell(
        window=manifest.window,
        looked_up=manifest.looked_up,
        staged=manifest.staged,
        duplicates=manifest.duplicates,
        indexed=holding.indexed,
        quarantined=holding.quarantined,
        late=manifest.late,
        own=holding.own,
        left_out=holding.left_out,
    )
    staged = Staged(
        attempts=manifest.attempts,
        calls=manifest.calls,
        throttled=manifest.throttled,
        first=manifest.first,
        last=manifest.last,
        staged_at=manifest.staged_at,
    )
    return Verified(cell, staged, run, datetime.now(UTC))


def _fingerprint(manifest: Manifest, target: str) -> str:
    """Name what is loaded and where to, so that a change of either is a new load."""
    content = codec.canonical([target, *(part.sha256 for part in manifest.parts)])
    return hashlib.sha256(content).hexdigest()
