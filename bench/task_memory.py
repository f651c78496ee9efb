"""``rss_load``: the largest memory of a load task, minus that of an Airflow task that does nothing."""

from __future__ import annotations

import statistics
from typing import Final

from bench.airflow_runs import DAGS, Runs, airflow
from bench.children import past_weekday
from bench.load import staged
from bench.results import Result
from bench.senders import PREFIX
from devstack.endpoints import Endpoints
from devstack.search_server import DISTRIBUTIONS, SearchServer

EVENTS: Final = 50_000
PAIRS: Final = 3
TO_REACH: Final = 150


def measure() -> list[Result]:
    """Stage a day, then run the two tasks alternately in one Airflow."""
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
            f"typed index on OpenSearch 3, minus that of a task that does nothing; LocalExecutor runs both, and "
            f"each task's own process measures it; median of {PAIRS} pairs"
        ),
        limited_by=(
            "boto3, the search client and the declared fields, before the first event is read; then the requests "
            "that are made and sent at the same time, and the part that they are made from"
        ),
        parts={
            "load task, MiB": statistics.median(peaks),
            "bare task, MiB": statistics.median(bare),
            "events": events,
        },
    )
    return [result]


def _bare(runs: Runs) -> float:
    run = runs.run("trivial_cells", {"cells": 1})
    return _mib(run.returned("cell.load", 0))


def _load(runs: Runs, number: int) -> tuple[int, float]:
    """Load the staged day into a new index; return the number of events and the peak memory."""
    conf = {"window": past_weekday(1).to_dict(), "prefix": PREFIX, "index": f"bench-{number}-%Y.%m"}
    returned = runs.run("load_memory", conf).returned("load")
    return returned["indexed"], _mib(returned)


def _mib(returned: dict[str, int]) -> float:
    return returned["peak_kib"] / 1024
