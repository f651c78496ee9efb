"""Loading a window from log files in their place, with a server in memory."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import uuid
from collections import Counter
from contextlib import closing
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.findings import FindingKind, ProofStatus
from cloudtrail_elasticsearch.core.coverage.ledger import VerifiedCell
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.events import Event, event_time
from cloudtrail_elasticsearch.core.documents.rules import load_rules, read_rules
from cloudtrail_elasticsearch.core.documents.schema import Schema
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.pipeline.load import STATE_KEY, WindowLoad
from cloudtrail_elasticsearch.pipeline.log_files import LogFiles
from cloudtrail_elasticsearch.pipeline.trail import LoadedWindow, load_window, load_window_once
from cloudtrail_elasticsearch.sources.trail.window_files import WindowFiles
from cloudtrail_elasticsearch.staging import LoadRecord, TrailManifest
from devstack.simulator.trails import Switches, tampering
from tests.core.test_load import SCHEMA, Server
from tests.sources.trail.local_trail import DAY, LocalTrail, local_trail
from tests.untimed import drop_times

SMALL = LoadSettings(patience=0.2, longest_pause=0.01, request_items=7)


class Records:
    """Keeps records of loads in memory."""

    def __init__(self) -> None:
        self.records: dict[Window, LoadRecord] = {}

    def load_record(self, window: Window) -> LoadRecord | None:
        return self.records.get(window)

    def write_load_record(self, window: Window, record: LoadRecord) -> None:
        self.records[window] = record


class Ledger:
    """Forgets everything."""

    def record_loading(self, *_: Any) -> None:
        pass

    def record_verified(self, *_: Any) -> None:
        pass


class KilledError(Exception):
    """The process ends in the middle of a request."""


class KillingServer(Server):
    """A server that "kills" the loader in the n-th bulk request, after storing some of its documents or none."""

    def __init__(self, requests: int) -> None:
        super().__init__()
        self.left = requests

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        if path.startswith("/_bulk"):
            if self.left == 0:
                raise KilledError
            self.left -= 1
        return super().request(method, path, body)


def make_loader(server: Server, pattern: str = "cloudtrail-%Y.%m", schema: Schema = SCHEMA) -> Loader:
    return Loader(server, IndexPattern(pattern), schema, SMALL)


def load(
    trail: LocalTrail,
    manifest: TrailManifest,
    server: Server,
    store: InMemoryStore | None = None,
    records: Records | None = None,
    schema: Schema = SCHEMA,
) -> LoadedWindow:
    ledger: Any = Ledger()
    loader = make_loader(server, schema=schema)
    return load_window(manifest, trail.bucket, loader, ledger, records or Records(), store or InMemoryStore())


def held(server: Server) -> set[str]:
    return {identifier for index, identifier in server.documents if index.startswith("cloudtrail-20")}


def ids(trail: LocalTrail) -> set[str]:
    return {event_id for file in trail.files() for event_id in file.event_ids}


@pytest.mark.promise("nothing-lost")
def test_every_event_of_every_kind_is_loaded_and_the_window_is_signed() -> None:
    server = Server()
    with local_trail() as trail:
        loaded = load(trail, trail.list_window(), server)
        assert held(server) == ids(trail)
        cell = loaded.cell
        assert (cell.looked_up, cell.duplicates, cell.indexed, cell.problem) == (
            len(ids(trail)),
            0,
            len(ids(trail)),
            None,
        )
        assert (loaded.proof, loaded.findings, loaded.cell.problem) == (ProofStatus.SIGNED, (), None)


def test_the_ledger_has_the_times_of_the_oldest_and_the_newest_event() -> None:
    """Of the events, not of their delivery; also if a window is not sent again."""
    found: list[VerifiedCell] = []
    ledger: Any = Ledger()
    ledger.record_verified = found.append
    server, records = Server(), Records()
    with local_trail() as trail:
        manifest = trail.list_window()
        for _ in range(2):
            load_window(manifest, trail.bucket, make_loader(server), ledger, records, InMemoryStore())
        files = (gzip.decompress(trail.objects.get(file.key)[0]) for file in manifest.files)
        events = (Event(record, {}) for text in files for record in json.loads(text)["Records"])
        times = sorted(time for event in events if (time := event_time(event)))
    assert {(each.staged.first, each.staged.last) for each in found} == {(times[0], times[-1])}
    assert len(found) == 2


def test_each_log_file_is_downloaded_once() -> None:
    """The verification on the server does not read the window again."""
    with local_trail() as trail:
        manifest = trail.list_window()
        before = trail.s3.requests.as_json()["get"]
        load(trail, manifest, Server())
        assert trail.s3.requests.as_json()["get"] - before == len(manifest.files)


@pytest.mark.promise("no-duplicates")
def test_events_that_are_in_two_log_files_are_counted_exactly() -> None:
    """In one request, in two, and wherever they are; the cell adds up."""
    server = Server()
    with local_trail(Switches(slow=0.0, duplicates=0.3)) as trail:
        wanted = [event_id for file in trail.files() for event_id in file.event_ids]
        loaded = load(trail, trail.list_window(), server)
        cell = loaded.cell
        assert cell.looked_up == len(wanted)
        assert cell.duplicates == len(wanted) - len(set(wanted)) > 5
        assert cell.indexed == len(set(wanted))
        assert loaded.cell.problem is None
        assert held(server) == set(wanted)


@pytest.mark.promise("restartable")
def test_a_load_that_is_killed_anywhere_goes_on_after_what_was_acknowledged() -> None:
    """The second attempt sends only the requests that were not acknowledged, and the proof is complete."""
    with local_trail() as trail:
        manifest, events = trail.list_window(), len(ids(trail))
        for requests in range(0, events // SMALL.request_items + 1, 5):
            server, store = KillingServer(requests), InMemoryStore()
            with pytest.raises(KilledError):
                load(trail, manifest, server, store)
            server.left = 10**9
            loaded = load(trail, manifest, server, store)
            assert held(server) == ids(trail)
            assert (loaded.cell.problem, loaded.proof) == (None, ProofStatus.SIGNED)
            assert loaded.cell.looked_up == events
            acknowledged = max(0, requests - 2 * SMALL.senders) * SMALL.request_items
            assert loaded.sent.read <= events - acknowledged
            assert store.get(STATE_KEY) is None


@pytest.mark.promise("restartable")
def test_the_position_counts_the_events_of_each_log_file() -> None:
    """Reading from any position yields exactly the lines after it."""
    with local_trail() as trail:
        manifest = trail.list_window()

        def open_source() -> LogFiles:
            return LogFiles(manifest, lambda: WindowFiles(manifest, trail.bucket))

        with closing(open_source()) as source:
            lines = list(source.read_lines())
            assert source.find_position(0) == [0, 0]
        drawn = random.Random(3)
        for _ in range(10):
            first = drawn.randrange(len(lines))
            with closing(open_source()) as source:
                reading = source.read_lines()
                assert list(itertools.islice(reading, first)) == lines[:first]
                position = json.loads(json.dumps(source.find_position(first)))
            with closing(open_source()) as source:
                second = drawn.randrange(len(lines) - first)
                assert list(itertools.islice(source.read_lines(position), second)) == lines[first : first + second]
                # A resumed reading gives positions of the whole window, too.
                position = source.find_position(second)
            with closing(open_source()) as source:
                assert list(source.read_lines(position)) == lines[first + second :]
                assert source.events == len(lines)


def test_a_window_that_is_loaded_already_sends_nothing() -> None:
    server, records = Server(), Records()
    with local_trail() as trail:
        manifest = trail.list_window()
        load(trail, manifest, server, records=records)
        sent = server.requests
        again = load(trail, manifest, server, records=records)
        assert server.requests == sent
        assert (again.cell.problem, again.proof) == (None, ProofStatus.SIGNED)
        # A lost document is loaded again.
        del server.documents[next(key for key in server.documents if key[0].startswith("cloudtrail-20"))]
        repaired = load(trail, manifest, server, records=records)
        assert repaired.cell.problem is None
        assert held(server) == ids(trail)


READS = b"""
rules:
  - {name: reads, why: a test, do: leave-out, events: {read_only: true}}
  - {name: data, why: a test, do: leave-out, events: {paths: {eventCategory: Data}}}
"""


@pytest.mark.promise("nothing-lost", "restartable")
def test_events_that_rules_leave_out_are_counted_and_can_be_loaded_later(caplog: pytest.LogCaptureFixture) -> None:
    """Listed = indexed + left out, also after a kill. After the rules are removed, a run loads these events."""
    caplog.set_level("INFO")
    filtered = build_schema("flattened", read_rules(READS, "mine.yaml") + load_rules())
    server, records, store = KillingServer(3), Records(), InMemoryStore()
    with local_trail() as trail:
        manifest, whole = trail.list_window(), documents(trail)
        expected = Counter(
            "reads" if document.get("readOnly") is True else "data"
            for document in whole.values()
            if document.get("readOnly") is True or document.get("eventCategory") == "Data"
        )
        assert min(expected["reads"], expected["data"]) > 0
        with pytest.raises(KilledError):
            load(trail, manifest, server, store, records, filtered)
        server.left = 10**9
        loaded = load(trail, manifest, server, store, records, filtered)
        cell = loaded.cell
        assert (cell.problem, cell.left_out_by) == (None, dict(expected))
        assert (cell.staged, cell.left_out) == (len(ids(trail)), expected.total())
        assert len(held(server)) == cell.indexed == len(ids(trail)) - expected.total()
        assert f"{expected['reads']} by reads" in caplog.text
        # The same rules again: nothing is sent.
        sent = server.requests
        assert load(trail, manifest, server, records=records, schema=filtered).cell == cell
        assert server.requests == sent
        # Without the rules, everything is loaded.
        loaded = load(trail, manifest, server, records=records)
        assert (loaded.cell.problem, loaded.cell.left_out_by) == (None, {})
        assert held(server) == ids(trail)
        # With them again, nothing is deleted, and the figures show it.
        caplog.clear()
        loaded = load(trail, manifest, server, records=records, schema=filtered)
        assert (loaded.cell.problem, loaded.cell.left_out, loaded.cell.indexed) == (None, 0, len(ids(trail)))
        assert f"{expected.total()} events that rules leave out are in the index" in caplog.text


def documents(trail: LocalTrail) -> dict[tuple[str, str], Any]:
    """Return the documents of the intact window."""
    server = Server()
    load(trail, trail.list_window(), server)
    return drop_times(server.documents)


def alter(trail: LocalTrail, key: str, *, is_larger: bool) -> None:
    """Change an event without changing its id. Of two contents, the smaller object fits into the list of both."""
    body, metadata = trail.objects.get(key)
    content = json.loads(gzip.decompress(body))
    names = {"eventID", "eventId", "eventTime", "timeWindow", "eventVersion"}
    content["Records"][0] = {name: value for name, value in content["Records"][0].items() if name in names}
    content["Records"][0]["errorMessage"] = random.Random(0).randbytes(2000).hex() if is_larger else "no"
    altered = gzip.compress(json.dumps(content, separators=(",", ":")).encode())
    assert (len(altered) > len(body)) is is_larger
    trail.objects.put(key, altered, metadata)


@pytest.mark.promise("proven-by-aws", "nothing-lost")
@pytest.mark.parametrize("is_listed_first", [True, False])
def test_a_restored_log_file_replaces_what_was_loaded_while_it_was_altered(is_listed_first: bool) -> None:
    """The altered event has the id of the true one, so a count of ids finds nothing. The list can be older."""
    server, records = Server(), Records()
    with local_trail() as trail:
        wanted, manifest = documents(trail), trail.list_window()
        key = trail.files()[-3].key
        original = trail.objects.get(key)
        alter(trail, key, is_larger=not is_listed_first)
        if not is_listed_first:
            manifest = trail.list_window()
        loaded = load(trail, manifest, server, records=records)
        assert loaded.proof is ProofStatus.INVALID
        assert server.documents.keys() == wanted.keys()
        assert drop_times(server.documents) != wanted
        trail.objects.put(key, *original)
        loaded = load(trail, manifest, server, records=records)
        assert (loaded.cell.problem, loaded.proof) == (None, ProofStatus.SIGNED)
        assert drop_times(server.documents) == wanted
        # And from then on nothing is sent, if the list is right.
        for _ in range(2):
            sent = server.requests
            again = load(trail, trail.list_window(), server, records=records)
            assert again.proof is ProofStatus.SIGNED
        assert server.requests == sent


@pytest.mark.promise("proven-by-aws", "restartable")
@pytest.mark.parametrize("number", [0, 1, 5])
def test_a_resumed_load_sends_a_log_file_again_that_was_altered_before(number: int) -> None:
    """Even if its events were acknowledged: the attempt before has sent others under their ids."""
    with local_trail() as trail:
        wanted, manifest = documents(trail), trail.list_window()
        key = trail.files()[number].key
        original = trail.objects.get(key)
        alter(trail, key, is_larger=False)
        server, store = KillingServer(8), InMemoryStore()
        with pytest.raises(KilledError):
            load(trail, manifest, server, store)
        trail.objects.put(key, *original)
        server.left = 10**9
        loaded = load(trail, manifest, server, store)
        assert (loaded.cell.problem, loaded.proof) == (None, ProofStatus.SIGNED)
        assert drop_times(server.documents) == wanted


@pytest.mark.promise("proven-by-aws")
def test_a_restored_log_file_is_not_proven_by_counting_alone() -> None:
    """Its documents may still be those of the altered one: it must be loaded."""
    ledger: Any = Ledger()
    server = Server()
    with local_trail() as trail:
        manifest = trail.list_window()
        load(trail, manifest, server)
        key = trail.files()[3].key
        body, metadata = trail.objects.get(key)
        # The time in the head of the gzip data.
        trail.objects.put(key, body[:4] + b"abcd" + body[8:], metadata)
        with closing(LogFiles(manifest, lambda: WindowFiles(manifest, trail.bucket))) as source:
            found = WindowLoad(source, Records(), make_loader(server), ledger, InMemoryStore()).verify()
        assert found.proof is not None
        assert {(each.kind, each.key) for each in found.proof.findings} == {(FindingKind.CHANGED_FILE, key)}
        loaded = load(trail, manifest, server)
        assert (loaded.cell.problem, loaded.proof) == (None, ProofStatus.SIGNED)


@pytest.mark.promise("nothing-lost")
def test_damage_is_named_and_everything_else_is_loaded() -> None:
    server = Server()
    with local_trail() as trail:
        files = trail.files()
        cut = tampering.truncate(trail.objects, files[2].key)
        gone = tampering.delete(trail.objects, files[5].key)
        loaded = load(trail, trail.list_window(), server)
        assert {(each.kind, each.key) for each in loaded.findings} == {
            (FindingKind.ALTERED_FILE, cut),
            (FindingKind.DAMAGED_FILE, cut),
            (FindingKind.MISSING_FILE, gone),
        }
        assert loaded.proof is ProofStatus.INVALID
        assert loaded.cell.problem is not None
        assert cut in loaded.cell.problem
        assert gone in loaded.cell.problem
        others = {event_id for file in files if file.key not in (cut, gone) for event_id in file.event_ids}
        assert held(server) >= others


def test_events_without_an_id_or_a_time_are_loaded_too() -> None:
    """Under a hash of their content, into the undated index."""
    odd = [
        {"eventVersion": "1.08", "eventName": "NoId", "eventTime": "2026-11-20T00:00:00Z"},
        {"eventVersion": "1.08", "eventID": str(uuid.UUID(int=1)), "eventName": "NoTime"},
        {"eventName": "Neither"},
        {"eventName": "Neither"},
    ]
    server = Server()
    with local_trail() as trail:
        region = trail.region()
        for key in [key for key in trail.objects.objects if f"/{region.account}/" in key]:
            trail.objects.delete(key)
        stamp = f"{region.account}_CloudTrail_{region.region}_20261120T0005Z_abcdefghijklmnop.json.gz"
        folder = region.root.day_folder(region.account, "CloudTrail", region.region, DAY)
        trail.objects.put(folder + stamp, gzip.compress(json.dumps({"Records": odd}).encode()), {})
        loaded = load(trail, trail.list_window(region, is_proving=False), server)
        assert loaded.cell.problem is None
        assert (loaded.cell.looked_up, loaded.cell.duplicates, loaded.cell.indexed) == (4, 1, 3)
        undated = server.of("cloudtrail-undated")
        assert len(undated) == 2


def test_a_load_without_a_ledger_reports_its_progress() -> None:
    shown = []
    server = Server()
    with local_trail() as trail:
        manifest = trail.list_window()
        loader = make_loader(server)
        loader.prepare()
        loaded = load_window_once(
            manifest, trail.bucket, loader, lambda events, read: shown.append((events, read))
        )
        assert sum(events for events, _ in shown) == loaded.sent.read == len(ids(trail))
        assert sum(read for _, read in shown) == manifest.bytes


def test_a_quiet_window_asks_the_server_for_nothing() -> None:
    server = Server()
    with local_trail() as trail:
        region = trail.region()
        for file in trail.files(region):
            trail.objects.delete(file.key)
        manifest = trail.list_window(region, is_proving=False)
        loaded = load_window_once(manifest, trail.bucket, make_loader(server), lambda *_: None)
        assert (loaded.cell.state, loaded.cell.problem, server.requests) == ("quiet", None, 0)
