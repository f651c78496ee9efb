"""A real scheduler and `airflow backfill create`: after kills, a backfill ends with the same counts."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.coverage.windows import midnight
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.airflow import Airflow, AirflowSettings, BusyError
from devstack.airflow_api import AirflowError
from devstack.days import last_settled_day
from devstack.endpoints import Endpoints
from devstack.faults.proof import list_truth, read_event_ids
from devstack.faults.targets import QUICK_RETRIES
from devstack.simulator import Fault, FaultKind, Simulator, SimulatorSettings

DAG_ID = "cloudtrail_to_elasticsearch"
LAST = last_settled_day()
FIRST = LAST - timedelta(days=1)
REGIONS = ["ap-northeast-3", "eu-west-1", "us-east-1"]
DENIED = "eu-west-1"
BUSIEST = 0
"""The map index of us-east-1, which goes first in a day."""

PATIENCE = 420


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """CloudTrail with AWS's own quota and latency."""
    with Simulator(SimulatorSettings(volume=400)) as running:
        yield running


@pytest.fixture
def airflow(simulator: Simulator, aws: str, bucket: str, opensearch: str, tmp_path: Path) -> Airflow:
    endpoints = Endpoints(aws, simulator.endpoint_url, opensearch, "opensearch")
    environment = {**endpoints.environment(), "AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": bucket}
    return Airflow(AirflowSettings(tmp_path / "airflow", environment, dags=QUICK_RETRIES, port=0))


def until(answer: Callable[[], Any], what: str) -> Any:
    """Return the first true answer; a busy Airflow that does not answer in time is asked again."""
    deadline = time.monotonic() + PATIENCE
    while not (found := _attempt(answer)):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)
    return found


def _attempt(answer: Callable[[], Any]) -> Any:
    try:
        return answer()
    except AirflowError as error:
        if error.status is not None:
            raise
        return None


def tasks(airflow: Airflow) -> list[dict[str, Any]]:
    answer = airflow.request("GET", f"/dags/{DAG_ID}/dagRuns/~/taskInstances?limit=100")
    return list(answer["task_instances"])


def identity(task: dict[str, Any]) -> tuple[str, str, int]:
    return task["dag_run_id"], task["task_id"], task["map_index"]


def kill(airflow: Airflow, task_id: str) -> tuple[str, str, int]:
    """Kill a process that runs this task for the busiest region, like ``kill -9``."""

    def victim() -> dict[str, Any] | None:
        running = (task for task in tasks(airflow) if task["state"] == "running" and task["pid"])
        return next((task for task in running if identity(task)[1:] == (task_id, BUSIEST)), None)

    task = until(victim, f"a running {task_id}")
    os.kill(task["pid"], signal.SIGKILL)
    return identity(task)


@pytest.mark.promise("restartable")
def test_a_backfill_survives_killed_tasks_and_a_second_one_repeats_only_failed_cells(
    airflow: Airflow, simulator: Simulator, opensearch: str, unique_index_prefix: str
) -> None:
    """Airflow retries the killed tasks. Cells of a denied region fail the runs by name until AWS allows it."""
    server = connect(SearchSettings.from_url(opensearch))
    pattern = IndexPattern(f"{unique_index_prefix}-%Y.%m")
    Loader(server, pattern, build_schema("typed", load_rules())).prepare()
    indices = sorted({pattern.name(midnight(day)) for day in (FIRST, LAST)})
    for index in indices:
        server.request("PUT", f"/{index}", codec.encode({"settings": {"index.blocks.write": True}}))
    simulator.service.faults.add(Fault(FaultKind.ACCESS_DENIED, region=DENIED))

    airflow.prepare()
    conf = json.dumps({"regions": REGIONS, "index": pattern.text})
    airflow.backfill(DAG_ID, str(FIRST), str(LAST), "--dag-run-conf", conf)
    with airflow:
        # A load waits for its read-only index, so the test can kill it.
        killed = [kill(airflow, "cell.fetch"), kill(airflow, "cell.load")]
        for index in indices:
            server.request("PUT", f"/{index}/_settings", codec.encode({"index.blocks.write": None}))
        failed = until(lambda: ended(airflow), "the first backfill's end")
        assert [(run["data_interval_start"][:10], run["run_type"], run["state"]) for run in failed] == [
            (str(LAST), "backfill", "failed"),
            (str(FIRST), "backfill", "failed"),
        ]
        tried = {identity(task): task["try_number"] for task in tasks(airflow)}
        assert all(tried[task] >= 2 for task in killed)
        states = {(cell["region"], cell["state"]) for cell in Ledger(server, pattern.text).read_cells()}
        assert {state for region, state in states if region == DENIED} == {"missing"}
        assert {state for region, state in states if region != DENIED} <= {"complete", "quiet"}

        simulator.service.faults.clear()
        before = {name: region.calls for name, region in simulator.service.statistics.regions.items()}
        until(lambda: again(airflow, conf), "the first backfill to be closed")
        runs = until(lambda: mended(airflow), "the second backfill's end")
    assert [run["state"] for run in runs] == ["success", "success"]
    after = {name: region.calls for name, region in simulator.service.statistics.regions.items()}
    assert {name for name in after if after[name] != before.get(name)} == {DENIED}
    assert {cell["state"] for cell in Ledger(server, pattern.text).read_cells()} <= {"complete", "quiet"}
    assert sorted(read_event_ids(server, f"{unique_index_prefix}-*")) == sorted(
        list_truth(simulator, REGIONS, FIRST, 2)
    )


def again(airflow: Airflow, conf: str) -> bool:
    try:
        airflow.backfill(DAG_ID, str(FIRST), str(LAST), "--reprocess-behavior", "failed", "--dag-run-conf", conf)
    except BusyError:
        time.sleep(5)
        return False
    return True


def mended(airflow: Airflow) -> list[dict[str, Any]] | None:
    runs = airflow.runs(DAG_ID)
    return runs if all(run["state"] == "success" for run in runs) else None


def ended(airflow: Airflow) -> list[dict[str, Any]] | None:
    runs = airflow.runs(DAG_ID)
    return runs if len(runs) >= 2 and all(run["state"] in {"success", "failed"} for run in runs) else None
