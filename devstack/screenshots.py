"""``make screenshots``: the pages of the documentation, taken from real ones after a real backfill."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import boto3
from playwright.sync_api import Page, sync_playwright

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.mapping import IndexPattern
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.airflow import Airflow, AirflowSettings
from devstack.aws import AwsServices
from devstack.endpoints import Endpoints
from devstack.processes import ROOT
from devstack.search_server import DISTRIBUTIONS, SearchServer
from devstack.simulator import Fault, FaultKind, Simulator, SimulatorSettings

IMAGES: Final = ROOT / "docs" / "images"
DAYS: Final = 30
DAG_ID: Final = "cloudtrail_to_elasticsearch"
BUCKET: Final = "screenshots"
PATTERN: Final = "cloudtrail-%Y.%m.%d"
REGIONS: Final = ("ap-northeast-3", "eu-central-1", "eu-west-1", "us-east-1", "us-west-2")
DENIED: Final = "eu-west-1"

_LAST: Final = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
_HOPELESS: Final = {name: {"type": "long"} for name in ("eventName", "overflow", "unindexed")}


def main() -> int:
    """Load some days, of which an index refuses one and one region is denied the last two; take pictures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        AwsServices() as aws,
        SearchServer(DISTRIBUTIONS["opensearch-3"]) as search,
        Simulator(SimulatorSettings(quota=1e6, burst=1_000_000, latency=0, volume=300)) as simulator,
    ):
        boto3.client("s3", endpoint_url=aws.endpoint_url, **_CREDENTIALS).create_bucket(Bucket=BUCKET)
        refusing = IndexPattern(PATTERN).name(_LAST - timedelta(days=DAYS // 2))
        server = connect(SearchSettings.from_url(search.url))
        server.request("PUT", f"/{refusing}", codec.encode({"mappings": {"properties": _HOPELESS}}))
        endpoints = Endpoints(aws.endpoint_url, simulator.endpoint_url, search.url, "opensearch")
        environment = endpoints.environment() | {"AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": BUCKET}
        airflow = Airflow(AirflowSettings(Path(folder) / "home", environment, port=0))
        airflow.prepare()
        with airflow:
            _load(airflow, _LAST - timedelta(days=DAYS - 1), _LAST - timedelta(days=2))
            simulator.service.faults.add(Fault(FaultKind.ACCESS_DENIED, region=DENIED))
            _load(airflow, _LAST - timedelta(days=1), _LAST)
            _pictures(airflow)
    return 0


_CREDENTIALS: Final[dict[str, Any]] = {
    "aws_access_key_id": "screenshots",
    "aws_secret_access_key": "screenshots",
    "region_name": "us-east-1",
}


def _load(airflow: Airflow, first: datetime, last: datetime) -> None:
    end = last + timedelta(days=1)
    conf = {"start": f"{first:%Y-%m-%d}", "end": f"{end:%Y-%m-%d}", "regions": REGIONS, "index": PATTERN}
    run = airflow.request("POST", f"/dags/{DAG_ID}/dagRuns", {"logical_date": None, "conf": conf})
    path = f"/dags/{DAG_ID}/dagRuns/{run['dag_run_id'].replace('+', '%2B')}"
    while airflow.request("GET", path)["state"] not in {"success", "failed"}:
        time.sleep(1)


def _pictures(airflow: Airflow) -> None:
    IMAGES.mkdir(exist_ok=True)
    login = json.dumps({"username": "admin", "password": airflow.password}).encode()
    request = Request(f"{airflow.url}/auth/token", login, {"content-type": "application/json"})
    with urlopen(request) as answer:
        token = json.load(answer)["access_token"]
    found = shutil.which("chromium")
    if found is None:
        sys.exit("screenshots need Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for theme in ("light", "dark"):
            context = browser.new_context(viewport={"width": 1280, "height": 560}, color_scheme=theme)
            context.add_cookies([{"name": "_token", "value": token, "url": airflow.url}])
            _take(context.new_page(), airflow.url, theme)
        browser.close()


def _take(page: Page, url: str, theme: str) -> None:
    first = _LAST - timedelta(days=DAYS - 1)
    page.goto(f"{url}/cloudtrail/coverage#first={first:%Y-%m-%d}&last={_LAST:%Y-%m-%d}&pattern={PATTERN}")
    page.wait_for_selector("body[data-loaded] table.grid")
    page.locator("td.s-missing").first.click()
    page.wait_for_selector("#details dl")
    page.wait_for_selector("#command")
    page.mouse.move(0, 0)
    page.screenshot(path=IMAGES / f"coverage-{theme}.png")
    page.goto(f"{url}/cloudtrail/quarantine#pattern={PATTERN}")
    page.wait_for_selector("body[data-loaded] .group")
    page.screenshot(path=IMAGES / f"quarantine-{theme}.png")


if __name__ == "__main__":
    sys.exit(main())
