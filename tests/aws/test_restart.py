"""A fetch that is killed at any call is resumed, and stages every event once."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.documents.events import Event, document_id, parse_line
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.sources.lookup_events import fetch_checkpoint, pager, scheduler
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.fetch import fetch
from cloudtrail_elasticsearch.sources.lookup_events.fetch_checkpoint import STATE_KEY
from cloudtrail_elasticsearch.sources.lookup_events.late import fetch_late
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from cloudtrail_elasticsearch.staging import Manifest, Staging
from cloudtrail_elasticsearch.staging.parts import digest
from devstack.simulator import DEFAULT_ACCOUNT, Simulator, SimulatorSettings
from tests.clock import today

DAY = midnight(today()) - timedelta(days=2)
BUSY = Window(DEFAULT_ACCOUNT, "us-east-1", DAY, DAY + timedelta(days=1))
OTHER = Window(DEFAULT_ACCOUNT, "eu-west-1", DAY, DAY + timedelta(days=1))
STATE_LIMIT = 65_536
"""[state_store] max_value_storage_bytes"""


class Killed(BaseException):
    """Stands for `kill -9`: nothing may run after it."""


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(SimulatorSettings(quota=1e6, burst=1_000_000, latency=0.01, volume=2_800)) as running:
        yield running


@pytest.fixture
def staging(aws: str, bucket: str) -> Staging:
    return Staging(boto3.client("s3", endpoint_url=aws, region_name="us-east-1"), bucket)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make parts of few pages, and a checkpoint after each page."""
    monkeypatch.setattr(pager, "PAGES_PER_PART", 3)
    monkeypatch.setattr(fetch_checkpoint, "SECONDS_BETWEEN", 0.0)


class Client:
    """A CloudTrail client that is killed at its n-th answer, before or after the answer arrives."""

    def __init__(self, simulator: Simulator, window: Window, kill_at: int | None = None) -> None:
        self._client = boto3.client(
            "cloudtrail",
            endpoint_url=simulator.endpoint_url,
            region_name=window.region,
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=10),
        )
        self._lock = threading.Lock()
        self._left = kill_at
        self.calls = 0

    def lookup_events(self, **request: Any) -> Any:
        with self._lock:
            self.calls += 1
            if self._left is not None:
                self._left -= 1
                if self._left < 0:
                    raise Killed
        return self._client.lookup_events(**request)


class Store(InMemoryStore):
    """Stores values as JSON, as Airflow does, and records the size of the largest."""

    largest = 0

    def set(self, key: str, value: Any) -> None:
        text = json.dumps(value)
        self.largest = max(self.largest, len(text))
        super().set(key, json.loads(text))


Fetch = Callable[[Window, LookupEvents, Staging, Any], Manifest]


def attempt(
    simulator: Simulator, staging: Staging, store: Any, kill_at: int | None = None, work: Fetch = fetch
) -> Any:
    """Return the manifest, or None if the attempt was killed."""
    try:
        return work(BUSY, LookupEvents(Client(simulator, BUSY, kill_at), RateLimiter(1e9)), staging, store)
    except Killed:
        return None


def staged_ids(staging: Staging, manifest: Manifest) -> list[str]:
    events = [parse_line(line) for part in manifest.parts for line in staging.lines(part)]
    return [document_id(event) for event in events if isinstance(event, Event)]


def truth(simulator: Simulator) -> list[str]:
    return list(simulator.truth(BUSY.region, BUSY.start, BUSY.end - timedelta(seconds=1)))


def in_the_bucket(staging: Staging) -> list[str]:
    return [listed.key for listed in staging.bucket.list(staging.folder(BUSY))]


@pytest.mark.promise("restartable")
@pytest.mark.parametrize("seed", range(6))
def test_a_fetch_that_is_killed_at_any_call_is_resumed(simulator: Simulator, staging: Staging, seed: int) -> None:
    """Every event is staged once, at most unwritten pages are requested again, and no temporary object remains."""
    chance, store, kills = random.Random(seed), Store(), 0
    while (manifest := attempt(simulator, staging, store, chance.randrange(1, 40))) is None:
        kills += 1
    expected = truth(simulator)
    assert kills
    assert len(expected) > 2_000
    assert staged_ids(staging, manifest) == expected
    assert manifest.attempts == kills + 1
    repeated = simulator.service.statistics.regions[BUSY.region].repeated_pages
    assert repeated <= kills * scheduler.MOST_SLICES * pager.PAGES_PER_PART
    assert sorted(in_the_bucket(staging)) == sorted(
        [f"{staging.folder(BUSY)}/manifest.json", *(part.key for part in manifest.parts)]
    )
    assert store.get(STATE_KEY) is None


@pytest.mark.promise("restartable")
@pytest.mark.parametrize("pages", [3, 100])
@pytest.mark.parametrize("part", range(4))
def test_a_fetch_that_is_killed_while_it_writes_a_part_is_resumed(
    simulator: Simulator, staging: Staging, aws: str, part: int, pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other slices keep their progress."""
    monkeypatch.setattr(pager, "PAGES_PER_PART", pages)
    client = boto3.client("s3", endpoint_url=aws, region_name="us-east-1")
    parts = itertools.count()

    def write(params: dict[str, Any], **_: Any) -> None:
        if "/part-" in params["url_path"] and next(parts) == part:
            time.sleep(0.3)
            raise Killed

    client.meta.events.register("before-call.s3.PutObject", write)
    store = Store()
    assert attempt(simulator, Staging(client, staging.bucket.name), store) is None
    assert staged_ids(staging, attempt(simulator, staging, store)) == truth(simulator)


@pytest.mark.promise("bounded")
def test_the_saved_progress_fits_into_a_state_store(
    simulator: Simulator, staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many parts there are: a slice of many parts is divided, and its parts are listed in the bucket."""
    monkeypatch.setattr(pager, "PAGES_PER_PART", 1)
    monkeypatch.setattr(pager, "PAGES_PER_SLICE", 4)
    store = Store()
    manifest = attempt(simulator, staging, store)
    assert staged_ids(staging, manifest) == truth(simulator)
    assert len(manifest.parts) > 50
    assert 0 < store.largest < 20_000 < STATE_LIMIT


@pytest.mark.promise("restartable")
def test_a_finished_fetch_is_not_resumed(simulator: Simulator, staging: Staging) -> None:
    """Trap 1 of the task state store: with force, everything is looked up again, with the same result."""
    store = Store()
    first = attempt(simulator, staging, store)
    assert staged_ids(staging, first) == truth(simulator)
    second = attempt(simulator, staging, store)
    assert second.fetch != first.fetch
    assert second.calls >= len(truth(simulator)) / 50
    assert staged_ids(staging, second) == truth(simulator)
    assert not any(first.fetch in key for key in in_the_bucket(staging))


def test_a_fetch_that_is_killed_after_its_manifest_is_done(simulator: Simulator, staging: Staging) -> None:
    """The next attempt has nothing left to look up."""
    store = Store()
    store.delete = lambda key: None  # type: ignore[method-assign]
    first = attempt(simulator, staging, store)
    calls = simulator.service.statistics.regions[BUSY.region].calls
    assert attempt(simulator, staging, store) == first
    assert simulator.service.statistics.regions[BUSY.region].calls == calls


def test_the_state_of_another_window_is_not_used(simulator: Simulator, staging: Staging) -> None:
    """Trap 2: the store's key is the map index, which can be another region's in the next attempt."""
    store = Store()
    assert attempt(simulator, staging, store, kill_at=20) is None
    kept = store.get(STATE_KEY)
    assert kept is not None
    other = fetch(OTHER, LookupEvents(Client(simulator, OTHER), RateLimiter(1e9)), staging, store)
    expected = list(simulator.truth(OTHER.region, OTHER.start, OTHER.end - timedelta(seconds=1)))
    assert staged_ids(staging, other) == expected


@pytest.mark.promise("restartable")
@pytest.mark.parametrize("broken", [None, {}, "text", {"fingerprint": "x", "value": 1}])
def test_a_store_that_fails_or_lies_costs_only_calls(simulator: Simulator, staging: Staging, broken: Any) -> None:
    """All events are staged in the end."""

    class Broken(Store):
        def get(self, key: str, default: Any = None) -> Any:
            if broken is None:
                raise RuntimeError("the API server is away")
            return broken

        def set(self, key: str, value: Any) -> None:
            raise RuntimeError("the API server is away")

        def delete(self, key: str) -> None:
            raise RuntimeError("the API server is away")

    assert staged_ids(staging, attempt(simulator, staging, Broken())) == truth(simulator)


def test_a_slice_whose_token_expires_is_looked_up_in_halves(staging: Staging) -> None:
    """Events that are already staged are not staged twice."""
    settings = SimulatorSettings(quota=1e6, burst=1_000_000, latency=0, volume=2_800, token_lifetime=0.05)
    with Simulator(settings) as forgetful:
        manifest = attempt(forgetful, staging, Store())
        assert staged_ids(staging, manifest) == truth(forgetful)
        assert forgetful.service.statistics.regions[BUSY.region].failed > 0


def test_a_token_that_expired_between_two_attempts_loses_nothing(staging: Staging) -> None:
    """A restart after longer than tokens live: staged events are recognised, and not staged twice."""
    settings = SimulatorSettings(quota=1e6, burst=1_000_000, latency=0, volume=2_800)
    with Simulator(settings) as simulator:
        store = Store()
        assert attempt(simulator, staging, store, kill_at=25) is None
        simulator.service.clock.shift(7_200)
        manifest = attempt(simulator, staging, store)
        assert staged_ids(staging, manifest) == truth(simulator)
        assert simulator.service.statistics.regions[BUSY.region].failed > 0


def test_deleted_parts_are_looked_up_again(simulator: Simulator, staging: Staging, bucket: str, aws: str) -> None:
    """Somebody emptied the bucket between two attempts."""
    store = Store()
    assert attempt(simulator, staging, store, kill_at=30) is None
    s3 = boto3.client("s3", endpoint_url=aws)
    for key in in_the_bucket(staging):
        s3.delete_object(Bucket=bucket, Key=key)
    manifest = attempt(simulator, staging, store)
    assert staged_ids(staging, manifest) == truth(simulator)


def test_two_attempts_at_once_do_no_harm(simulator: Simulator, staging: Staging) -> None:
    """Two attempts of one fetch: one manifest, every event once."""
    store = Store()
    assert attempt(simulator, staging, store, kill_at=15) is None
    manifests: list[Manifest] = []
    together = [
        threading.Thread(target=lambda: manifests.append(attempt(simulator, staging, store))) for _ in range(2)
    ]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert len(manifests) == 2
    standing = staging.manifest(BUSY)
    assert standing is not None
    assert staged_ids(staging, standing) == truth(simulator)


@pytest.mark.promise("no-duplicates")
def test_two_runs_of_one_window_do_no_harm(simulator: Simulator, staging: Staging) -> None:
    """Each with a store of its own: the first to end writes the manifest, the other leaves nothing behind."""
    manifests: list[Manifest] = []
    together = [
        threading.Thread(target=lambda: manifests.append(attempt(simulator, staging, Store()))) for _ in range(2)
    ]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    first, second = manifests
    assert first == second == staging.manifest(BUSY)
    assert staged_ids(staging, first) == truth(simulator)
    assert all(first.fetch in key or key.endswith("manifest.json") for key in in_the_bucket(staging))


def test_late_events_are_staged_as_further_parts(simulator: Simulator, staging: Staging) -> None:
    """Only the late events; a second sweep finds nothing."""
    expected = truth(simulator)
    late = expected[::97]
    never = datetime.now(UTC).timestamp() + 86_400
    simulator.service.arrived.schedule.update(dict.fromkeys(late, never))
    first = attempt(simulator, staging, Store())
    assert sorted(staged_ids(staging, first)) == sorted(set(expected) - set(late))

    simulator.service.arrived.schedule.update(dict.fromkeys(late, 0.0))
    store, kills = Store(), 0
    while (swept := attempt(simulator, staging, store, kill_at=40, work=fetch_late)) is None:
        kills += 1
    assert kills
    assert (swept.late, swept.looked_up, swept.staged) == (len(late), len(expected), len(expected))
    assert swept.parts[: len(first.parts)] == first.parts
    assert sorted(staged_ids(staging, swept)) == sorted(expected)
    again = attempt(simulator, staging, Store(), work=fetch_late)
    assert again == swept
    assert sorted(in_the_bucket(staging)) == sorted(
        [f"{staging.folder(BUSY)}/manifest.json", *(part.key for part in swept.parts)]
    )


def test_a_sweep_of_a_window_that_is_not_staged_fetches_it(simulator: Simulator, staging: Staging) -> None:
    """No fetch is needed before it."""
    manifest = attempt(simulator, staging, Store(), work=fetch_late)
    assert staged_ids(staging, manifest) == truth(simulator)
    assert manifest.late == 0


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda body: body[: len(body) // 2],
    "replaced": lambda body: b'{"a": 1}',
    "of the same size": lambda body: body[:-1] + bytes([body[-1] ^ 1]),
}


@pytest.mark.promise("restartable")
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("kind", ["/checkpoint-", "/part-"])
def test_damaged_objects_are_looked_up_again(
    simulator: Simulator,
    staging: Staging,
    bucket: str,
    aws: str,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    damage: str,
) -> None:
    """All checkpoints or all parts of slices: each event is still staged once."""
    monkeypatch.setattr("cloudtrail_elasticsearch.sources.lookup_events.slice_pool.OVERHEAD", -1e9)
    store = Store()
    assert attempt(simulator, staging, store, kill_at=45) is None
    # The order of the threads decides which objects a kill leaves.
    while not (keys := [key for key in in_the_bucket(staging) if kind in key]):
        assert attempt(simulator, staging, store, kill_at=1) is None
    s3 = boto3.client("s3", endpoint_url=aws)
    for key in keys:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        s3.put_object(Bucket=bucket, Key=key, Body=DAMAGE[damage](body))
    manifest = attempt(simulator, staging, store)
    assert staged_ids(staging, manifest) == truth(simulator)
    assert manifest.looked_up == manifest.staged + manifest.duplicates


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(pool=[]),
        lambda value: value.update(pool=[[0, 1]]),
        lambda value: value.pop("calls"),
        lambda value: value.update(done="x"),
        lambda value: value.update(slices=value.pop("open")),
    ],
)
def test_progress_that_does_not_cover_the_window_is_not_used(
    simulator: Simulator, staging: Staging, change: Callable[[dict[str, Any]], Any]
) -> None:
    """Of another version, or damaged: a new start costs calls, but no event."""
    store = Store()
    assert attempt(simulator, staging, store, kill_at=12) is None
    saved = store.get(STATE_KEY)
    value = saved["value"]
    body = staging.read_checkpoint(value["checkpoint"])
    record = json.loads(gzip.decompress(body[value["start"] :]))
    change(record)
    packed = gzip.compress(json.dumps(record).encode())
    value.update(checkpoint=f"{value['checkpoint']}-changed", sha256=digest(packed))
    staging.bucket.create(value["checkpoint"], body[: value["start"]] + packed, "application/gzip")
    store.set(STATE_KEY, saved)
    assert staged_ids(staging, attempt(simulator, staging, store)) == truth(simulator)


@pytest.mark.parametrize(
    "value", [{}, {"id": 1}, {"id": "old", "attempts": 3, "calls": 9, "open": [[0, 1, 2, 3]]}]
)
def test_the_state_of_another_version_is_not_used(simulator: Simulator, staging: Staging, value: Any) -> None:
    """A new start costs calls, but no event. The objects of the fetch are deleted, if its id is readable."""
    left = staging.object_key(BUSY, "old", "slice-0.json")
    staging.bucket.create(left, b"{}", "application/json")
    store = Store()
    store.set(STATE_KEY, {"fingerprint": f"{staging.uri(BUSY)} {BUSY.name}", "value": value})
    assert staged_ids(staging, attempt(simulator, staging, store)) == truth(simulator)
    assert (left in in_the_bucket(staging)) == (value.get("id") != "old")
