"""The share of CloudTrail's quota that a fetch uses: one region, all regions, several workers on one region."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Final

from bench.children import Fetched, fetch_together
from bench.results import Result
from bench.services import Services, services, services_with_light_s3
from cloudtrail_elasticsearch.sources.lookup_events.client import EVENTS_PER_PAGE
from devstack.simulator import REGIONS

EVENTS_A_SECOND: Final = 100
"""Two calls of 50 events: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html"""

VOLUME: Final = 15_000
"""Events of a day: two and a half minutes at the quota."""

VOLUME_OF_MANY: Final = 10_000
"""Events of a day if all regions are fetched, or one region is shared."""

VOLUME_OF_QUIET: Final = 500
"""Events of the busiest region's day if only regions without events are looked at."""

SHARERS: Final = 4

QUOTA: Final = "the quota is in force: 2 calls a second for each region, bursts of 2"
_prefixes = count()


@dataclass(frozen=True, slots=True)
class _Fetches:
    """Runs fetches from a simulator into S3."""

    services: Services

    def fetch(self, *cells: tuple[str, int]) -> list[Fetched]:
        """Fetch cells at the same time into an empty prefix."""
        return fetch_together(self.services.cloudtrail, self.services.s3, f"run-{next(_prefixes)}", cells)

    def fetch_naively(self, *cells: tuple[str, int]) -> list[Fetched]:
        """Fetch cells at the same time with the naive loop, into an empty prefix."""
        prefix = f"run-{next(_prefixes)}"
        return fetch_together(
            self.services.cloudtrail, self.services.s3, prefix, cells, program="bench.naive_fetch"
        )


@contextlib.contextmanager
def _fetching(latency: float, volume: int, *options: str) -> Iterator[_Fetches]:
    with services(f"--latency={latency}", f"--volume={volume}", *options) as running:
        yield _Fetches(running)


def saturation() -> list[Result]:
    """Fetch one region at two latencies, three fetches of each at the same time: each region has its own quota."""
    cells = [(region, 1) for region in REGIONS[:3]]
    with (
        _fetching(0.6, VOLUME, "--even") as quick,
        _fetching(2.0, VOLUME, "--even") as slow,
        ThreadPoolExecutor(2) as together,
    ):
        first, second = together.map(lambda running: running.fetch(*cells), (quick, slow))
    return [
        _saturation("fetch_saturation", 0.6, 0.97, first),
        _saturation("fetch_saturation_slow", 2.0, 0.95, second),
    ]


def _saturation(name: str, latency: float, at_least: float, fetched: list[Fetched]) -> Result:
    return Result(
        name=name,
        value=statistics.median(each.events / each.seconds for each in fetched) / EVENTS_A_SECOND,
        unit="of 100 events/s",
        at_least=at_least,
        how=(
            f"one region's day of some {VOLUME:,} events, {latency:g} s latency a call; {QUOTA}; the median of "
            f"{len(fetched)} parallel fetches, each of its own region in its own process"
        ),
        limited_by=(
            "the quota, except for the first page, which is requested again, and the last page of every slice, "
            "which is not full; the latency decides the number of slices"
        ),
        parts={
            "events": statistics.median(each.events for each in fetched),
            "calls": statistics.median(each.calls for each in fetched),
            "throttled calls": sum(each.throttled for each in fetched),
            "ms of processor a call": 1000 * sum(each.processor_seconds for each in fetched) / _calls(fetched),
        },
    )


def cost() -> list[Result]:
    """Fetch three regions, and at the same time three others with the naive loop."""
    simulator = ("--latency=0.6", f"--volume={VOLUME}", "--even")
    with services_with_light_s3(*simulator) as light, ThreadPoolExecutor(2) as together:
        running = _Fetches(light)
        ours = together.submit(running.fetch, *((region, 1) for region in REGIONS[:3]))
        theirs = together.submit(running.fetch_naively, *((region, 1) for region in REGIONS[3:6]))
        fetched, naive = ours.result(), theirs.result()
    cost_of_ours, cost_of_naive = (statistics.median(map(_cost_of_page, each)) for each in (fetched, naive))
    return [
        Result(
            name="fetch_cpu",
            value=cost_of_ours / cost_of_naive,
            unit="of the naive loop's processor time for a page",
            at_most=0.7,
            how=(
                f"the processor time for each 50 events of one region's day of some {VOLUME:,} events, divided by "
                f"that of a loop of boto3's paginator and the standard json, which writes one gzip file at the "
                f"end; 0.6 s latency a call, the simulator and S3 in other processes; {QUOTA}; the medians of "
                f"{len(fetched)} processes each, all at the same time, each with its own region"
            ),
            limited_by=(
                "botocore, which signs, sends and receives each request; and the checkpoint and the count of the "
                "other workers every ten seconds; the naive loop writes once"
            ),
            parts={"ours, ms a page": cost_of_ours, "naive, ms a page": cost_of_naive},
        )
    ]


def _cost_of_page(fetched: Fetched) -> float:
    """Return the milliseconds of processor time for the events of a full page."""
    return 1000 * fetched.processor_seconds / (fetched.events / EVENTS_PER_PAGE)


def quiet() -> list[Result]:
    """Fetch regions without events."""
    with _fetching(0.6, VOLUME_OF_QUIET) as running:
        fetched = running.fetch(*((region, 1) for region in REGIONS))
    empty = [each for each in fetched if not each.events]
    return [
        Result(
            name="fetch_quiet_calls",
            value=_calls(empty) / len(empty),
            unit="calls a quiet cell",
            at_most=1.0,
            how=f"LookupEvents calls for each of {len(empty)} regions and days without events",
            limited_by="nothing: one call is the minimum",
        )
    ]


def regions() -> list[Result]:
    """Fetch all regions at once, three times."""
    with _fetching(0.6, VOLUME_OF_MANY, "--even") as running:
        runs = [running.fetch(*((region, ago) for region in REGIONS)) for ago in (1, 2, 3)]
    rates = [sum(each.events / each.seconds for each in fetched) for fetched in runs]
    fetched = [each for run in runs for each in run]
    return [
        Result(
            name="fetch_regions",
            value=statistics.median(rates) / (EVENTS_A_SECOND * len(REGIONS)),
            unit=f"of {EVENTS_A_SECOND * len(REGIONS):,} events/s",
            at_least=0.9,
            how=(
                f"a day of {len(REGIONS)} regions, some {VOLUME_OF_MANY:,} events each, all at once, each in its "
                f"own process on one machine with the simulator and S3, 0.6 s latency a call; {QUOTA}; median of "
                f"{len(runs)} runs"
            ),
            limited_by="the processor: the cost of a call in the loader, in the simulator and in S3",
            parts={
                "events/s": statistics.median(rates),
                "throttled calls": sum(each.throttled for each in fetched),
                "ms of processor a call": 1000 * sum(each.processor_seconds for each in fetched) / _calls(fetched),
            },
        )
    ]


def shared() -> list[Result]:
    """Fetch one region with several workers, each of which has its own day."""
    with _fetching(0.6, VOLUME_OF_MANY, "--even") as running:
        fetched = running.fetch(*(("us-east-1", ago) for ago in range(1, SHARERS + 1)))
    seconds = max(each.seconds for each in fetched)
    throttled = sum(each.throttled for each in fetched)
    how = (
        f"{SHARERS} workers on one region, each with a day of some {VOLUME_OF_MANY:,} events, all started at "
        f"once; {QUOTA}; one run"
    )
    return [
        Result(
            name="fetch_shared",
            value=(_calls(fetched) - throttled) / (2 * seconds),
            unit="of 2 calls/s",
            at_least=0.9,
            how=how,
            limited_by="the first seconds, before the workers have found each other, and the last seconds",
            parts={"seconds": seconds, "events/s": sum(each.events for each in fetched) / seconds},
        ),
        Result(
            name="fetch_shared_throttled",
            value=throttled / _calls(fetched),
            unit="of the calls throttled",
            at_most=0.1,
            how=how,
            limited_by="the first seconds, as above; later, hardly any call is throttled",
            parts={"throttled calls": throttled, "calls": _calls(fetched)},
        ),
    ]


def _calls(fetched: list[Fetched]) -> int:
    return sum(each.calls for each in fetched)
