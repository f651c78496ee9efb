"""An Airflow of each older version of 3, after a backfill of which a task was killed."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from cloudtrail_elasticsearch import airflows
from devstack.airflow import Airflow, AirflowSettings
from devstack.airflow_api import AirflowError
from devstack.days import last_settled_day
from devstack.endpoints import Endpoints
from devstack.faults.targets import QUICK_RETRIES
from devstack.simulator import Simulator, SimulatorSettings
from tests.written_pages import VOLUME, count_settled_pages

DAG_ID: Final = "cloudtrail_to_elasticsearch"
DAY: Final = last_settled_day()
PYTHONS: Final = {f"3.{minor}": os.environ.get(f"AIRFLOW3_{minor}_PYTHON", "") for minor in range(3)}
VERSIONS: Final = [version for version, python in PYTHONS.items() if python] or list(PYTHONS)
"""The versions that `make test-airflow3` has installed."""

DASHBOARDS: Final = "https://dashboards.example.com"
BUSIEST: Final = "us-east-1"
PATIENCE: Final = 240


@dataclass(frozen=True, slots=True)
class Kill:
    """A task that was killed, and the pages of the busiest region at that moment."""

    task: tuple[str, int]
    """The id and the map index of the task."""
    served: int
    written: int
    """Those in parts: the next attempt requests the others again."""


@dataclass(frozen=True, slots=True)
class Site:
    """A running Airflow after its backfill, and the services that it used."""

    version: str
    airflow: Airflow
    simulator: Simulator
    s3: Any
    prefix: str
    """The name of the staging bucket, and the prefix of the index."""
    kill: Kill

    @property
    def index(self) -> str:
        """The pattern of the backfill's index."""
        return f"{self.prefix}-%Y.%m"

    def tasks(self) -> list[dict[str, Any]]:
        """Return all task instances."""
        return list_tasks(self.airflow)

    def staged_keys(self) -> list[str]:
        """Return the keys of the staging bucket."""
        return list_keys(self.s3, self.prefix)


@pytest.fixture(
    scope="session",
    params=[pytest.param(version, marks=pytest.mark.xdist_group(f"airflow-{version}")) for version in VERSIONS],
)
def site(request: pytest.FixtureRequest, aws: str, opensearch: str, tmp_path_factory: Any) -> Iterator[Site]:
    """A day of all regions, loaded by the scheduler. A fetch of the busiest region was killed after some pages."""
    version = request.param
    prefix = f"older-{uuid.uuid4().hex[:8]}"
    s3 = boto3.client("s3", endpoint_url=aws)
    s3.create_bucket(Bucket=prefix)
    with Simulator(SimulatorSettings(volume=VOLUME)) as simulator:
        environment = {
            **Endpoints(aws, simulator.endpoint_url, opensearch, "opensearch").environment(),
            "AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": prefix,
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer,stranger:",
        }
        settings = AirflowSettings(
            tmp_path_factory.mktemp(f"airflow-{version}"),
            environment,
            dags=QUICK_RETRIES,
            port=0,
            python=Path(PYTHONS[version]),
        )
        airflow = Airflow(settings)
        with airflow:
            # In the database, because an environment variable works even if the pages cannot read the database.
            add_to_database(airflow, json.loads(environment["AIRFLOW_CONN_ELASTICSEARCH_DEFAULT"]))
            start_backfill(airflow, f"{prefix}-%Y.%m")
            kill = kill_fetch(airflow, simulator, lambda: count_settled_pages(s3, prefix, BUSIEST))
            wait_for_end(airflow)
            if version == "3.0":
                # It does not retry a task whose process was killed; the other cells go on.
                clear_failed(airflow)
                wait_for_end(airflow)
            yield Site(version, airflow, simulator, s3, prefix, kill)


def add_to_database(airflow: Airflow, search: dict[str, Any]) -> None:
    """Store the connection of the pages, and the variable with the address of the dashboards."""
    connection = {**search, "connection_id": "cloudtrail_pages", "extra": json.dumps(search["extra"])}
    wait_for(lambda: airflow.request("POST", "/connections", connection), "the connection")
    variable = {"key": "cloudtrail_dashboards_url", "value": DASHBOARDS}
    wait_for(lambda: airflow.request("POST", "/variables", variable), "the variable")


def start_backfill(airflow: Airflow, index: str) -> None:
    """Start a backfill of the day, as the coverage page does."""
    request = airflows.backfill_request(DAG_ID, str(DAY), str(DAY), "none", {"index": index})
    assert request is not None
    path, body = request["path"].removeprefix("/api/v2"), request["body"]

    def create() -> bool:
        try:
            airflow.request("POST", path, body)
        except AirflowError as error:
            # An earlier request was answered with 500, and has created the backfill.
            if error.status != 409:
                raise
        return True

    wait_for(create, "the start of the backfill")


def kill_fetch(airflow: Airflow, simulator: Simulator, count_settled: Callable[[], int]) -> Kill:
    """Kill the task that looks up the busiest region after it has written some pages, like ``kill -9``."""
    written = wait_for(count_settled, "a fetch that has written some pages")
    task = wait_for(lambda: find_fetch(airflow), "the running fetch")
    os.kill(task["pid"], signal.SIGKILL)
    served = simulator.service.statistics.regions[BUSIEST].pages
    return Kill((task["task_id"], task["map_index"]), served, written)


def find_fetch(airflow: Airflow) -> dict[str, Any] | None:
    """Return the running task that fetches the busiest region; a plan puts that region first."""
    running = [task for task in list_tasks(airflow) if task["state"] == "running" and task["pid"]]
    return next((task for task in running if task["task_id"] == "cell.fetch" and task["map_index"] == 0), None)


def list_tasks(airflow: Airflow) -> list[dict[str, Any]]:
    """Return all task instances of the DAG."""
    answer = airflow.request("GET", f"/dags/{DAG_ID}/dagRuns/~/taskInstances?limit=100")
    return list(answer["task_instances"])


def list_keys(s3: Any, bucket: str) -> list[str]:
    """Return the keys of a bucket."""
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def wait_for_end(airflow: Airflow) -> None:
    """Wait until the only run has ended."""

    def ended() -> bool:
        return [run["state"] in {"success", "failed"} for run in airflow.runs(DAG_ID)] == [True]

    wait_for(ended, "the run's end")


def clear_failed(airflow: Airflow) -> None:
    """Clear the failed tasks of the only run, as its page does."""
    (run,) = airflow.runs(DAG_ID)
    assert run["state"] == "failed"
    body = {"dry_run": False, "dag_run_id": run["dag_run_id"], "only_failed": True, "reset_dag_runs": True}
    wait_for(lambda: airflow.request("POST", f"/dags/{DAG_ID}/clearTaskInstances", body), "the clearing")


def wait_for(answer: Callable[[], Any], what: str) -> Any:
    """Return the first true answer."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            found = answer()
        except AirflowError as error:
            # SQLite is locked for moments, and Airflow does not know the DAG until it is parsed.
            if error.status not in {404, 500}:
                raise
            found = None
        if found:
            return found
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)
