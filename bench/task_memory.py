"""``rss_load``: the most memory that a load task holds, above a task of Airflow's that does nothing."""

from __future__ import annotations

import statistics
from typing import Final

from bench.airflow_runs import DAGS, Runs, airflow
from bench.children import day
from bench.load import staged
from bench.results import Result, machine
from bench.senders import PREFIX
from devstack.endpoints import Endpoints
from devstack.search_server import DISTRIBUTIONS, SearchServer

EVENTS: Final = 50_000
PAIRS: Final = 3
TO_REACH: Final = 150


def measure() -> list[Result]:
    """Stage a day, then run either task in turn, in one Airflow."""
    with staged(EVENTS) as s3, SearchServer(DISTRIBUTIONS["opensearch-3"], heap="2g") as search:
        endpoints = Endpoints(s3, cloudtrail=s3, search=search.url, engine="opensearch")
        with airflow([DAGS / "trivial_cells.py", DAGS / "load_memory.py"], endpoints) as runs:
            bare, loads = zip(*[(_bare(runs), _load(runs, number)) for number in range(PAIRS)], strict=True)
    events = loads[0][0]
    peaks = [peak for _, peak in loads]
    result = Result(
        name="rss_load",
        value=statistics.median(peak - least for peak, least in zip(peaks, bare, strict=True)),
        unit="MiB",
        at_most=TO_REACH,
        how=(
            f"the largest resident memory of the load task of a region's day of {events:,} events into an empty "
            f"typed index on OpenSearch 3, less that of a task that does nothing, both run by LocalExecutor and "
            f"told by the task's own process; median of {PAIRS} pairs"
        ),
        limited_by=(
            "boto3, the search client and what is declared, before an event is read; the rest is requests that "
            "are made and sent at once, and the part that they are made of"
        ),
        parts={
            "load task, MiB": statistics.median(peaks),
            "bare task, MiB": statistics.median(bare),
            "events": events,
        },
        machine=machine(),
    )
    return [result]


def _bare(runs: Runs) -> float:
    run = runs.run("trivial_cells", {"cells": 1})
    return _mib(run.returned("cell.load", 0))


def _load(runs: Runs, number: int) -> tuple[int, float]:
    """Load the day that is staged into an index of its own; return its events and the peak."""
    conf = {"window": day(1).to_dict(), "prefix": PREFIX, "index": f"bench-{number}-%Y.%m"}
    returned = runs.run("load_memory", conf).returned("load")
    return returned["indexed"], _mib(returned)


def _mib(returned: dict[str, int]) -> float:
    return returned["peak_kib"] / 1024
