"""Several attempts of one fetch: killed at any request, simultaneous, or with an outdated state."""

from __future__ import annotations

import json
import random
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.events import staged_event
from cloudtrail_elasticsearch.core.errors import StuckLookupError, TransientError
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.sources.lookup_events import fetch_checkpoint, pager, scheduler
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.fetch import fetch
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from cloudtrail_elasticsearch.staging import Staging
from tests.core.unruly import Happened, Killed, Manners, UnrulyLookup, at, event_id
from tests.memory_s3 import MemoryS3

SECONDS = 3_600
WINDOW = Window("123456789012", "us-east-1", at(0), at(SECONDS))


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make parts and slices of few pages, so that a few hundred events make many."""
    monkeypatch.setattr(pager, "PAGES_PER_PART", 3)
    monkeypatch.setattr(pager, "PAGES_PER_SLICE", 12)
    monkeypatch.setattr("cloudtrail_elasticsearch.sources.lookup_events.slice_pool.FEWEST_PAGES", 2)


class KillingS3(MemoryS3):
    """Kills at its n-th request that changes something, before or after the change."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.left: int | None = None
        self._chance = chance
        self._counting = threading.Lock()

    def put_object(self, **how: Any) -> dict[str, Any]:
        if "looking-up" in how["Key"]:
            return super().put_object(**how)
        is_before = self._chance.random() < 0.5
        if is_before:
            self._count()
        answer = super().put_object(**how)
        if not is_before:
            self._count()
        return answer

    def delete_objects(self, **asked: Any) -> dict[str, Any]:
        self._count()
        return super().delete_objects(**asked)

    def _count(self) -> None:
        with self._counting:
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise Killed


class Rewound(InMemoryStore):
    """Keeps every value, and can go back to an earlier one."""

    def __init__(self) -> None:
        super().__init__()
        self._past: list[str] = []

    def set(self, key: str, value: Any) -> None:
        self._past.append(json.dumps(value))
        super().set(key, json.loads(self._past[-1]))

    def rewind(self, chance: random.Random) -> None:
        """Go back to a random earlier value."""
        if self._past:
            super().set(fetch_checkpoint.STATE_KEY, json.loads(chance.choice(self._past)))


class Scene:
    """A window whose events each query returns in another order, and a bucket that kills."""

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch, order: str = "shuffled") -> None:
        self.chance = chance = random.Random(seed)
        share = chance.choice([0.0, 0.1, 0.3, 1.0])
        # A checkpoint is written after each page, after some pages, or never.
        monkeypatch.setattr(fetch_checkpoint, "SECONDS_BETWEEN", chance.choice([0.0, 0.002, 10.0]))
        monkeypatch.setattr(scheduler, "is_worth_dividing", lambda *_: chance.random() < share)
        seconds = [chance.randrange(SECONDS) for _ in range(chance.choice([40, 150, 300]))]
        self._happened = [Happened(event_id(number), at(second)) for number, second in enumerate(seconds)]
        manners = Manners(order=order, page_size=chance.randrange(3, 20), expiries=chance.choice([0, 2]))
        self.client = UnrulyLookup(self._happened, [], manners, seed)
        self.s3 = KillingS3(chance)
        self._staging = Staging(self.s3, "bucket")
        self.store = Rewound()

    def attempt(self) -> None:
        """Fetch until it is done or killed."""
        try:
            fetch(WINDOW, LookupEvents(self.client, RateLimiter(1e9)), self._staging, self.store)
        except (Killed, StuckLookupError):
            return

    def kill_soon(self) -> None:
        """Let a request of the next attempts, to AWS or to S3, kill them."""
        at_s3 = self.chance.random() < 0.6
        self.s3.left = self.chance.randrange(1, 40) if at_s3 else None
        self.client.kill_at = None if at_s3 else self.client.calls + self.chance.randrange(1, 40)

    def check(self) -> None:
        """Fetch to the end, and check that every event is staged once."""
        self.s3.left = self.client.kill_at = None
        self.attempt()
        manifest = self._staging.manifest(WINDOW)
        assert manifest is not None
        lines = [line for part in manifest.parts for line in self._staging.lines(part)]
        assert sorted(staged_event(line).id for line in lines) == sorted(each.id for each in self._happened)
        assert manifest.looked_up == manifest.staged + manifest.duplicates


@pytest.mark.promise("nothing-lost", "restartable")
@pytest.mark.parametrize("order", ["newest", "shuffled", "disordered"])
def test_attempts_that_are_killed_at_any_request_lose_nothing(monkeypatch: pytest.MonkeyPatch, order: str) -> None:
    """Before or after a call to AWS, a write or a deletion."""
    for seed in range(40):
        scene = Scene(seed, monkeypatch, order)
        for _ in range(scene.chance.randrange(1, 5)):
            scene.kill_soon()
            scene.attempt()
        scene.check()


@pytest.mark.slow
@pytest.mark.promise("restartable")
def test_an_outdated_state_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that began before another one, which went on writing, takes none of its pages."""
    for seed in range(120):
        scene = Scene(seed, monkeypatch)
        for _ in range(scene.chance.randrange(2, 6)):
            scene.kill_soon()
            scene.attempt()
            scene.store.rewind(scene.chance)
        scene.check()


@pytest.mark.slow
@pytest.mark.promise("nothing-lost")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_two_killed_simultaneous_attempts_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each query has its events in another order, so pages of one attempt do not fit the other."""
    for seed in range(60):
        scene = Scene(seed, monkeypatch)
        for _ in range(scene.chance.randrange(1, 4)):
            scene.kill_soon()
            both = [threading.Thread(target=scene.attempt) for _ in range(2)]
            for thread in both:
                thread.start()
            for thread in both:
                thread.join()
        scene.check()


class Conflicting(MemoryS3):
    """Answers 409 to the first conditional writes of each object, as S3 does during another write."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._conflicts: dict[str, int] = {}

    def put_object(self, **how: Any) -> dict[str, Any]:
        seen = self._conflicts.get(how["Key"], 0)
        if (how.get("IfNoneMatch") or how.get("IfMatch")) and seen < self._most:
            self._conflicts[how["Key"]] = seen + 1
            raise ClientError({"Error": {"Code": "ConditionalRequestConflict"}}, "PutObject")
        return super().put_object(**how)


def fetch_into(s3: MemoryS3, count: int = 60) -> Staging:
    """Fetch some events into a bucket."""
    happened = [Happened(event_id(number), at(number)) for number in range(count)]
    staging = Staging(s3, "bucket")
    fetch(WINDOW, LookupEvents(UnrulyLookup(happened, [], Manners(), 1), RateLimiter(1e9)), staging, Rewound())
    return staging


def test_a_conflict_does_not_mean_that_the_object_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """The write is retried, because the other write may have failed."""
    monkeypatch.setattr("cloudtrail_elasticsearch.staging.bucket._PAUSE", 0.001)
    staging = fetch_into(Conflicting(2))
    manifest = staging.manifest(WINDOW)
    assert manifest is not None
    assert sum(len(list(staging.lines(part))) for part in manifest.parts) == 60


def test_endless_conflicts_fail_with_a_transient_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the object."""
    monkeypatch.setattr("cloudtrail_elasticsearch.staging.bucket._PAUSE", 0.001)
    with pytest.raises(TransientError, match="conflict"):
        fetch_into(Conflicting(1_000))


class Vanishing(MemoryS3):
    """Loses an object, once, as soon as it is written."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def get_object(self, **asked: Any) -> dict[str, Any]:
        if self._name and self._name in asked["Key"] and asked["Key"] in self.objects:
            del self.objects[asked["Key"]]
            self._name = ""
        return super().get_object(**asked)


@pytest.mark.promise("nothing-lost")
def test_a_missing_part_is_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another attempt may have deleted it: the next attempt looks it up again without force."""
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda pages, *_: pages < 3)
    happened = [Happened(event_id(number), at(number)) for number in range(200)]
    s3, store = Vanishing("/part-"), Rewound()
    staging = Staging(s3, "bucket")
    client = UnrulyLookup(happened, [], Manners(), 1)
    with pytest.raises(TransientError, match="next attempt"):
        fetch(WINDOW, LookupEvents(client, RateLimiter(1e9)), staging, store)
    manifest = fetch(WINDOW, LookupEvents(client, RateLimiter(1e9)), staging, store)
    lines = [line for part in manifest.parts for line in staging.lines(part)]
    assert sorted(staged_event(line).id for line in lines) == sorted(each.id for each in happened)


class Undeleting(MemoryS3):
    """Answers every deletion with an error for each key."""

    def delete_objects(self, **asked: Any) -> dict[str, Any]:
        keys = [each["Key"] for each in asked["Delete"]["Objects"]]
        return {"Errors": [{"Key": key, "Code": "MethodNotAllowed", "Message": "no"} for key in keys]}


def test_objects_that_cannot_be_deleted_do_not_fail_a_fetch(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the reason: the events are staged, and the log names the objects."""
    monkeypatch.setattr(fetch_checkpoint, "SECONDS_BETWEEN", 0.0)
    assert fetch_into(Undeleting()).manifest(WINDOW) is not None
    assert "MethodNotAllowed" in caplog.text


class WatchedLimiter(RateLimiter):
    """Counts the slots that are taken, and the most threads that waited for one at once."""

    def __init__(self) -> None:
        super().__init__(1e9)
        self.slots = 0
        self.most = 0
        self._waiting = 0
        self._noting = threading.Lock()

    def acquire(self) -> None:
        with self._noting:
            self.slots += 1
            self._waiting += 1
            self.most = max(self.most, self._waiting)
        time.sleep(0.001)
        super().acquire()
        with self._noting:
            self._waiting -= 1


@pytest.mark.promise("polite")
@pytest.mark.parametrize("seed", range(6))
def test_every_call_takes_one_slot_of_the_quota(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every attempt, repeated calls included."""
    scene = Scene(seed, monkeypatch)
    staging = Staging(scene.s3, "bucket")
    for kill in (True, False, False):
        scene.s3.left = 5 if kill else None
        pace = WatchedLimiter()
        source = LookupEvents(scene.client, pace)
        try:
            fetch(WINDOW, source, staging, scene.store)
        except Killed:
            assert kill
        else:
            assert pace.slots == source.calls


def test_a_slice_is_chosen_when_its_slot_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """If slices queued for slots, all would get an equal share, and the busiest would end last."""
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda pages, *_: pages < 2)
    monkeypatch.setattr(scheduler.Scheduler, "_most_open", 8)
    happened = [Happened(event_id(number), at(number * SECONDS // 400)) for number in range(400)]
    client = UnrulyLookup(happened, [], Manners(page_size=5), 1)
    pace = WatchedLimiter()
    fetch(WINDOW, LookupEvents(client, pace), Staging(MemoryS3(), "bucket"), InMemoryStore())
    assert pace.most == 1
