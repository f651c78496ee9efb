"""The links on a task's page, as Airflow's API returns them to its UI after a real run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from fastapi.testclient import TestClient

from devstack.simulator import DEFAULT_ACCOUNT, Fault, FaultKind
from tests.airflow.conftest import Services
from tests.clock import today

DAY = today() - timedelta(days=3)
REGIONS = ["ap-northeast-3", "eu-west-1"]
DASHBOARDS = "http://dashboards.example.com:5601"

Links = Callable[..., dict[str, str | None]]


@pytest.fixture
def api(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Airflow's API for an admin."""
    from airflow.api_fastapi.app import create_app, purge_cached_app

    assert airflow_home.is_dir()
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "true")
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a secret of the tests'" * 4)
    purge_cached_app()
    with TestClient(create_app(apps="core"), base_url="http://localhost") as client:
        token = client.get("/auth/token").json()["access_token"]
        client.headers["authorization"] = f"Bearer {token}"
        yield client
    purge_cached_app()


@pytest.fixture
def links(api: TestClient, dag: Any, services: Services) -> Links:
    """Return the links of the tasks of a run in which the lookup of one region failed."""
    services.simulator.service.faults.add(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"))
    conf = {
        "start": str(DAY),
        "end": str(DAY + timedelta(days=1)),
        "regions": REGIONS,
        "index": f"{services.index}-%Y.%m",
    }
    run = dag.test(run_conf=conf)

    def of(task_id: str, map_index: int = -1) -> dict[str, str | None]:
        path = f"/api/v2/dags/{dag.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}/links"
        answer = api.get(path, params={"map_index": map_index})
        assert answer.status_code == 200, answer.text
        found: dict[str, str | None] = answer.json()["extra_links"]
        return found

    return of


def test_a_cell_links_to_its_staged_objects_documents_and_coverage(
    links: Links, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For fetch and load, for each mapped task with its own cell, and for the failed one."""
    monkeypatch.setenv("AIRFLOW_VAR_CLOUDTRAIL_DASHBOARDS_URL", DASHBOARDS)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    for task in ("cell.fetch", "cell.load"):
        for index, region in enumerate(REGIONS):
            if (task, region) == ("cell.load", "eu-west-1"):
                continue
            found = links(task, index)
            assert sorted(found) == ["Coverage", "Documents", "Staged objects"]
            staged, documents, coverage = (urlsplit(found[name] or "") for name in sorted(found, reverse=True))
            assert (staged.hostname, staged.path) == ("console.aws.amazon.com", f"/s3/buckets/{services.bucket}")
            folder = f"cloudtrail/account={DEFAULT_ACCOUNT}/region={region}/date={DAY}/"
            assert parse_qs(staged.query) == {"prefix": [folder]}
            assert f"{documents.scheme}://{documents.netloc}" == DASHBOARDS
            assert f'awsRegion:"{region}"' in unquote(documents.fragment)
            assert f"{DAY}T00:00:00" in unquote(documents.fragment)
            assert coverage.path == "/cloudtrail/coverage"
            chosen = parse_qs(coverage.fragment)
            assert chosen["region"] == [region]
            assert chosen["first"] == chosen["last"] == [str(DAY)]
            assert chosen.get("pattern", [f"{services.index}-%Y.%m"]) == [f"{services.index}-%Y.%m"]


def test_the_coverage_task_links_to_the_days_of_its_run(links: Links, services: Services) -> None:
    """With the account and the index of the run."""
    found = links("coverage")
    assert list(found) == ["Coverage"]
    assert parse_qs(urlsplit(found["Coverage"] or "").fragment) == {
        "pattern": [f"{services.index}-%Y.%m"],
        "first": [str(DAY)],
        "last": [str(DAY)],
        "account": [DEFAULT_ACCOUNT],
    }


def test_a_link_without_a_target_is_inactive(links: Links) -> None:
    """Airflow shows an inactive link if S3 is not AWS's, or no dashboards are configured."""
    fetched = links("cell.fetch", 0)
    assert (fetched["Staged objects"], fetched["Documents"]) == (None, None)
    assert fetched["Coverage"]
