"""An Airflow for the tests of this folder: its database, and the services behind its connections."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devstack.endpoints import Endpoints
from devstack.processes import ROOT
from devstack.simulator import Simulator, SimulatorSettings


@dataclass(frozen=True, slots=True)
class Services:
    """What a DAG run works against."""

    simulator: Simulator
    bucket: str
    index: str
    search_url: str


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """This process' Airflow home, with a database."""
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
    """Connections and variables that name the simulator, S3 and OpenSearch."""
    endpoints = Endpoints(aws, simulator.endpoint_url, opensearch, "opensearch")
    for name, value in {**endpoints.environment(), "AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": bucket}.items():
        monkeypatch.setenv(name, value)
    yield Services(simulator, bucket, unique_index_prefix, opensearch)
    simulator.service.faults.clear()


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
