"""``rss_fetch_growth`` and ``rss_load_growth``: what a task's memory does over a million events of one day."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Final

import boto3
import psutil
from botocore.config import Config

from bench.children import BUCKET, CREDENTIALS, day
from bench.results import Result, machine
from bench.services import services
from cloudtrail_elasticsearch.core.load import Loader
from cloudtrail_elasticsearch.core.mapping import IndexPattern
from cloudtrail_elasticsearch.core.pace import Pace
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.shape import build
from cloudtrail_elasticsearch.core.state import ForgetfulStore
from cloudtrail_elasticsearch.pipeline.fetch import fetch
from cloudtrail_elasticsearch.pipeline.load import WindowLoad
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.sources.lookup_events import LookupEvents
from cloudtrail_elasticsearch.staging import Staging
from devstack.search_server import DISTRIBUTIONS, SearchServer

EVENTS: Final = 1_000_000
FIRST: Final = EVENTS // 10
"""So many events are held against as many at the end."""

TO_REACH: Final = 1.05
SIMULATED: Final = ("--quota=1000000", "--burst=100000", "--latency=0", f"--volume={EVENTS * 11 // 10}")
"""A day's volume is up to a tenth less than the average, and on weekends less still."""

Samples = list[tuple[int, int]]


def measure() -> list[Result]:
    """Fetch a day of more than a million events, and load it, each in a process of its own."""
    with services(*SIMULATED) as running:
        urls = ["--cloudtrail", running.cloudtrail, "--s3", running.s3]
        fetched = _samples("fetch", *urls)
        with SearchServer(DISTRIBUTIONS["opensearch-3"], heap="2g") as server:
            loaded = _samples("load", *urls, "--search", server.url)
    return [_result("rss_fetch_growth", "fetch", fetched), _result("rss_load_growth", "load", loaded)]


def _result(name: str, work: str, samples: Samples) -> Result:
    first = max(rss for events, rss in samples if events <= FIRST)
    last = max(rss for events, rss in samples if events > samples[-1][0] - FIRST)
    return Result(
        name=name,
        value=last / first,
        unit="times the memory",
        at_most=TO_REACH,
        how=(
            f"one region and day of {samples[-1][0]:,} events, the simulator's quota raised: the largest resident "
            f"memory of the {work} in its last {FIRST:,} events by that in its first {FIRST:,}, one run"
        ),
        limited_by="one part, or a few bulk requests, are held at a time, whatever the window's size",
        parts={
            "first 100,000 events, MiB": first / 2**20,
            "last 100,000 events, MiB": last / 2**20,
            "events": samples[-1][0],
        },
        machine=machine(),
    )


def _samples(*arguments: str) -> Samples:
    done = subprocess.run(
        [sys.executable, "-m", "bench.memory", *arguments], stdout=subprocess.PIPE, check=True, text=True
    )
    return [(events, rss) for events, rss in json.loads(done.stdout)]


class _Watched(ForgetfulStore):
    """Notes the process' memory each time that progress is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.samples: Samples = []

    def set(self, key: str, value: Any) -> None:
        """Keep a value, and note how many events it stands for."""
        super().set(key, value)
        kept = value["value"]
        events = kept if isinstance(kept, int) else self._looked_up(kept)
        self.samples.append((events, psutil.Process().memory_info().rss))

    def _looked_up(self, kept: dict[str, Any]) -> int:
        """How many events a fetch had when it kept this: 50 for each call, nearly."""
        return int(kept["calls"]) * 50


def main(argv: Sequence[str] | None = None) -> None:
    """Do the work in this process, and print the samples."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory")
    parser.add_argument("work", choices=("fetch", "load"))
    parser.add_argument("--cloudtrail", required=True)
    parser.add_argument("--s3", required=True)
    parser.add_argument("--search", default="")
    urls = parser.parse_args(argv)
    window = day(1)
    staging = Staging(boto3.client("s3", endpoint_url=urls.s3, **CREDENTIALS), BUCKET)
    store = _Watched()
    if urls.work == "fetch":
        config = Config(retries={"total_max_attempts": 1})
        client = boto3.client("cloudtrail", endpoint_url=urls.cloudtrail, config=config, **CREDENTIALS)
        fetch(window, LookupEvents(client, Pace(1e9)), staging, store)
    else:
        manifest = staging.manifest(window)
        if manifest is None:
            sys.exit("the window is not staged")
        server = connect(SearchSettings.from_url(urls.search))
        shape = build("typed", load_rules())
        cell = WindowLoad(manifest, staging, Loader(server, IndexPattern("bench-%Y.%m"), shape), store).load()
        if cell.problem:
            sys.exit(cell.problem)
    json.dump(store.samples, sys.stdout)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
