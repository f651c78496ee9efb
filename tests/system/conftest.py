"""An Airflow with a browser, for the tests of its pages: one backfill, whose cells have every state."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import boto3
import pytest
from playwright.sync_api import Browser

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, Run, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX, IndexPattern
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.airflow import Airflow, AirflowSettings
from devstack.endpoints import Endpoints
from devstack.simulator import DEFAULT_ACCOUNT, Fault, FaultKind, Simulator, SimulatorSettings
from tests.browser import open_browser
from tests.cells import cell as make_cell
from tests.cells import staged_at
from tests.system.test_backfill import DAG_ID, FIRST, LAST, REGIONS, ended, until

USERS = "admin:admin,viewer:viewer,stranger:"
HOPELESS = {name: {"type": "long"} for name in ("eventName", "overflow", "unindexed")}
"""A mapping that rejects every event, whichever field a value is placed in."""
OTHER_ACCOUNT = "210987654321"
LOADING, FAILED = "sa-east-1", "us-west-2"
"""Regions that the backfill does not load: their cells are recorded as a load records them."""


@dataclass(frozen=True, slots=True)
class Site:
    """An Airflow after its backfill."""

    airflow: Airflow
    simulator: Simulator
    pattern: str
    search: SearchSettings

    @property
    def address(self) -> str:
        """The page for the account, the days and the index of the backfill."""
        choice = f"account={DEFAULT_ACCOUNT}&first={FIRST}&last={LAST}&pattern={self.pattern}"
        return f"{self.airflow.url}/cloudtrail/coverage#{choice}"


@pytest.fixture(scope="session")
def site(aws: str, opensearch: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two days of three regions: one region is denied, and one day's index rejects every event."""
    prefix = f"page-{uuid.uuid4().hex[:8]}"
    boto3.client("s3", endpoint_url=aws).create_bucket(Bucket=prefix)
    server = connect(SearchSettings.from_url(opensearch))
    pattern = f"{prefix}-%Y.%m.%d"
    refusing = IndexPattern(pattern).name(midnight(FIRST))
    server.request("PUT", f"/{refusing}", codec.encode({"mappings": {"properties": HOPELESS}}))
    with Simulator(SimulatorSettings(volume=200, latency=0.05)) as simulator:
        environment = {
            **Endpoints(aws, simulator.endpoint_url, opensearch, "opensearch").environment(),
            "AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": prefix,
            "AIRFLOW_VAR_CLOUDTRAIL_DASHBOARDS_URL": "http://127.0.0.1:5601",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": USERS,
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        }
        simulator.service.faults.add(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"))
        airflow = Airflow(AirflowSettings(tmp_path_factory.mktemp("page"), environment, port=0))
        airflow.prepare()
        conf = json.dumps({"regions": REGIONS, "index": pattern})
        airflow.backfill(DAG_ID, str(FIRST), str(LAST), "--dag-run-conf", conf)
        with airflow:
            until(lambda: ended(airflow), "the backfill's end")
            record_others(Ledger(server, pattern))
            server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
            yield Site(airflow, simulator, pattern, SearchSettings.from_url(opensearch))


def record_others(ledger: Ledger) -> None:
    """Write a cell that is loading, one that does not add up, and one of another account."""

    def window(region: str, account: str = DEFAULT_ACCOUNT) -> Window:
        start = midnight(LAST)
        return Window(account, region, start, start + timedelta(days=1))

    run = Run(DAG_ID, "manual__other", "cell.load", 0, 1)
    ledger.record_loading(window(LOADING), run)
    for region, account, indexed in ((FAILED, DEFAULT_ACCOUNT, 8), ("eu-north-1", OTHER_ACCOUNT, 10)):
        found = window(region, account)
        cell = make_cell(found, 10, indexed)
        ledger.record_verified(VerifiedCell(cell, staged_at(found.end, found.start, found.end), run, found.end))


# Not for the session: while Playwright runs, no other test of the process can run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened
