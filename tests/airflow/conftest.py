"""An Airflow for the tests of this folder: its database, and the services behind its connections."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from cloudtrail_elasticsearch.sinks.opensearch import OpenSearchServer
from devstack.endpoints import Endpoints
from devstack.processes import ROOT
from devstack.simulator import Simulator, SimulatorSettings
from devstack.simulator.trails import (
    Plan,
    S3Bucket,
    Switches,
    Trail,
    Volumes,
    Written,
    plan_organization,
    write_trail,
)
from devstack.simulator.trails.keys import SigningKeys
from devstack.simulator.trails.plan import HOUR
from devstack.simulator.trails.writer import ALWAYS
from tests.clock import today

TRAIL_REGIONS: Final = ("eu-west-1", "us-east-1")
_READ: Final = re.compile(r"GET |POST \S*/_(count|mget|search)\b")


@dataclass(frozen=True, slots=True)
class Services:
    """The services of a DAG run."""

    simulator: Simulator
    bucket: str
    index: str
    search_url: str


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """The Airflow home of this process, with a database."""
    from airflow.utils.db import initdb

    initdb()
    return Path(os.environ["AIRFLOW_HOME"])


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(SimulatorSettings(quota=1e6, burst=1_000_000, latency=0, volume=200)) as running:
        yield running


@pytest.fixture
def services(
    simulator: Simulator,
    aws: str,
    bucket: str,
    opensearch: str,
    unique_index_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Services]:
    """Connections and variables with the simulator, S3 and OpenSearch."""
    endpoints = Endpoints(aws, simulator.endpoint_url, opensearch, "opensearch")
    for name, value in {**endpoints.environment(), "AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": bucket}.items():
        monkeypatch.setenv(name, value)
    yield Services(simulator, bucket, unique_index_prefix, opensearch)
    simulator.service.faults.clear()


@dataclass(frozen=True, slots=True)
class TrailServices:
    """The services of a run that loads a trail, and the trail."""

    simulator: Simulator
    s3: Any
    aws: str
    bucket: str
    index: str
    search_url: str
    plan: Plan

    @property
    def trail(self) -> Trail:
        return self.plan.trail

    @property
    def objects(self) -> S3Bucket:
        """The trail's bucket."""
        return S3Bucket(self.s3, self.trail.bucket)

    def write(self, arriving: tuple[int, int] = ALWAYS) -> Written:
        """Deliver the log files and digests that arrive in a range of time, in epoch seconds."""
        with self.objects as objects:
            return write_trail(self.plan, objects, arriving)


@pytest.fixture
def volumes() -> Volumes:
    """The events of the trail: few, because each is alone in its log file."""
    return Volumes(management=30, data=15, network=8, insights=2.0)


@pytest.fixture
def trail_services(
    services: Services, aws: str, volumes: Volumes, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TrailServices]:
    """A trail of two accounts and two regions, for a day and three hours; it has delivered nothing yet."""
    s3 = boto3.client("s3", endpoint_url=aws)
    bucket = f"trail-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    trail = Trail(bucket=bucket, prefix="audit", name="organization")
    day = today() - timedelta(days=4)
    plan = plan_organization(trail, day, accounts=2, busy=2, regions=TRAIL_REGIONS, volumes=volumes)
    # The digests of the next hours cover the end of the day.
    plan = replace(plan, end=plan.end + 3 * HOUR, switches=Switches(slow=0.0), keys=SigningKeys())
    services.simulator.service.trails[trail.arn] = trail
    monkeypatch.setenv("AIRFLOW_VAR_CLOUDTRAIL_TRAIL", trail.arn)
    yield TrailServices(services.simulator, s3, aws, services.bucket, services.index, services.search_url, plan)
    services.simulator.service.trails.clear()


@pytest.fixture
def trail_dag(airflow_home: Path) -> Any:
    """The DAG that loads a trail, as Airflow parses it."""
    return parsed(airflow_home, "cloudtrail_trail_to_elasticsearch")


@pytest.fixture
def late_files_dag(airflow_home: Path) -> Any:
    """The DAG that loads late log files, as Airflow parses it."""
    return parsed(airflow_home, "cloudtrail_trail_late_files")


@pytest.fixture
def dag(airflow_home: Path) -> Any:
    """The DAG, as Airflow parses it."""
    return parsed(airflow_home, "cloudtrail_to_elasticsearch")


@pytest.fixture
def late_dag(airflow_home: Path) -> Any:
    """The DAG that looks for late events, as Airflow parses it."""
    return parsed(airflow_home, "cloudtrail_late_events")


def parsed(airflow_home: Path, dag_id: str) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    assert airflow_home.is_dir()
    bag = DagBag(ROOT / "dags" / f"{dag_id}.py")
    assert bag.import_errors == {}
    return bag.dags[dag_id]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests of this process to OpenSearch, in order: the method and the path of each."""
    requests: list[str] = []
    send = OpenSearchServer.request

    def request(self: OpenSearchServer, method: str, path: str, body: bytes | None = None) -> Any:
        requests.append(f"{method} {path}")
        return send(self, method, path, body)

    monkeypatch.setattr(OpenSearchServer, "request", request)
    return requests


def select_writes(sent: list[str]) -> list[str]:
    """Return the requests that may write."""
    return [each for each in sent if not _READ.match(each)]
