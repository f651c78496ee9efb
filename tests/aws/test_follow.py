"""Live runs follow a region: events that arrive within the overlap are loaded, and a kill repeats one request."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

from cloudtrail_elasticsearch.core.coverage.watermarks import Place, Watermark
from cloudtrail_elasticsearch.core.coverage.windows import midnight
from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.core.errors import AccessDeniedError, StuckLookupError
from cloudtrail_elasticsearch.core.run_clock import RunClock
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.follow import Followed, Follower
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from cloudtrail_elasticsearch.sources.lookup_events.sharers import Sharers
from cloudtrail_elasticsearch.staging import Staging
from devstack.simulator import DEFAULT_ACCOUNT, Simulator, SimulatorSettings
from devstack.simulator.clock import ManualClock
from devstack.simulator.faults import Fault, FaultKind
from devstack.simulator.store import Lateness
from tests.clock import today

NOON = midnight(today()) - timedelta(hours=12)
MIDNIGHT = NOON.replace(hour=0)
INTERVAL = timedelta(minutes=5)
OVERLAP = timedelta(minutes=15)
PLACE = Place(DEFAULT_ACCOUNT, "us-east-1")
QUIET = Place(DEFAULT_ACCOUNT, "ap-northeast-3")


class Killed(BaseException):
    """Stands for `kill -9`: nothing may run after it."""


@dataclass(frozen=True)
class Outcome:
    loaded: int
    newest: datetime | None
    quarantined: int = 0


class Server:
    """Holds documents and watermarks; it can be killed before or after each request."""

    def __init__(self) -> None:
        self.documents: set[str] = set()
        self.watermarks: dict[Place, Watermark] = {}
        self.writes = 0
        self.kill: Callable[[str], None] = lambda _: None

    def load(self, events: Sequence[LookedUpEvent]) -> Outcome:
        new = [event for event in events if event.id not in self.documents]
        if new:
            self.kill("before the load")
            self.writes += 1
            self.documents |= {event.id for event in new}
            self.kill("after the load")
        return Outcome(len(new), max((event.time for event in new if event.time), default=None))

    def record(self, watermark: Watermark) -> None:
        self.kill("before the watermark")
        self.writes += 1
        self.watermarks[watermark.place] = watermark
        self.kill("after the watermark")


class Client:
    """A CloudTrail client that counts its calls, and can be killed at each."""

    def __init__(self, simulator: Simulator, region: str, server: Server) -> None:
        config = Config(retries={"total_max_attempts": 1})
        self._client = boto3.client(
            "cloudtrail", endpoint_url=simulator.endpoint_url, region_name=region, config=config
        )
        self._server = server
        self.requests: list[dict[str, Any]] = []

    def lookup_events(self, **request: Any) -> Any:
        self._server.kill("before the call")
        self.requests.append(request)
        answer = self._client.lookup_events(**request)
        self._server.kill("after the call")
        return answer


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON.timestamp())


@pytest.fixture
def simulator(clock: ManualClock, request: pytest.FixtureRequest) -> Iterator[Simulator]:
    given = getattr(request, "param", {})
    settings = {"quota": 1e6, "burst": 1_000_000, "latency": 0.0, "volume": 4_000} | given
    with Simulator(SimulatorSettings(**settings), clock) as running:
        yield running


@pytest.fixture
def staging(aws: str, bucket: str) -> Staging:
    return Staging(boto3.client("s3", endpoint_url=aws, region_name="us-east-1"), bucket)


class Runs:
    """Live runs against a simulator, at the time of its clock."""

    def __init__(self, simulator: Simulator, clock: ManualClock, staging: Staging) -> None:
        self.simulator, self.clock, self.staging = simulator, clock, staging
        self.server = Server()
        self.client = Client(simulator, PLACE.region, self.server)

    def run(
        self, place: Place = PLACE, work: timedelta = INTERVAL, elapsed: Callable[[], float] | None = None
    ) -> Followed:
        if place != PLACE:
            self.client = Client(self.simulator, place.region, self.server)
        self.client.requests.clear()
        now = datetime.fromtimestamp(self.clock.now(), UTC)
        follower = Follower(
            self.server.load,
            self.server.record,
            lambda window: Sharers(self.staging, window),
            RunClock(now, work, elapsed or (lambda: 0.0)),
            OVERLAP,
        )
        source = LookupEvents(self.client, RateLimiter(1e9))
        return follower.follow(place, source, self.server.watermarks.get(place))

    def truth(self, place: Place = PLACE, start: datetime = MIDNIGHT) -> set[str]:
        now = datetime.fromtimestamp(self.clock.now(), UTC)
        return set(self.simulator.truth(place.region, start, now - timedelta(seconds=1)))


@pytest.fixture
def runs(simulator: Simulator, clock: ManualClock, staging: Staging) -> Runs:
    return Runs(simulator, clock, staging)


def test_the_first_run_loads_the_day_so_far(runs: Runs) -> None:
    """Oldest hour first; the lag is 0, as the run's time stands still."""
    followed = runs.run()
    assert len(runs.truth()) > 600
    assert runs.server.documents == runs.truth()
    kept = runs.server.watermarks[PLACE]
    assert (kept.until, kept.problem, kept.events) == (NOON, None, len(runs.truth()))
    assert kept.last_event is not None
    assert followed.lag == 0


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("simulator", [{"lateness": Lateness(0.5, 60, 890)}], indirect=True)
def test_events_that_come_late_are_found_by_the_next_run(runs: Runs) -> None:
    """Half of the events come up to 15 minutes late: after each run, everything that has arrived is loaded."""
    runs.run()
    for _ in range(12):
        assert runs.server.documents == runs.truth()
        runs.clock.move(INTERVAL.total_seconds())
        runs.run()
    assert runs.server.documents == runs.truth()
    assert runs.server.watermarks[PLACE].until == NOON + 12 * INTERVAL


def test_a_quiet_run_costs_one_call_and_writes_nothing(runs: Runs) -> None:
    """Also if the overlap has events that are loaded already."""
    runs.run(QUIET)
    quiet = 0
    for _ in range(24):
        runs.clock.move(INTERVAL.total_seconds())
        before = runs.server.writes, len(runs.server.documents)
        runs.run(QUIET)
        if before[1] == len(runs.server.documents):
            quiet += 1
            assert len(runs.client.requests) == 1
            assert runs.server.writes == before[0]
    assert quiet >= 5
    assert runs.server.documents == runs.truth(QUIET)


@pytest.mark.promise("restartable")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("simulator", [{"lateness": Lateness(0.3, 60, 890)}], indirect=True)
def test_a_kill_at_any_moment_loses_nothing_and_repeats_one_request(runs: Runs, seed: int) -> None:
    """Before or after each call, load and watermark."""
    chance, kills = random.Random(seed), 0
    runs.run()
    for _ in range(4):
        runs.clock.move(2 * INTERVAL.total_seconds())
        requested: list[dict[str, Any]] = []
        while True:
            left = chance.randrange(12)

            def kill(_: str) -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    raise Killed

            runs.server.kill = kill if kills < 40 and chance.random() < 0.8 else lambda _: None
            try:
                runs.run()
                break
            except Killed:
                kills += 1
            finally:
                runs.server.kill = lambda _: None
                requested += runs.client.requests
        tokens = [request.get("NextToken") for request in requested if request.get("NextToken")]
        # Each kill repeats at most the last request.
        assert len(tokens) - len(set(tokens)) <= kills
        assert runs.server.documents == runs.truth()
    assert kills


@pytest.mark.parametrize("simulator", [{"volume": 20_000}], indirect=True)
def test_an_outage_is_caught_up_in_bounded_runs(runs: Runs) -> None:
    """Each run begins no page after its time; the next one goes on with the same query, and repeats no page."""
    runs.run()
    runs.clock.move(timedelta(hours=3).total_seconds())
    count = 0
    pages: list[str] = []
    for _ in range(200):
        runs.run(work=timedelta(seconds=10), elapsed=iter_seconds(1.0))
        count += 1
        assert len(runs.client.requests) <= 12
        pages += [request["NextToken"] for request in runs.client.requests if "NextToken" in request]
        kept = runs.server.watermarks[PLACE]
        if kept.until == NOON + timedelta(hours=3):
            break
        assert kept.problem is not None
        assert "minutes behind" in kept.problem
    assert count > 2
    assert len(pages) == len(set(pages))
    assert runs.server.watermarks[PLACE].problem is None
    assert runs.server.documents == runs.truth()


def test_a_region_that_exceeds_its_quota_is_reported_with_the_figure(runs: Runs) -> None:
    """A run of 240 s looks up less than 240 s of the region's time."""
    runs.run()
    runs.clock.move(timedelta(hours=1).total_seconds())
    runs.run(work=timedelta(seconds=240), elapsed=iter_seconds(200.0))
    problem = runs.server.watermarks[PLACE].problem
    assert problem is not None
    assert "falls further behind" in problem
    assert "2 requests a second of 50 events" in problem
    assert "trail" in problem


def test_days_that_have_ended_are_left_to_the_daily_runs(runs: Runs) -> None:
    """After a week without live runs, the next one goes on at the start of the day before."""
    runs.run()
    week = timedelta(days=7)
    old = runs.server.watermarks[PLACE]
    runs.server.watermarks[PLACE] = replace(
        old, until=old.until - week, position=old.position.replace(str(NOON.date()), str((NOON - week).date()))
    )
    runs.run()
    assert runs.client.requests[0]["StartTime"] == MIDNIGHT - timedelta(days=1)
    assert runs.server.documents == runs.truth(start=MIDNIGHT - timedelta(days=1))


@pytest.mark.parametrize("simulator", [{"token_lifetime": 0.2, "latency": 0.05}], indirect=True)
def test_a_token_that_has_expired_costs_the_query_again(runs: Runs) -> None:
    """The run after a pause of an hour does not have to know why."""
    for number in range(1, 40):
        runs.run(work=timedelta(seconds=number), elapsed=iter_seconds(0.5))
        if "token" in runs.server.watermarks[PLACE].position:
            break
    else:
        pytest.fail("no run ended between two pages of a query")
    runs.clock.move(3600)
    while runs.server.watermarks[PLACE].until < NOON + timedelta(hours=1):
        runs.run()
    assert runs.server.documents == runs.truth()


def test_a_query_that_makes_no_progress_is_reported(runs: Runs) -> None:
    """AWS returns the same token again and again."""
    ask = runs.client.lookup_events

    def stuck(**request: Any) -> Any:
        request.pop("NextToken", None)
        return ask(**request) | {"NextToken": "again"}

    runs.client.lookup_events = stuck  # type: ignore[method-assign]
    with pytest.raises(StuckLookupError, match="same token"):
        runs.run()
    kept = runs.server.watermarks[PLACE]
    assert kept.problem is not None
    assert "stuck" in kept.problem
    runs.client.lookup_events = ask  # type: ignore[method-assign]
    runs.run()
    assert runs.server.watermarks[PLACE].problem is None
    assert runs.server.documents == runs.truth()


def test_a_failure_of_aws_is_in_the_watermark(runs: Runs) -> None:
    """So that the coverage page shows it; the watermark does not move."""
    runs.run()
    until = runs.server.watermarks[PLACE].until
    runs.clock.move(300)
    runs.simulator.service.faults.add(Fault(FaultKind.ACCESS_DENIED, count=1))
    with pytest.raises(AccessDeniedError):
        runs.run()
    kept = runs.server.watermarks[PLACE]
    assert kept.until == until
    assert kept.problem is not None
    assert "cloudtrail:LookupEvents" in kept.problem


def test_a_position_of_another_version_is_looked_up_again(runs: Runs) -> None:
    """It costs calls, but loses no event."""
    runs.run()
    runs.server.watermarks[PLACE] = replace(runs.server.watermarks[PLACE], position='{"page": 7}')
    runs.clock.move(300)
    runs.run()
    assert runs.server.documents == runs.truth()


def iter_seconds(step: float) -> Callable[[], float]:
    """Return a clock on which each look takes so many seconds."""
    now = 0.0

    def look() -> float:
        nonlocal now
        now += step
        return now

    return look
