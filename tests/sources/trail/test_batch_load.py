"""The load of a batch's windows: kills and retries, and windows that did not change."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from threading import Lock
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.findings import ProofStatus
from cloudtrail_elasticsearch.core.coverage.ledger import Run, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import StagingError, TransientError
from cloudtrail_elasticsearch.core.loading.report import LoadReport
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.core.side_by_side import run_side_by_side
from cloudtrail_elasticsearch.pipeline.batch_load import BatchLoad, Work, _Memory
from cloudtrail_elasticsearch.pipeline.each_window import EachWindow
from cloudtrail_elasticsearch.pipeline.load import WindowLoad
from cloudtrail_elasticsearch.pipeline.trail_load import ListedWindows
from cloudtrail_elasticsearch.pipeline.trail_plan import BatchWindow
from cloudtrail_elasticsearch.sources.trail.read_ahead import AheadSettings
from cloudtrail_elasticsearch.staging import LoadRecord, TrailManifest
from devstack.simulator.trails import tampering
from tests.core.test_load import Server
from tests.sources.trail.local_trail import DAY, LocalTrail, local_trail
from tests.sources.trail.test_load_window import KilledError, KillingServer, Ledger, held, make_loader


class MemoryStaging:
    """Keeps manifests and records of loads."""

    def __init__(self) -> None:
        self.manifests: dict[Window, TrailManifest] = {}
        self.records: dict[Window, LoadRecord] = {}

    def uri(self, window: Window) -> str:
        return f"memory://{window.name}"

    def manifest(self, window: Window) -> TrailManifest | None:
        return self.manifests.get(window)

    def load_record(self, window: Window) -> LoadRecord | None:
        return self.records.get(window)

    def write_load_record(self, window: Window, record: LoadRecord) -> None:
        self.records[window] = record


class Batch:
    """The windows of a trail, listed, and attempts at loading them."""

    def __init__(self, trail: LocalTrail) -> None:
        self.trail = trail
        self.staging = MemoryStaging()
        self.store = InMemoryStore()
        self.sent: list[tuple[Window, int]] = []
        self.windows = [BatchWindow(region, region.window(DAY)) for region in trail.regions()]
        self.list_again()

    def list_again(self) -> None:
        for each in self.windows:
            made, known = self.trail.list_window(each.region), self.staging.manifests.get(each.window)
            if known is None or replace(known, listed_at=made.listed_at) != made:
                self.staging.manifests[each.window] = made

    def open(self, server: Server, work: Work = WindowLoad.load, run: Run | None = None) -> BatchLoad[BatchWindow]:
        staging: Any = self.staging
        services: Any = make_loader(server), Ledger()

        def count(window: Window, report: LoadReport) -> None:
            self.sent.append((window, report.read))

        listed = ListedWindows(self.trail.bucket, lambda _: staging)
        return BatchLoad(listed.read, lambda: services, self.store, run, work, count)

    def load(self, server: Server, work: Work = WindowLoad.load) -> list[VerifiedCell]:
        with self.open(server, work) as load:
            return [load.load(each) for each in self.windows]

    def finish(self, server: Server) -> list[VerifiedCell]:
        """Load the batch to its end."""
        with self.open(server) as load:
            cells = [load.load(each) for each in self.windows]
            load.finish()
            return cells

    def load_first(self, server: Server, work: Work = WindowLoad.load, run: Run | None = None) -> VerifiedCell:
        """Load the first window of an attempt that then fails."""
        with self.open(server, work, run) as load:
            return load.load(self.windows[0])

    def gets(self) -> int:
        return self.trail.s3.requests.as_json().get("get", 0)

    def ids(self) -> set[str]:
        files = [file for file in self.trail.written.log_files if file.day == DAY]
        return {event_id for file in files for event_id in file.event_ids}


@pytest.fixture
def batch() -> Iterator[Batch]:
    with local_trail() as trail:
        yield Batch(trail)


@pytest.mark.promise("nothing-lost", "restartable")
@pytest.mark.parametrize("requests", [0, 3, 20, 40])
def test_a_killed_batch_goes_on_where_it_was(batch: Batch, requests: int) -> None:
    """Windows that are done are not read again, and only unacknowledged events of the others are sent again."""
    server = KillingServer(requests)
    with pytest.raises(KilledError):
        batch.load(server)
    done = len(batch.staging.records)
    server.left = 10_000
    batch.sent.clear()
    before = batch.gets()
    cells = batch.load(server)
    assert held(server) == batch.ids()
    assert {each.cell.problem for each in cells} == {None}
    assert {each.cell.proof.status for each in cells if each.cell.proof} == {ProofStatus.SIGNED}
    assert [window for window, _ in batch.sent] == [each.window for each in batch.windows[done:]]
    wanted = sum(len(batch.staging.manifests[window].files) for window, _ in batch.sent)
    # GETs of the killed attempt can still be under way.
    assert wanted <= batch.gets() - before <= wanted + AheadSettings().files


@pytest.mark.promise("nothing-lost", "restartable")
@pytest.mark.parametrize("requests", [0, 7, 30])
def test_a_batch_that_is_killed_while_it_loads_windows_at_once_goes_on(batch: Batch, requests: int) -> None:
    """Each window has its own progress, so that the windows of an attempt do not lose or repeat one another's."""
    server = KillingServer(requests)
    with pytest.raises(KilledError), batch.open(server) as load:
        list(run_side_by_side(load.load, batch.windows, 4))
    server.left = 10_000
    with batch.open(server) as load:
        cells = list(run_side_by_side(load.load, batch.windows, 4))
    assert held(server) == batch.ids()
    assert {each.cell.problem for each in cells} == {None}
    assert {each.cell.window for each in cells} == {each.window for each in batch.windows}


def test_windows_that_are_loaded_at_once_hold_bounded_bytes_of_log_files() -> None:
    """A window that needs more than the bound is loaded alone."""
    memory = _Memory(10)
    held = peak = 0
    lock = Lock()

    def hold(size: int) -> None:
        nonlocal held, peak
        with memory.take(size):
            with lock:
                held += min(size, 10)
                peak = max(peak, held)
            time.sleep(0.002)
            with lock:
                held -= min(size, 10)

    list(run_side_by_side(hold, [3, 4, 50, 2, 1, 10, 5, 5, 5] * 5, 4))
    assert held == 0
    assert 5 < peak <= 10


def test_a_finished_batch_is_verified_again_by_the_next_run(batch: Batch) -> None:
    """No event is sent, unless the server has lost a document."""
    server = Server()
    first = batch.finish(server)
    batch.sent.clear()
    again = batch.load(server)
    assert [each.cell for each in again] == [each.cell for each in first]
    assert {read for _, read in batch.sent} == {0}

    batch.finish(server)
    lost = next(key for key in server.documents if key[0].startswith("cloudtrail-20"))
    del server.documents[lost]
    batch.load(server)
    assert held(server) == batch.ids()


RUN = Run("trail", "first", "cell.load", 0, 1)


@pytest.mark.promise("nothing-lost")
def test_another_run_does_its_own_work_after_a_failed_one(batch: Batch) -> None:
    """An Airflow without a task state store keeps the cells of a failed run in the staging bucket, for any run."""
    server = Server()
    first = batch.load_first(server, run=RUN)
    lost = next(key for key in server.documents if key[0].startswith("cloudtrail-20"))
    del server.documents[lost]
    assert batch.load_first(server, run=replace(RUN, attempt=2)) == first
    batch.load_first(server, WindowLoad.load_again, replace(RUN, run_id="second"))
    assert lost in server.documents


@pytest.mark.promise("proven-by-aws", "restartable")
def test_a_window_with_a_problem_is_read_again_by_the_next_attempt(batch: Batch) -> None:
    """Somebody may have restored its log file before the task was cleared."""
    server, asked = Server(), batch.windows[0]
    key = batch.staging.manifests[asked.window].files[0].key
    original = batch.trail.objects.get(key)
    batch.trail.objects.delete(key)
    assert "missing_file" in str(batch.load_first(server, run=RUN).cell.problem)
    batch.trail.objects.put(key, *original)
    assert batch.load_first(server, run=RUN).cell.problem is None


@pytest.mark.promise("bounded")
def test_windows_that_did_not_change_are_not_read(batch: Batch) -> None:
    """Their cells are those of their loads. A window with a further log file is loaded."""
    server = Server()
    first = batch.load(server)
    batch.store = InMemoryStore()
    batch.list_again()
    before = batch.gets()
    assert batch.load(server, WindowLoad.load_changes) == first
    assert batch.gets() == before

    changed = batch.windows[0]
    key = batch.staging.manifests[changed.window].files[0].key
    tampering.copy_log_file(batch.trail.objects, key)
    batch.list_again()
    before = batch.gets()
    cells = batch.load(server, WindowLoad.load_changes)
    assert batch.gets() - before == len(batch.staging.manifests[changed.window].files)
    assert cells[1:] == first[1:]
    assert cells[0].cell.files == first[0].cell.files + 1
    assert "unlisted_file" in str(cells[0].cell.problem)


@pytest.mark.promise("proven-by-aws")
def test_a_proof_that_changed_is_verified_by_reading_but_nothing_is_sent(batch: Batch) -> None:
    """And it is not read once more after that."""
    server = Server()
    batch.load(server)
    window = batch.windows[0].window
    known = batch.staging.manifests[window]
    later = replace(known, digests=known.digests + 1, listed_at=known.listed_at + timedelta(hours=1))
    batch.staging.records[window] = replace(
        batch.staging.records[window], loaded_at=known.listed_at + timedelta(minutes=1)
    )
    batch.staging.manifests[window] = later
    batch.store = InMemoryStore()
    batch.sent.clear()
    before = batch.gets()
    assert batch.load_first(server, WindowLoad.load_changes).cell.problem is None
    assert batch.sent == [(window, 0)]
    assert batch.gets() - before == len(later.files)


def test_a_window_that_is_not_listed_is_reported(batch: Batch) -> None:
    """The others are loaded."""
    gone = batch.windows[1]
    del batch.staging.manifests[gone.window]
    load, each_window = batch.open(Server()), EachWindow()
    done = [number for number, _, _ in each_window.run(load.load, enumerate(batch.windows), 1)]
    assert done == [0, 2, 3]
    assert list(each_window.failures) == [1]
    with pytest.raises(StagingError, match="is not listed in memory"):
        load.find_quiet(gone)


@pytest.mark.promise("bounded")
def test_a_window_that_failed_holds_no_log_files(batch: Batch) -> None:
    """Its error is kept until the end of the batch, but not what was read ahead, nor its threads."""

    class Failing(Server):
        def request(self, method: str, path: str, body: bytes | None = None) -> Any:
            if path.startswith("/_bulk"):
                raise TransientError("gone")
            return super().request(method, path, body)

    def list_readers() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("get")]

    load, each_window = batch.open(Failing()), EachWindow()
    before = list_readers()
    list(each_window.run(load.load, enumerate(batch.windows), 1))
    assert list(each_window.failures) == [0, 1, 2, 3]
    assert list_readers() == before


@pytest.mark.promise("nothing-lost")
def test_a_server_that_fails_in_one_window_stops_no_other(batch: Batch) -> None:
    """The failure can be retried."""

    class Failing(Server):
        def request(self, method: str, path: str, body: bytes | None = None) -> Any:
            if path.startswith("/_bulk") and batch.windows[2].window.account.encode() in (body or b""):
                raise TransientError("gone")
            return super().request(method, path, body)

    load, each_window = batch.open(Failing()), EachWindow()
    list(each_window.run(load.load, enumerate(batch.windows), 1))
    assert list(each_window.failures) == [2, 3]
    with pytest.raises(TransientError, match="2 of 4 windows were not loaded"):
        each_window.check("loaded", 4)
