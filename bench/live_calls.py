"""``live_calls``: the LookupEvents calls of a day of live runs and its daily run, divided by the least."""

from __future__ import annotations

import math
from collections import Counter
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any, Final

import boto3
from botocore.config import Config

from bench.children import BUCKET, CREDENTIALS
from bench.results import Result
from cloudtrail_elasticsearch.core.coverage.watermarks import Place
from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.core.run_clock import RunClock
from cloudtrail_elasticsearch.core.search.sender import LoadSettings
from cloudtrail_elasticsearch.core.search.server import SearchServer as SearchClient
from cloudtrail_elasticsearch.core.side_by_side import run_side_by_side
from cloudtrail_elasticsearch.pipeline.live import LiveLoad, SharedWatermarks
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.sources.lookup_events.client import EVENTS_PER_PAGE, LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.fetch import fetch
from cloudtrail_elasticsearch.sources.lookup_events.follow import Follower
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from cloudtrail_elasticsearch.sources.lookup_events.sharers import Sharers
from cloudtrail_elasticsearch.staging import Staging
from devstack.days import last_settled_day
from devstack.endpoints import Endpoints
from devstack.fake_s3 import FakeS3
from devstack.live.sources import DELAYS
from devstack.search_server import OPENSEARCH_3, SearchServer
from devstack.simulator import DEFAULT_ACCOUNT, REGIONS, Simulator, SimulatorSettings, Span
from devstack.simulator.trails import MemoryBucket

INTERVAL: Final = timedelta(minutes=5)
OVERLAP: Final = timedelta(minutes=15)
TO_REACH: Final = 2.5
VOLUME: Final = 15_000
"""Events on a weekday of the busiest region: so many that the overlap has several pages."""

_DAY: Final = timedelta(days=1)
_SETTLED: Final = timedelta(hours=12)
_INDEX: Final = "live-calls-%Y.%m"
_WORK: Final = timedelta(minutes=4)
_UNBOUNDED: Final = 1e6
"""Requests a second: the quota changes when calls are made, and not how many."""


def measure() -> list[Result]:
    """Follow all regions for a simulated day, and fetch the day as its daily run does, without Airflow."""
    simulated = SimulatorSettings(quota=1e6, burst=10**6, latency=0, insights=0, lateness=DELAYS, volume=VOLUME)
    day = midnight(last_settled_day())
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator(simulated))
        s3 = stack.enter_context(FakeS3({BUCKET: MemoryBucket()}))
        search = stack.enter_context(SearchServer(OPENSEARCH_3))
        staging = Staging(Endpoints(s3.endpoint_url, "", "", OPENSEARCH_3.engine).client("s3"), BUCKET)
        lookups = {region: _open_lookup(simulator, region) for region in REGIONS}
        runs = _LiveRuns(connect(SearchSettings.from_url(search.url)), staging, lookups)
        # The run at midnight belongs to the day before.
        times = [day + number * INTERVAL for number in range(1, 1 + _DAY // INTERVAL)]
        for now in times:
            simulator.service.clock.stand_at(now.timestamp())
            runs.run(now)
        live = _count_calls(simulator)
        simulator.service.clock.stand_at((day + _DAY + _SETTLED).timestamp())
        for region in REGIONS:
            window = Window(DEFAULT_ACCOUNT, region, day, day + _DAY)
            fetch(window, lookups[region], staging, InMemoryStore())
        calls = _count_calls(simulator)
        least_live, least_daily, bare = _count_least(simulator, day, times)
    return [
        Result(
            name="live_calls",
            value=calls / (least_live + least_daily),
            unit="calls, by the least",
            at_most=TO_REACH,
            how=(
                f"the LookupEvents calls of {len(times)} live runs (a day, every 5 minutes) and of the daily run, "
                f"{len(REGIONS)} regions with {bare} pages of events, up to 14 minutes late and a few later, in "
                f"one process without Airflow, with OpenSearch and no quota; divided by the least: for each "
                f"region and live run, the pages of {EVENTS_PER_PAGE} of the events that became available since "
                f"the last run, and for each region the pages of the daily run, at least one call each"
            ),
            limited_by=(
                "the question itself: a region without new events costs a call. The overlap adds pages only where "
                "20 minutes have more than 50 events"
            ),
            parts={
                "calls of live runs": live,
                "calls of the daily run": calls - live,
                "least of live runs": least_live,
                "least of the daily run": least_daily,
                "all calls by the pages of the day's events": calls / bare,
            },
        )
    ]


class _LiveRuns:
    """Follows all regions, with the parts that the task of a live run is made of."""

    def __init__(self, server: SearchClient, staging: Staging, lookups: dict[str, LookupEvents]) -> None:
        self._loader = Loader(server, IndexPattern(_INDEX), build_schema("typed", load_rules()))
        self._watermarks = SharedWatermarks(server, _INDEX, LoadSettings())
        self._staging = staging
        self._lookups = lookups

    def run(self, now: datetime) -> None:
        """Load the new events of a time."""
        places = [Place(DEFAULT_ACCOUNT, region) for region in self._lookups]
        known = self._watermarks.read(places)
        load = LiveLoad(lambda: self._loader).load
        clock = RunClock(now, _WORK)
        follower = Follower(load, self._watermarks.record_one, self._open_sharers, clock, OVERLAP)

        def follow(place: Place) -> Any:
            return follower.follow(place, self._lookups[place.region], known.get(place))

        for _ in run_side_by_side(follow, places, len(places)):
            pass

    def _open_sharers(self, window: Window) -> Sharers:
        return Sharers(self._staging, window)


def _open_lookup(simulator: Simulator, region: str) -> LookupEvents:
    config = Config(retries={"total_max_attempts": 1})
    credentials = CREDENTIALS | {"region_name": region}
    client = boto3.client("cloudtrail", endpoint_url=simulator.endpoint_url, config=config, **credentials)
    return LookupEvents(client, RateLimiter(_UNBOUNDED))


def _count_calls(simulator: Simulator) -> int:
    return sum(region.calls for region in simulator.service.statistics.regions.values())


def _count_least(simulator: Simulator, day: datetime, times: list[datetime]) -> tuple[int, int, int]:
    """Return the least calls of the live runs and of the daily run, and the pages of the day's events."""
    live = daily = bare = 0
    for region in REGIONS:
        start = int(day.timestamp())
        span = Span(DEFAULT_ACCOUNT, region, start, start + int(_DAY.total_seconds()) - 1)
        new: Counter[int] = Counter()
        for _, arrival in simulator.service.arrivals(span):
            new[math.ceil((arrival - start) / INTERVAL.total_seconds())] += 1
        live += sum(max(1, -(-new[number] // EVENTS_PER_PAGE)) for number in range(1, 1 + len(times)))
        bare += -(-new.total() // EVENTS_PER_PAGE)
        daily += max(1, -(-new.total() // EVENTS_PER_PAGE))
    return live, daily, bare
