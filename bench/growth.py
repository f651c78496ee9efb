"""Growth with the size of a window: ``rss_fetch_growth``, ``rss_load_growth``, ``scale_fetch``, ``scale_load``."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import boto3
import msgspec
import psutil
from botocore.config import Config

from bench.children import BUCKET, CREDENTIALS, past_weekday
from bench.results import Result
from bench.services import services
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.pipeline.load import WindowLoad
from cloudtrail_elasticsearch.pipeline.staged_parts import StagedParts
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.fetch import fetch
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from cloudtrail_elasticsearch.staging import Staging
from devstack.search_server import DISTRIBUTIONS, SearchServer

EVENTS: Final = 1_000_000
FIRST: Final = EVENTS // 10
"""The first and the last events of this number are compared."""

FEW: Final = 10_000
"""Events of each small window that the large window is compared with."""

RUNS: Final = 3
MEMORY_TO_REACH: Final = 1.05
COST_TO_REACH: Final = 1.1

Samples = list[tuple[int, int]]
"""Events and bytes of resident memory."""


class Worked(msgspec.Struct, frozen=True):
    """The cost of one window in one process."""

    events: int
    samples: Samples
    seconds: float
    processor_seconds: float

    @property
    def cost(self) -> float:
        """Microseconds of processor time for each event."""
        return 1e6 * self.processor_seconds / self.events


def measure() -> list[Result]:
    """Fetch and load one day of a million events and several of ten thousand, each in its own process."""
    with SearchServer(DISTRIBUTIONS["opensearch-3"], heap="2g") as server:
        few = _work(FEW, server, runs=RUNS + 1)[1:]
        ((fetched, loaded),) = _work(EVENTS, server, runs=1)
    return [
        _memory("rss_fetch_growth", "fetch", fetched),
        _memory("rss_load_growth", "load", loaded),
        _scale("scale_fetch", "fetch", fetched, [fetch for fetch, _ in few]),
        _scale("scale_load", "load", loaded, [load for _, load in few]),
    ]


def _work(events: int, server: SearchServer, runs: int) -> list[tuple[Worked, Worked]]:
    """Fetch and load a day `runs` times; the simulator has some more events, as its volume is approximate."""
    with services("--quota=1000000", "--burst=100000", "--latency=0", f"--volume={events * 11 // 10}") as running:
        urls = ["--cloudtrail", running.cloudtrail, "--s3", running.s3, "--search", server.url]
        index = f"bench-{events}-{{}}-%Y.%m"
        return [
            (_child("fetch", *urls), _child("load", *urls, "--index", index.format(run))) for run in range(runs)
        ]


def _memory(name: str, work: str, worked: Worked) -> Result:
    samples = worked.samples
    first = max(rss for events, rss in samples if events <= FIRST)
    last = max(rss for events, rss in samples if events > samples[-1][0] - FIRST)
    return Result(
        name=name,
        value=last / first,
        unit="times the memory",
        at_most=MEMORY_TO_REACH,
        how=(
            f"one region and day of {worked.events:,} events, with a raised quota in the simulator: the largest "
            f"resident memory of the {work} in its last {FIRST:,} events divided by that in its first {FIRST:,}; "
            f"one run"
        ),
        limited_by=(
            "for any window, a fetch holds parts and ids of at most eight slices, and a load holds a few requests"
        ),
        parts={
            "first 100,000 events, MiB": first / 2**20,
            "last 100,000 events, MiB": last / 2**20,
            "events": worked.events,
        },
    )


def _scale(name: str, work: str, many: Worked, few: Sequence[Worked]) -> Result:
    cost = statistics.median(each.cost for each in few)
    return Result(
        name=name,
        value=many.cost / cost,
        unit="times the cost of an event",
        at_most=COST_TO_REACH,
        how=(
            f"the {work}'s own processor time for each event of a region's day of {many.events:,} events, divided "
            f"by that of a day of {few[0].events:,} (the median of {len(few)} runs after one of warm-up), each in "
            f"a process of its own, with a raised quota in the simulator"
        ),
        limited_by="nothing that grows: pages, parts and requests have the same size in both",
        parts={
            "many: µs of the processor an event": many.cost,
            "few: µs of the processor an event": cost,
            "many, events/s": many.events / many.seconds,
            "few, events/s": statistics.median(each.events / each.seconds for each in few),
        },
    )


def _child(*arguments: str) -> Worked:
    command = [sys.executable, "-m", "bench.growth", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=Worked)


class _Watched(InMemoryStore):
    """Records the memory of the process each time progress is saved."""

    def __init__(self) -> None:
        super().__init__()
        self.samples: Samples = []

    def set(self, key: str, value: Any) -> None:
        """Store a value, and record how many events it covers."""
        super().set(key, value)
        kept = value["value"]
        events = kept if isinstance(kept, int) else self._looked_up(kept)
        self.samples.append((events, psutil.Process().memory_info().rss))

    def _looked_up(self, kept: dict[str, Any]) -> int:
        """Return how many events a fetch had at this checkpoint: about 50 for each call."""
        return int(kept["calls"]) * 50


def main(argv: Sequence[str] | None = None) -> None:
    """Fetch or load in this process and print the cost."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth")
    parser.add_argument("work", choices=("fetch", "load"))
    for name in ("cloudtrail", "s3", "search"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--index", default="")
    asked = parser.parse_args(argv)
    staging = Staging(boto3.client("s3", endpoint_url=asked.s3, **CREDENTIALS), BUCKET)
    store = _Watched()
    began, worked = time.monotonic(), time.process_time()
    if asked.work == "fetch":
        events = _fetch(asked.cloudtrail, staging, store)
    else:
        events = _load(asked.search, asked.index, staging, store)
    took = Worked(events, store.samples, time.monotonic() - began, time.process_time() - worked)
    sys.stdout.buffer.write(msgspec.json.encode(took))
    sys.stdout.flush()
    os._exit(0)


def _fetch(cloudtrail: str, staging: Staging, store: _Watched) -> int:
    config = Config(retries={"total_max_attempts": 1})
    client = boto3.client("cloudtrail", endpoint_url=cloudtrail, config=config, **CREDENTIALS)
    return fetch(past_weekday(1), LookupEvents(client, RateLimiter(1e9)), staging, store).staged


def _load(search: str, index: str, staging: Staging, store: _Watched) -> int:
    manifest = staging.manifest(past_weekday(1))
    if manifest is None:
        sys.exit("the window is not staged")
    server = connect(SearchSettings.from_url(search))
    loader = Loader(server, IndexPattern(index), build_schema("typed", load_rules()))
    cell = WindowLoad(StagedParts(manifest, staging), staging, loader, Ledger(server, index), store).load_again()
    if cell.problem:
        sys.exit(cell.problem)
    return cell.indexed


if __name__ == "__main__":
    main()
