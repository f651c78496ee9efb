"""The services of docker-compose.yaml without Docker: they are healthy, and a backfill survives a lost worker."""

from __future__ import annotations

import json
import os
import secrets
import time
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.coverage.windows import midnight
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX, IndexPattern
from cloudtrail_elasticsearch.params import DEFAULT_REGIONS
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.airflow_api import AirflowApi
from devstack.compose.native import Project
from devstack.compose.reading import required_variables
from devstack.days import last_settled_day
from devstack.endpoints import Endpoints
from devstack.faults.proof import list_truth, read_event_ids
from devstack.processes import ROOT
from devstack.simulator import Simulator, SimulatorSettings

pytestmark = pytest.mark.celery

DAG_ID: Final = "cloudtrail_to_elasticsearch"
DAYS: Final = 10
LAST: Final = last_settled_day()
FIRST: Final = LAST - timedelta(days=DAYS - 1)
CELLS: Final = DAYS * len(DEFAULT_REGIONS)
PATIENCE: Final = 1_500


@dataclass(frozen=True, slots=True)
class Deployment:
    """The services, the sources of their events, and the API of their Airflow."""

    project: Project
    simulator: Simulator
    api: AirflowApi

    def ask(self, path: str) -> Any:
        """Send a request to Airflow's public API as the user that airflow-init created."""
        return self.api.request("GET", path)


@pytest.fixture(scope="module")
def deployment(aws: str, opensearch: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """All services but OpenSearch's, with two workers that use AWS and OpenSearch of the tests."""
    variables = {name: secrets.token_hex(32) for name in required_variables()}
    variables["AIRFLOW_FERNET_KEY"] = urlsafe_b64encode(secrets.token_bytes(32)).decode()
    variables["CLOUDTRAIL_STAGING_BUCKET"] = f"compose-{secrets.token_hex(4)}"
    boto3.client("s3", endpoint_url=aws).create_bucket(Bucket=variables["CLOUDTRAIL_STAGING_BUCKET"])
    with Simulator(SimulatorSettings(volume=300)) as simulator:
        outside = Endpoints(aws, simulator.endpoint_url, opensearch, "opensearch").environment()
        python = Path(os.environ["COMPOSE_PYTHON"])
        with Project(python, tmp_path_factory.mktemp("compose"), variables, outside) as project:
            api = AirflowApi(project.url, "admin", variables["AIRFLOW_ADMIN_PASSWORD"])
            yield Deployment(project, simulator, api)


def until(answer: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Return the first true answer."""
    deadline = time.monotonic() + patience
    while not (found := answer()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(1)
    return found


def has_parsed_dags(deployment: Deployment) -> bool:
    parsed = {dag["dag_id"] for dag in deployment.ask("/dags")["dags"]}
    return parsed == {file.stem for file in (ROOT / "dags").glob("*.py")}


def test_every_service_is_healthy(deployment: Deployment) -> None:
    """By the file's own checks, and by Airflow's health API."""
    project = deployment.project
    assert [name for name in project.names if name != "airflow-init" and not project.is_healthy(name)] == []
    health = deployment.ask("/monitor/health")
    assert {part["status"] for part in health.values()} == {"healthy"}


def test_the_dags_are_parsed_without_an_error(deployment: Deployment) -> None:
    """All of them, from the mounted folders."""
    until(lambda: has_parsed_dags(deployment), "the DAGs", 120)
    assert deployment.ask("/importErrors")["import_errors"] == []


def test_each_worker_imports_the_modules_of_its_tasks_once(deployment: Deployment) -> None:
    """Before the first task."""
    logs = [deployment.project.log(name) for name in deployment.project.workers]
    assert [log.count("Imported the modules of all tasks.") for log in logs] == [
        1,
        1,
    ]


@pytest.mark.promise("restartable")
def test_a_backfill_survives_a_lost_worker(
    deployment: Deployment, opensearch: str, unique_index_prefix: str
) -> None:
    """Ten days of all regions. One of the two workers is killed: no event is lost or doubled."""
    project, simulator = deployment.project, deployment.simulator
    server = connect(SearchSettings.from_url(opensearch))
    pattern = IndexPattern(f"{unique_index_prefix}-%Y.%m.%d")
    ledger = Ledger(server, pattern.text)

    def proven() -> int:
        server.request("POST", f"/{COVERAGE_INDEX}/_refresh?ignore_unavailable=true")
        return sum(cell["state"] == "complete" for cell in ledger.read_cells())

    until(lambda: has_parsed_dags(deployment), "the DAGs", 120)
    days = ("--from-date", str(FIRST), "--to-date", str(LAST))
    conf = ("--dag-run-conf", json.dumps({"regions": list(DEFAULT_REGIONS), "index": pattern.text}))
    project.execute("airflow-scheduler", "airflow", "backfill", "create", "--dag-id", DAG_ID, *days, *conf)
    project.execute("airflow-scheduler", "airflow", "dags", "unpause", DAG_ID)
    until(lambda: proven() >= CELLS // 10, "the first cells")
    victim, other = project.workers
    before = running(deployment)
    assert before, "nothing is at work"
    project.kill(victim)
    assert (project.is_healthy(victim), project.is_healthy(other)) == (False, True)

    runs = until(lambda: ended(deployment), "the backfill's end")
    assert Counter(run["state"] for run in runs) == {"success": DAYS}
    cells = list(ledger.read_cells())
    assert (len(cells), {cell["state"] for cell in cells} - {"complete", "quiet"}) == (CELLS, set())
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        assert sorted(read_event_ids(server, pattern.name(midnight(day)))) == sorted(
            list_truth(simulator, DEFAULT_REGIONS, day, 1)
        )
    assert any(task["try_number"] > 1 for task in tasks(deployment)), "no task of the dead worker was made again"


def tasks(deployment: Deployment) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        path = f"/dags/{DAG_ID}/dagRuns/~/taskInstances?limit=100&offset={len(found)}&order_by=id"
        some = deployment.ask(path)["task_instances"]
        if not some:
            return found
        found += some


def running(deployment: Deployment) -> list[dict[str, Any]]:
    return [task for task in tasks(deployment) if task["state"] == "running"]


def ended(deployment: Deployment) -> list[dict[str, Any]] | None:
    runs = deployment.ask(f"/dags/{DAG_ID}/dagRuns?limit=100")["dag_runs"]
    backfilled = [run for run in runs if run["run_type"] == "backfill"]
    over = len(backfilled) >= DAYS and all(run["state"] in {"success", "failed"} for run in backfilled)
    return backfilled if over else None
