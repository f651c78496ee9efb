"""Run measured work in processes of its own, as Airflow's tasks do. All processes start on one signal."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import boto3
import msgspec
from botocore.config import Config

from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.hooks.account_clients import make_lookup_config, make_staging_config
from cloudtrail_elasticsearch.sources.lookup_events.client import REQUESTS_PER_SECOND, LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.fetch import fetch
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from cloudtrail_elasticsearch.sources.lookup_events.scheduler import MOST_SLICES
from cloudtrail_elasticsearch.staging import Staging
from devstack.days import last_settled_day
from devstack.simulator import DEFAULT_ACCOUNT

BUCKET: Final = "bench"
CREDENTIALS: Final[dict[str, Any]] = {
    "aws_access_key_id": "bench",
    "aws_secret_access_key": "bench",
    "region_name": "us-east-1",
}


class Fetched(msgspec.Struct, frozen=True):
    """The cost of a fetch."""

    events: int
    calls: int
    throttled: int
    seconds: float
    processor_seconds: float


def past_weekday(ago: int) -> Window:
    """Return a past weekday of the busiest region; a higher `ago` is an earlier weekday."""
    start = midnight(last_settled_day() + timedelta(days=1))
    while ago:
        start -= timedelta(days=1)
        ago -= start.weekday() < 5
    return Window(DEFAULT_ACCOUNT, "us-east-1", start, start + timedelta(days=1))


def fetch_together(
    cloudtrail: str,
    s3: str,
    prefix: str,
    cells: Sequence[tuple[str, int]],
    calls_a_second: float = REQUESTS_PER_SECOND,
    program: str = "bench.children",
    search: str = "",
) -> list[Fetched]:
    """Fetch cells at the same time, each in its own process. A cell is a region and an `ago` of `past_weekday`.

    :param program: the module that fetches a cell; its arguments and its output are those of `run_child`
    :param search: the address of the search server, for a program that loads the cell as well
    """
    children = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", program, cloudtrail, s3, prefix, region, str(ago)),
                *("--calls-a-second", str(calls_a_second), "--search", search),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for region, ago in cells
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    return [_outcome(child) for child in children]


def _outcome(child: subprocess.Popen[str]) -> Fetched:
    text, _ = child.communicate()
    if child.returncode:
        raise RuntimeError(f"a fetch ended with {child.returncode}: nothing was measured")
    return msgspec.json.decode(text, type=Fetched)


@dataclass(frozen=True, slots=True)
class Cell:
    """The work of one process, and the addresses of its services."""

    window: Window
    cloudtrail: str
    s3: str
    prefix: str
    calls_a_second: float
    search: str
    """The address of the search server; empty if the cell is only fetched."""


def fetch_cell(cell: Cell) -> Callable[[], tuple[int, int, int]]:
    """Make the clients, and return a function that fetches the cell with this loader."""
    staging, source = make_staging(cell), make_source(cell)

    def run() -> tuple[int, int, int]:
        manifest = fetch(cell.window, source, staging, InMemoryStore())
        return manifest.staged, manifest.calls, manifest.throttled

    return run


def make_source(cell: Cell) -> LookupEvents:
    """Return the loader's client of LookupEvents."""
    credentials, config = CREDENTIALS | {"region_name": cell.window.region}, make_lookup_config()
    client = boto3.client("cloudtrail", endpoint_url=cell.cloudtrail, config=config, **credentials)
    return LookupEvents(client, RateLimiter(cell.calls_a_second))


def make_staging(cell: Cell) -> Staging:
    """Return the loader's staging."""
    s3 = boto3.client("s3", endpoint_url=cell.s3, config=make_staging_config(MOST_SLICES, Config()), **CREDENTIALS)
    return Staging(s3, BUCKET, cell.prefix)


def run_child(prepare: Callable[[Cell], Callable[[], tuple[int, int, int]]]) -> None:
    """Wait for a line on standard input, fetch one cell and print the cost.

    :param prepare: makes the clients of a cell, and returns a function that fetches it and returns the numbers of
        events, calls and throttled calls
    """
    parser = argparse.ArgumentParser()
    for name in ("cloudtrail", "s3", "prefix", "region"):
        parser.add_argument(name)
    parser.add_argument("ago", type=int)
    parser.add_argument("--calls-a-second", type=float, default=REQUESTS_PER_SECOND)
    parser.add_argument("--search", default="")
    asked = parser.parse_args()
    busiest = past_weekday(asked.ago)
    window = Window(busiest.account, asked.region, busiest.start, busiest.end)
    run = prepare(Cell(window, asked.cloudtrail, asked.s3, asked.prefix, asked.calls_a_second, asked.search))
    print("ready", flush=True)
    sys.stdin.readline()
    began, worked = time.monotonic(), time.process_time()
    events, calls, throttled = run()
    took = Fetched(
        events=events,
        calls=calls,
        throttled=throttled,
        seconds=time.monotonic() - began,
        processor_seconds=time.process_time() - worked,
    )
    print(json.dumps(msgspec.to_builtins(took)), flush=True)


if __name__ == "__main__":
    run_child(fetch_cell)
