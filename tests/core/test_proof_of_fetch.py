"""The fetch: whatever AWS answers, every event of the window is staged once, or the fetch fails."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import StuckLookupError
from cloudtrail_elasticsearch.core.progress import InMemoryStore, StateStore
from cloudtrail_elasticsearch.sources.lookup_events import fetch_checkpoint, pager, scheduler
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.fetch import fetch
from cloudtrail_elasticsearch.sources.lookup_events.late import fetch_late
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from cloudtrail_elasticsearch.staging import Manifest, Staging
from tests.core.unruly import Happened, Killed, Manners, UnrulyLookup, at, event_id
from tests.examples import examples
from tests.memory_s3 import MemoryS3

SECONDS = 3_600
WINDOW = Window("123456789012", "us-east-1", at(0), at(SECONDS))

clusters = st.lists(st.tuples(st.integers(0, SECONDS - 1), st.integers(1, 25)), max_size=5)
seconds = st.builds(
    lambda single, clustered: [*single, *(second for second, count in clustered for _ in range(count))],
    st.lists(st.integers(0, SECONDS - 1), max_size=120),
    clusters,
)
manners = st.builds(
    Manners,
    order=st.sampled_from(["newest", "oldest", "shuffled", "disordered"]),
    page_size=st.integers(1, 50),
    strays=st.integers(0, 5),
    misrouted=st.sampled_from([0.0, 0.0, 0.3]),
    repeats=st.sampled_from([0.0, 0.0, 0.3]),
    empty=st.sampled_from([0.0, 0.0, 0.2]),
    expiries=st.sampled_from([0, 0, 1, 5]),
    latency=st.sampled_from([0.0, 0.0, 0.001]),
)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make parts and slices of few pages, so that a few hundred events make many."""
    monkeypatch.setattr(pager, "PAGES_PER_PART", 3)
    monkeypatch.setattr(pager, "PAGES_PER_SLICE", 12)
    monkeypatch.setattr(fetch_checkpoint, "SECONDS_BETWEEN", 0.002)
    monkeypatch.setattr("cloudtrail_elasticsearch.sources.lookup_events.slice_pool.FEWEST_PAGES", 2)


def strays(count: int) -> list[Happened]:
    """Return events just before and just after the window, and far away from it."""
    places = [-1, SECONDS, -86_400, SECONDS + 86_400, -0.5]
    return [Happened(event_id(10**6 + number), at(places[number % 5])) for number in range(count)]


def staged_ids(staging: Staging, manifest: Manifest) -> list[str]:
    from cloudtrail_elasticsearch.core.documents.events import staged_event

    return sorted(staged_event(line).id for part in manifest.parts for line in staging.lines(part))


Work = Callable[[Window, LookupEvents, Staging, StateStore], Manifest]


def fetch_until_done(client: UnrulyLookup, staging: Staging, kills: list[int], work: Work) -> Manifest:
    store = InMemoryStore()
    for kill in kills:
        client.kill_at = client.calls + kill
        try:
            return work(WINDOW, LookupEvents(client, RateLimiter(1e9)), staging, store)
        except Killed:
            continue
    client.kill_at = None
    return work(WINDOW, LookupEvents(client, RateLimiter(1e9)), staging, store)


@pytest.mark.promise("nothing-lost")
@settings(
    max_examples=examples(400),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seconds=seconds,
    manners=manners,
    kills=st.lists(st.integers(2, 40), max_size=3),
    divided=st.sampled_from([0.0, 0.2, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_every_event_of_the_window_is_staged_once_or_the_fetch_fails(
    monkeypatch: pytest.MonkeyPatch,
    seconds: list[int],
    manners: Manners,
    kills: list[int],
    divided: float,
    seed: int,
) -> None:
    """For any times, order, page size, strays, repeats, expired tokens, kills and divisions."""
    chance = random.Random(seed)
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda *_: chance.random() < divided)
    happened = [Happened(event_id(number), at(second)) for number, second in enumerate(seconds)]
    client = UnrulyLookup(happened, strays(manners.strays), manners, seed)
    staging = Staging(MemoryS3(), "bucket")
    try:
        manifest = fetch_until_done(client, staging, kills, fetch)
    except StuckLookupError:
        event("stuck")
        assert manners.repeats or manners.expiries or manners.misrouted or manners.page_size == 1
        return
    event("whole")
    assert staged_ids(staging, manifest) == sorted(each.id for each in happened)
    assert manifest.looked_up == manifest.staged + manifest.duplicates
    assert manifest.strays <= manners.strays
    if not (manners.repeats or manners.misrouted or kills):
        assert manifest.duplicates == 0
    assert set(list_objects(staging)) == {part.key for part in manifest.parts} | {
        f"{staging.folder(WINDOW)}/manifest.json"
    }


@pytest.mark.promise("nothing-lost")
@settings(
    max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(seconds=seconds, manners=manners, later=st.data(), seed=st.integers(0, 2**32))
def test_a_sweep_stages_the_late_events_and_no_others(
    monkeypatch: pytest.MonkeyPatch, seconds: list[int], manners: Manners, later: st.DataObject, seed: int
) -> None:
    """In any order, which may differ from the order of the fetch."""
    chance = random.Random(seed)
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda *_: chance.random() < 0.3)
    happened = [Happened(event_id(number), at(second)) for number, second in enumerate(seconds)]
    late = set(later.draw(st.sets(st.sampled_from(happened)))) if happened else set()
    staging = Staging(MemoryS3(), "bucket")
    first = UnrulyLookup([each for each in happened if each not in late], [], Manners(), seed)
    fetch_until_done(first, staging, [], fetch)
    try:
        swept = fetch_until_done(UnrulyLookup(happened, [], manners, seed), staging, [], fetch_late)
    except StuckLookupError:
        return
    assert swept.late == len(late)
    assert staged_ids(staging, swept) == sorted(each.id for each in happened)
    assert swept.looked_up == swept.staged + swept.duplicates


def list_objects(staging: Staging) -> list[str]:
    """Return the keys of the window's folder."""
    return [listed.key for listed in staging.bucket.list(staging.folder(WINDOW))]


class Misrouting(UnrulyLookup):
    """Returns one event only in answers to queries for other times than its own."""

    def __init__(self, events: list[Happened], odd: Happened, asked: str) -> None:
        super().__init__(events, [], Manners(), 0)
        self._odd = odd
        self._asked = asked
        self.given = 0

    def lookup_events(self, **request: Any) -> dict[str, Any]:
        answer = super().lookup_events(**request)
        start, end = request["StartTime"], request["EndTime"]
        is_its_own = start <= self._odd.time <= end
        is_older = end < self._odd.time
        answer["Events"] = [each for each in answer["Events"] if each["EventId"] != self._odd.id]
        if not is_its_own and is_older == (self._asked == "older"):
            answer["Events"].append(self._odd.answer)
            self.given += 1
        return answer


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("asked", ["older", "newer"])
@pytest.mark.parametrize("kill", [None, 15, 60])
def test_an_event_that_only_other_slices_return_is_staged_once(
    monkeypatch: pytest.MonkeyPatch, asked: str, kill: int | None
) -> None:
    """Whether its own slice is looked up before or after the others, and across a kill."""
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda pages, *_: pages < 3)
    happened = [Happened(event_id(number), at(number * 10)) for number in range(360)]
    client = Misrouting(happened, happened[180], asked)
    staging = Staging(MemoryS3(), "bucket")
    manifest = fetch_until_done(client, staging, [kill] if kill else [], fetch)
    assert client.given > 1
    assert staged_ids(staging, manifest) == sorted(each.id for each in happened)
    assert manifest.looked_up == manifest.staged + manifest.duplicates


class Recording(InMemoryStore):
    """Holds the longest value that was ever saved, as JSON."""

    longest = 0

    def set(self, key: str, value: Any) -> None:
        self.longest = max(self.longest, len(json.dumps(value)))
        super().set(key, value)


@pytest.mark.slow
@pytest.mark.promise("bounded")
def test_the_progress_of_many_slices_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand pages of a day, in hundreds of slices."""
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda pages, *_: pages < 2)
    monkeypatch.setattr(pager, "PAGES_PER_SLICE", 1_000)
    monkeypatch.setattr("cloudtrail_elasticsearch.sources.lookup_events.slice_pool.MOST_PAGES", 2)
    day = Window(WINDOW.account, WINDOW.region, at(0), at(86_400))
    happened = [Happened(event_id(number), at(number * 43)) for number in range(2_000)]
    store = Recording()
    client = UnrulyLookup(happened, [], Manners(page_size=1), 0)
    manifest = fetch(day, LookupEvents(client, RateLimiter(1e9)), Staging(MemoryS3(), "bucket"), store)
    assert manifest.staged == len(happened)
    assert len({part.key.split("/part-")[1][:33] for part in manifest.parts}) > 400
    assert store.longest < 40_000


def test_queries_of_one_second_skip_the_events_of_earlier_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its token expires again and again; each query has a new event, so it is not abandoned."""
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda *_: False)
    happened = [Happened(event_id(number), at(7)) for number in range(60)]
    client = UnrulyLookup(happened, [], Manners(order="shuffled", page_size=10, expiries=12), 4)
    staging = Staging(MemoryS3(), "bucket")
    manifest = fetch_until_done(client, staging, [], fetch)
    assert staged_ids(staging, manifest) == sorted(each.id for each in happened)
    assert (manifest.looked_up, manifest.duplicates) == (60, 0)
