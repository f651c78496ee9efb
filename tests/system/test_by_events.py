"""DAGs that events start, on a real scheduler: complete days as partitions."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.batch_cells import pack_cells
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.lookup_batches import LookupBatch
from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.airflow import Airflow, AirflowSettings
from devstack.endpoints import Endpoints
from devstack.processes import ROOT
from devstack.simulator import DEFAULT_ACCOUNT
from tests.cells import cell as make_cell
from tests.cells import staged_at
from tests.system.test_backfill import FIRST, LAST, REGIONS, until

OTHER_ACCOUNT = "210987654321"
DAGS = Path(__file__).parent / "event_dags"
EXAMPLES = ROOT / "docs" / "examples"


@dataclass(frozen=True, slots=True)
class Site:
    """A running Airflow with the examples whose DAGs events start."""

    airflow: Airflow
    search: SearchSettings

    def run(self, dag_id: str, conf: dict[str, Any]) -> None:
        """Trigger a DAG and wait until its run has succeeded."""
        body = {"logical_date": None, "conf": conf}
        run_id = until(lambda: self.trigger(dag_id, body), f"the run of {dag_id}")
        path = f"/dags/{dag_id}/dagRuns/{run_id}"
        ended = {"success", "failed"}
        until(lambda: self.airflow.request("GET", path)["state"] in ended, f"the end of {run_id}")
        assert self.airflow.request("GET", path)["state"] == "success"

    def trigger(self, dag_id: str, body: dict[str, Any]) -> str:
        return str(self.airflow.request("POST", f"/dags/{dag_id}/dagRuns", body)["dag_run_id"])


@pytest.fixture(scope="module")
def site(aws: str, opensearch: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("by-events")
    dags = shutil.copytree(DAGS, home / "dags")
    shutil.copy(EXAMPLES / "cloudtrail_day.py", dags)
    endpoints = Endpoints(aws, aws, opensearch, "opensearch")
    environment = endpoints.environment() | {
        # The scheduler starts runs by itself.
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "true",
        # The API server of a busy machine answers late.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    }
    airflow = Airflow(AirflowSettings(home, environment, dags=dags, port=0))
    airflow.prepare()
    airflow.command("dags", "reserialize")
    with airflow:
        yield Site(airflow, SearchSettings.from_url(opensearch))


def verified(account: str, day: Any, region: str, events: int) -> VerifiedCell:
    start = midnight(day)
    window = Window(account, region, start, start + timedelta(days=1))
    return VerifiedCell(make_cell(window, events, events), staged_at(start, start, start), None, start)


def load_result(found: VerifiedCell) -> dict[str, Any]:
    """Return the result of a load task of one window."""
    return LookupBatch.from_dict(found.cell.window.to_dict()).identity | pack_cells({0: found}, None)


def test_a_consumer_runs_once_for_each_complete_day(site: Site, unique_index_prefix: str) -> None:
    """Even if one run completes several days of several accounts; and again only for a day that changes."""
    server = connect(site.search)
    ledger = Ledger(server, unique_index_prefix)

    def verify(days: dict[tuple[str, Any], int]) -> None:
        found = [
            verified(account, day, region, events) for (account, day), events in days.items() for region in REGIONS
        ]
        ledger.record_verified_all(found)
        server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
        planned = [each.cell.window.to_dict() for each in found]
        results = [load_result(each) for each in found]
        site.run("given_days", {"planned": planned, "cells": results, "index": unique_index_prefix})

    def keys() -> list[str]:
        return sorted(run["partition_key"] for run in site.airflow.runs("cloudtrail_day"))

    days = {(account, day): 2 for account in (DEFAULT_ACCOUNT, OTHER_ACCOUNT) for day in (FIRST, LAST)}
    verify(days)
    expected = sorted(f"{account}|{day}" for account, day in days)
    until(lambda: len(keys()) >= len(expected), "a run for each day")
    assert keys() == expected

    # The same days again start nothing; the changed day after them starts one run, and no other is before it.
    verify(days)
    verify({(OTHER_ACCOUNT, LAST): 3})
    until(lambda: len(keys()) > len(expected), "a run for the changed day")
    assert keys() == sorted([*expected, f"{OTHER_ACCOUNT}|{LAST}"])
    until(lambda: ended(site.airflow), "the end of the runs")
    assert {run["state"] for run in site.airflow.runs("cloudtrail_day")} == {"success"}


def ended(airflow: Airflow) -> bool:
    return all(run["state"] in {"success", "failed"} for run in airflow.runs("cloudtrail_day"))
