"""``cells_overhead``: the time of quiet cells in Airflow, divided by that of as many tasks that do nothing."""

from __future__ import annotations

import statistics
from datetime import timedelta
from typing import Final

from bench.airflow_runs import DAGS, REAL_DAG, Run, Runs, airflow
from bench.results import Result
from bench.services import services
from devstack.days import last_settled_day
from devstack.endpoints import Endpoints
from devstack.search_server import DISTRIBUTIONS, SearchServer
from devstack.simulator import REGIONS

DAYS: Final = 10
CELLS: Final = DAYS * len(REGIONS)
PAIRS: Final = 3
TO_REACH: Final = 1.3

_QUIET: Final = ("--quota=1000000", "--burst=100000", "--latency=0", "--volume=0")
_REAL: Final = REAL_DAG.stem
_TRIVIAL: Final = "trivial_cells"


def measure() -> list[Result]:
    """Run the two DAGs alternately in one Airflow."""
    with services(*_QUIET) as running, SearchServer(DISTRIBUTIONS["opensearch-3"]) as search:
        endpoints = Endpoints(running.s3, running.cloudtrail, search.url, "opensearch")
        with airflow([REAL_DAG, DAGS / f"{_TRIVIAL}.py"], endpoints) as runs:
            _pair(runs, 0, days=1)
            runs.settle(_REAL)  # yesterday, which is scheduled by itself
            pairs = [_pair(runs, number) for number in range(1, PAIRS + 1)]
            tasks = {
                f"{task}, ms": 1000 * _median([run.task_seconds(f"cell.{task}") for run, _ in pairs])
                for task in ("fetch", "load")
            }
            trivial = 1000 * _median(
                [run.task_seconds(f"cell.{task}") for _, run in pairs for task in ("fetch", "load")]
            )
    result = Result(
        name="cells_overhead",
        value=statistics.median(real.seconds / trivial.seconds for real, trivial in pairs),
        unit="times as long",
        at_most=TO_REACH,
        how=(
            f"{CELLS} quiet cells ({len(REGIONS)} regions, {DAYS} days) of the real DAG, divided by {2 * CELLS} "
            f"mapped tasks that do nothing in a DAG of the same shape; LocalExecutor on SQLite, with the "
            f"simulator (without latency), S3 and OpenSearch on the same machine; from the run's start to its end "
            f"by Airflow's own times; median of {PAIRS} pairs after one day of warm-up"
        ),
        limited_by=(
            "Airflow itself: every task is a process that reads the plugins and the DAG. A cell adds one client "
            "of CloudTrail and two of S3, one call, a manifest, and the rendered fields"
        ),
        parts={
            "real, s": statistics.median(real.seconds for real, _ in pairs),
            "trivial, s": statistics.median(trivial.seconds for _, trivial in pairs),
            **tasks,
            "trivial task, ms": trivial,
        },
    )
    return [result]


def _pair(runs: Runs, number: int, days: int = DAYS) -> tuple[Run, Run]:
    """Run both DAGs, starting with the one whose turn it is; the real one loads days that are not staged yet."""
    end = last_settled_day()
    name = f"bench-{number}"
    conf = {
        "start": str(end - timedelta(days=days)),
        "end": str(end),
        "prefix": name,
        "index": f"{name}-%Y.%m",
    }
    return runs.run_both(_REAL, conf, _TRIVIAL, days * len(REGIONS), number)


def _median(lists: list[list[float]]) -> float:
    return statistics.median(seconds for each in lists for seconds in each)
