"""A fetch that is cut off at any call goes on where it was, and ends in every event once."""

from __future__ import annotations

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

from cloudtrail_elasticsearch.core.events import Event, document_id, parse_line
from cloudtrail_elasticsearch.core.pace import Pace
from cloudtrail_elasticsearch.core.state import ForgetfulStore
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.pipeline import fetch as pipeline
from cloudtrail_elasticsearch.pipeline.fetch import STATE_KEY, fetch
from cloudtrail_elasticsearch.pipeline.late import fetch_late
from cloudtrail_elasticsearch.sources.lookup_events import LookupEvents
from cloudtrail_elasticsearch.staging import Manifest, Staging
from devstack.simulator import DEFAULT_ACCOUNT, Simulator, SimulatorSettings

DAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
BUSY = Window(DEFAULT_ACCOUNT, "us-east-1", DAY, DAY + timedelta(days=1))
OTHER = Window(DEFAULT_ACCOUNT, "eu-west-1", DAY, DAY + timedelta(days=1))
STATE_LIMIT = 65_536
"""[state_store] max_value_storage_bytes"""


class Killed(BaseException):
    """What stands for `kill -9`: nothing may be done after it."""


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(SimulatorSettings(quota=1e6, burst=1_000_000, latency=0.01, volume=4_000)) as running:
        yield running


@pytest.fixture
def staging(aws: str, bucket: str) -> Staging:
    return Staging(boto3.client("s3", endpoint_url=aws, region_name="us-east-1"), bucket)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "PAGES_PER_PART", 3)


class Client:
    """A CloudTrail client that is killed at its n-th answer, before or after it came."""

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


class Store(ForgetfulStore):
    """Values as JSON, as Airflow keeps them, and the size of the largest."""

    largest = 0

    def set(self, key: str, value: Any) -> None:
        text = json.dumps(value)
        self.largest = max(self.largest, len(text))
        super().set(key, json.loads(text))


Fetch = Callable[[Window, LookupEvents, Staging, Any], Manifest]


def attempt(
    simulator: Simulator, staging: Staging, store: Any, kill_at: int | None = None, work: Fetch = fetch
) -> Any:
    """Return the manifest, or None where it was killed."""
    try:
        return work(BUSY, LookupEvents(Client(simulator, BUSY, kill_at), Pace(1e9)), staging, store)
    except Killed:
        return None


def staged_ids(staging: Staging, manifest: Manifest) -> list[str]:
    events = [parse_line(line) for part in manifest.parts for line in staging.lines(part)]
    return [document_id(event) for event in events if isinstance(event, Event)]


def truth(simulator: Simulator) -> list[str]:
    return list(simulator.truth(BUSY.region, BUSY.start, BUSY.end - timedelta(seconds=1)))


def in_the_bucket(staging: Staging) -> list[str]:
    return [listed.key for listed in staging._bucket.list(staging.folder(BUSY))]


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_call_a_fetch_goes_on(simulator: Simulator, staging: Staging, seed: int) -> None:
    """Every event once, no page asked for again but those on their way, and nothing left behind."""
    chance, store, kills = random.Random(seed), Store(), 0
    while (manifest := attempt(simulator, staging, store, chance.randrange(1, 40))) is None:
        kills += 1
    expected = truth(simulator)
    assert kills
    assert len(expected) > 2_000
    assert staged_ids(staging, manifest) == expected
    assert manifest.attempts == kills + 1
    repeated = simulator.service.statistics.regions[BUSY.region].repeated_pages
    assert repeated <= kills * pipeline.MOST_SLICES
    assert sorted(in_the_bucket(staging)) == sorted(
        [f"{staging.folder(BUSY)}/manifest.json", *(part.key for part in manifest.parts)]
    )
    assert store.get(STATE_KEY) is None


@pytest.mark.parametrize("pages", [3, 100])
@pytest.mark.parametrize("part", range(4))
def test_killed_while_it_writes_a_part_a_fetch_goes_on(
    simulator: Simulator, staging: Staging, aws: str, part: int, pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other slices keep what is known meanwhile: a slice without its last part is not looked up."""
    monkeypatch.setattr(pipeline, "PAGES_PER_PART", pages)
    client = boto3.client("s3", endpoint_url=aws, region_name="us-east-1")
    parts = itertools.count()

    def write(params: dict[str, Any], **_: Any) -> None:
        if "/part-" in params["url_path"] and next(parts) == part:
            time.sleep(0.3)
            raise Killed

    client.meta.events.register("before-call.s3.PutObject", write)
    store = Store()
    assert attempt(simulator, Staging(client, staging._bucket.name), store) is None
    assert staged_ids(staging, attempt(simulator, staging, store)) == truth(simulator)


def test_what_is_kept_fits_into_a_state_store(
    simulator: Simulator, staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many parts there are: a slice of many parts is ended, and kept in staging."""
    monkeypatch.setattr(pipeline, "PAGES_PER_PART", 1)
    monkeypatch.setattr(pipeline, "PARTS_PER_SLICE", 4)
    store = Store()
    manifest = attempt(simulator, staging, store)
    assert staged_ids(staging, manifest) == truth(simulator)
    assert len(manifest.parts) > 50
    assert 0 < store.largest < 20_000 < STATE_LIMIT


def test_a_finished_fetch_is_not_taken_up_again(simulator: Simulator, staging: Staging) -> None:
    """Trap 1 of the task state store: with force, everything is looked up again, and is the same."""
    store = Store()
    first = attempt(simulator, staging, store)
    assert staged_ids(staging, first) == truth(simulator)
    second = attempt(simulator, staging, store)
    assert second.fetch != first.fetch
    assert second.calls >= len(truth(simulator)) / 50
    assert staged_ids(staging, second) == truth(simulator)
    assert not any(first.fetch in key for key in in_the_bucket(staging))


def test_an_attempt_that_ended_after_its_manifest_is_done(simulator: Simulator, staging: Staging) -> None:
    """Killed between the manifest and the end, a fetch has nothing left to look up."""
    store = Store()
    store.delete = lambda key: None  # type: ignore[method-assign]
    first = attempt(simulator, staging, store)
    calls = simulator.service.statistics.regions[BUSY.region].calls
    assert attempt(simulator, staging, store) == first
    assert simulator.service.statistics.regions[BUSY.region].calls == calls


def test_the_state_of_another_window_is_not_used(simulator: Simulator, staging: Staging) -> None:
    """Trap 2: the store is keyed by map index, which another region may have in the next attempt."""
    store = Store()
    assert attempt(simulator, staging, store, kill_at=20) is None
    kept = store.get(STATE_KEY)
    assert kept is not None
    other = fetch(OTHER, LookupEvents(Client(simulator, OTHER), Pace(1e9)), staging, store)
    expected = list(simulator.truth(OTHER.region, OTHER.start, OTHER.end - timedelta(seconds=1)))
    assert staged_ids(staging, other) == expected


@pytest.mark.parametrize("broken", [None, {}, "text", {"fingerprint": "x", "value": 1}])
def test_a_store_that_fails_or_lies_costs_calls_alone(simulator: Simulator, staging: Staging, broken: Any) -> None:
    """The events are all there in the end."""

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


def test_a_token_that_expires_is_gone_around(staging: Staging) -> None:
    """The fetch goes on by time; events of the last second are not staged twice."""
    settings = SimulatorSettings(quota=1e6, burst=1_000_000, latency=0, volume=3_000, token_lifetime=0.05)
    with Simulator(settings) as forgetful:
        manifest = attempt(forgetful, staging, Store())
        assert staged_ids(staging, manifest) == truth(forgetful)
        assert forgetful.service.statistics.regions[BUSY.region].failed > 0


def test_a_token_that_expired_while_nobody_was_there(staging: Staging) -> None:
    """A restart after longer than tokens live: what is staged is known, and is not staged twice."""
    settings = SimulatorSettings(quota=1e6, burst=1_000_000, latency=0, volume=3_000)
    with Simulator(settings) as simulator:
        store = Store()
        assert attempt(simulator, staging, store, kill_at=25) is None
        simulator.service.clock.offset = 7_200
        manifest = attempt(simulator, staging, store)
        assert staged_ids(staging, manifest) == truth(simulator)
        assert simulator.service.statistics.regions[BUSY.region].failed > 0


def test_what_was_staged_and_is_gone_is_looked_up_again(
    simulator: Simulator, staging: Staging, bucket: str, aws: str
) -> None:
    """Someone emptied the bucket between two attempts."""
    store = Store()
    assert attempt(simulator, staging, store, kill_at=30) is None
    s3 = boto3.client("s3", endpoint_url=aws)
    for key in in_the_bucket(staging):
        s3.delete_object(Bucket=bucket, Key=key)
    manifest = attempt(simulator, staging, store)
    assert staged_ids(staging, manifest) == truth(simulator)


def test_an_attempt_thought_dead_does_no_harm(simulator: Simulator, staging: Staging) -> None:
    """Two attempts of one fetch at once: one manifest, every event once."""
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


def test_two_runs_of_one_window_do_no_harm(simulator: Simulator, staging: Staging) -> None:
    """Each with a store of its own: the first to end has the manifest, the other leaves nothing behind."""
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
    """What came later, and nothing else; a second look finds nothing."""
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
    """It needs no fetch before it."""
    manifest = attempt(simulator, staging, Store(), work=fetch_late)
    assert staged_ids(staging, manifest) == truth(simulator)
    assert manifest.late == 0
