"""An Airflow 2.11 beside the services that all tests use."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from devstack.airflow2 import Airflow2
from devstack.days import last_settled_day
from devstack.endpoints import Endpoints
from devstack.simulator import Simulator, SimulatorSettings

DAG_ID: Final = "cloudtrail_to_elasticsearch"
LAST: Final = last_settled_day()
FIRST: Final = LAST - timedelta(days=1)
REGIONS: Final = ["ap-northeast-3", "eu-west-1", "us-east-1"]


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter of the environment with Airflow 2.11."""
    return Path(os.environ["AIRFLOW2_PYTHON"])


@pytest.fixture
def simulator(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """CloudTrail with AWS's own quota and latency."""
    with Simulator(SimulatorSettings(volume=getattr(request, "param", 400))) as running:
        yield running


@pytest.fixture
def environment(simulator: Simulator, aws: str, bucket: str, opensearch: str) -> dict[str, str]:
    """Connections and variables, as an administrator sets them."""
    endpoints = Endpoints(aws, simulator.endpoint_url, opensearch, "opensearch")
    return endpoints.environment() | {"AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": bucket}


@pytest.fixture
def airflow2(python: Path, environment: dict[str, str], tmp_path: Path) -> Airflow2:
    """An Airflow 2.11 with a database."""
    made = Airflow2(python, tmp_path / "airflow", environment)
    made.prepare()
    return made


@pytest.fixture
def backfill(unique_index_prefix: str) -> Callable[..., list[str]]:
    """The arguments of a backfill of two days into the test's own index."""
    conf = json.dumps({"regions": REGIONS, "index": f"{unique_index_prefix}-%Y.%m"})
    days = ("-s", str(FIRST), "-e", str(LAST))

    def arguments(*more: str) -> list[str]:
        return ["dags", "backfill", DAG_ID, *days, "--conf", conf, *more]

    return arguments
