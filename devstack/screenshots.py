"""``make screenshots``: takes the documentation's pictures from the real pages in Airflow's UI.

A real run loads the last two days of some regions; one index rejects everything, and one region is denied. The
cells of earlier months and of other regions are written into the ledger in the loader's format.
"""

from __future__ import annotations

import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import boto3
from playwright.sync_api import Browser, Frame, Page, sync_playwright

from cloudtrail_elasticsearch.core.coverage.cells import Cell
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, MissingCell, Run, StagingDetails, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX, IndexPattern
from cloudtrail_elasticsearch.core.search.server import SearchServer as Server
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.airflow import Airflow, AirflowSettings
from devstack.aws import AwsServices
from devstack.days import last_settled_day
from devstack.endpoints import Endpoints
from devstack.processes import ROOT
from devstack.search_server import DISTRIBUTIONS, SearchServer
from devstack.simulator import DEFAULT_ACCOUNT, Fault, FaultKind, Simulator, SimulatorSettings
from devstack.simulator.regions import SHARES

IMAGES: Final = ROOT / "docs" / "images"
SECONDS_AT_MOST: Final = 300
SIZE: Final = {"width": 1280, "height": 720}

DAYS: Final = 90
DAG_ID: Final = "cloudtrail_to_elasticsearch"
BUCKET: Final = "screenshots"
PATTERN: Final = "cloudtrail-%Y.%m.%d"
DENIED: Final = "eu-west-1"
LOADED: Final = ("ap-northeast-3", DENIED, "us-east-1", "us-west-2")
DAYS_LOADED: Final = 2
MISSING: Final = (("ca-central-1", 17), ("us-east-2", 41), ("sa-east-1", 64))
LOADING: Final = ("ap-southeast-1", "us-east-2")
ACCOUNTS: Final = (
    *("Analytics", "Backup", "Billing", "Checkout", "Data lake", "Forecasting", "Identity", "Internal tools"),
    *("Log archive", "Mobile", "Network", "Orders", "Payments production", "Payments test", "Sandbox", "Search"),
    *("Shared services", "Shop production", "Shop test", "Support", "Warehouse"),
)
"""The names of the organization's other accounts."""

OTHER_REGIONS: Final = ("eu-central-1", "eu-west-1", "us-east-1")
BUSIEST: Final = 90_000
"""Events per day of the busiest region in the earlier months."""

_LAST: Final = midnight(last_settled_day())
_HOPELESS: Final = {name: {"type": "long"} for name in ("eventName", "overflow", "unindexed")}
_CREDENTIALS: Final[dict[str, Any]] = {
    "aws_access_key_id": "screenshots",
    "aws_secret_access_key": "screenshots",
    "region_name": "us-east-1",
}


def main() -> int:
    """Load the events and take the pictures."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("screenshots need Chromium: apt-get install chromium")
    signal.signal(signal.SIGALRM, _too_late)
    signal.alarm(SECONDS_AT_MOST)
    with (
        tempfile.TemporaryDirectory() as folder,
        AwsServices() as aws,
        SearchServer(DISTRIBUTIONS["opensearch-3"]) as search,
        Simulator(SimulatorSettings(quota=1e6, burst=1_000_000, latency=0, volume=300)) as simulator,
    ):
        boto3.client("s3", endpoint_url=aws.endpoint_url, **_CREDENTIALS).create_bucket(Bucket=BUCKET)
        server = connect(SearchSettings.from_url(search.url))
        _remember(server)
        refusing = IndexPattern(PATTERN).name(_LAST - timedelta(days=1))
        server.request("PUT", f"/{refusing}", codec.encode({"mappings": {"properties": _HOPELESS}}))
        simulator.service.faults.add(Fault(FaultKind.ACCESS_DENIED, region=DENIED))
        endpoints = Endpoints(aws.endpoint_url, simulator.endpoint_url, search.url, "opensearch")
        environment = endpoints.environment() | {
            "AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": BUCKET,
            "AIRFLOW_VAR_CLOUDTRAIL_DASHBOARDS_URL": "http://127.0.0.1:5601",
        }
        with Airflow(AirflowSettings(Path(folder) / "home", environment, port=0)) as airflow:
            _load(airflow)
            _pictures(airflow, chromium, server)
    return 0


def _too_late(*_: object) -> None:
    raise TimeoutError(f"no pictures after {SECONDS_AT_MOST} s")


def _remember(server: Server) -> None:
    """Fill the ledger with the earlier months: busy weekdays, calm weekends, and an occasional failure."""
    chance = random.Random(1)
    ledger = Ledger(server, PATTERN)
    ledger.record_verified_all(each for each in _history(chance) if not _is_else(each.cell.window))
    ledger.record_missing(
        MissingCell(_window(region, ago), "It was not loaded; see the log of its task.", _run(region, ago))
        for region, ago in MISSING
    )
    for region in LOADING:
        ledger.record_loading(_window(region, 0), _run(region, 0))


def _remember_accounts(server: Server) -> None:
    """Fill the ledger with the other accounts of an organization; the role of one is missing on the last days."""
    chance = random.Random(2)
    ledger = Ledger(server, PATTERN)
    names = {f"{chance.randrange(10**11, 10**12)}": name for name in ACCOUNTS}
    for account in names:
        windows = [
            replace(_window(region, ago), account=account) for region in OTHER_REGIONS for ago in range(DAYS)
        ]
        ledger.record_verified_all(
            _verified(window, int(chance.expovariate(1 / 900)), chance) for window in windows
        )
    without_role = next(iter(names))
    for region in OTHER_REGIONS:
        for ago in range(3):
            problem = "The role cloudtrail-audit cannot be assumed; see the log of its task."
            window = replace(_window(region, ago), account=without_role)
            ledger.record_missing([MissingCell(window, problem, _run(region, ago))])
    ledger.record_account_names({DEFAULT_ACCOUNT: "Security", **names})
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")


def _is_else(window: Window) -> bool:
    """Whether a cell belongs to the run, or is already written in another way."""
    ago = (_LAST - window.start).days
    return (
        (window.region in LOADED and ago < DAYS_LOADED)
        or (window.region in LOADING and ago == 0)
        or (window.region, ago) in MISSING
    )


def _history(chance: random.Random) -> Iterator[VerifiedCell]:
    for region, share in SHARES.items():
        for ago in range(80 if share < 0.01 else DAYS):
            window = _window(region, ago)
            calm = 0.35 if window.start.weekday() > 4 else 1
            yield _verified(window, int(BUSIEST * share * calm * chance.uniform(0.75, 1.25)), chance)


def _verified(window: Window, events: int, chance: random.Random) -> VerifiedCell:
    refused = 3 if events and chance.random() < 0.012 else 0
    lost = 5 if events and chance.random() < 0.006 else 0
    cell = Cell(
        window=window,
        looked_up=events,
        staged=events,
        duplicates=0,
        indexed=events - refused - lost,
        quarantined=refused,
    )
    staged = StagingDetails(
        attempts=1,
        calls=events // 50 + 1,
        throttled=0,
        first=window.start,
        last=window.end,
        staged_at=window.end,
    )
    return VerifiedCell(cell, staged, _run(window.region, (_LAST - window.start).days), window.end)


def _window(region: str, ago: int) -> Window:
    start = _LAST - timedelta(days=ago)
    return Window(DEFAULT_ACCOUNT, region, start, start + timedelta(days=1))


def _run(region: str, ago: int) -> Run:
    start = _LAST - timedelta(days=ago)
    return Run(DAG_ID, f"scheduled__{start:%Y-%m-%dT%H:%M:%S+00:00}", "cell.load", list(SHARES).index(region), 1)


def _load(airflow: Airflow) -> None:
    end = _LAST + timedelta(days=1)
    first = end - timedelta(days=DAYS_LOADED)
    conf = {"start": f"{first:%Y-%m-%d}", "end": f"{end:%Y-%m-%d}", "regions": LOADED, "index": PATTERN}
    run = airflow.request("POST", f"/dags/{DAG_ID}/dagRuns", {"logical_date": None, "conf": conf})
    path = f"/dags/{DAG_ID}/dagRuns/{quote(run['dag_run_id'])}"
    while airflow.request("GET", path)["state"] not in {"success", "failed"}:
        time.sleep(1)


def _pictures(airflow: Airflow, chromium: str, server: Server) -> None:
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        camera = _Camera(browser, airflow.url, airflow.user("admin").token)
        _one_cell(camera.look("light", "cloudtrail-coverage"), "coverage-light")
        _some_cells(camera.look("dark", "cloudtrail-coverage"), "coverage-dark")
        _quarantine(camera.look("light", "cloudtrail-quarantine"), "quarantine-light")
        _remember_accounts(server)
        _accounts(camera.look("light", "cloudtrail-coverage"), "coverage-accounts-light")
        browser.close()


@dataclass(frozen=True, slots=True)
class _Camera:
    browser: Browser
    url: str
    token: str

    def look(self, theme: Any, view: str) -> _View:
        """Open a view in Airflow's UI."""
        context = self.browser.new_context(viewport=SIZE, color_scheme=theme)  # type: ignore[arg-type]
        context.add_cookies([{"name": "_token", "value": self.token, "url": self.url}])
        page = context.new_page()
        page.goto(f"{self.url}/plugin/{view}")
        element = page.wait_for_selector("iframe")
        frame = element.content_frame() if element else None
        if frame is None:
            raise RuntimeError(f"Airflow shows no frame at /plugin/{view}")
        frame.wait_for_selector("body[data-loaded]")
        problem = frame.locator("#problem")
        if problem.is_visible():
            raise RuntimeError(f"/plugin/{view} shows: {problem.inner_text()}")
        return _View(page, frame)


@dataclass(frozen=True, slots=True)
class _View:
    page: Page
    frame: Frame

    def cell(self, region: str, ago: int) -> Any:
        """Return a cell by its region and its distance from the last day."""
        row = self.frame.locator("tbody tr", has=self.frame.get_by_role("rowheader", name=region, exact=True))
        return row.locator("td").nth(DAYS - 1 - ago)

    def take(self, name: str) -> None:
        """Take a picture when nothing moves and the pointer is on nothing."""
        self.page.mouse.move(1, 1)
        self.page.wait_for_timeout(500)
        self.page.screenshot(path=IMAGES / f"{name}.png")


def _one_cell(view: _View, name: str) -> None:
    view.cell(DENIED, 0).click()
    view.frame.wait_for_selector("#details dl")
    view.frame.wait_for_selector("#command")
    view.take(name)


def _some_cells(view: _View, name: str) -> None:
    view.cell("ca-central-1", 24).click()
    view.cell("us-west-2", 10).click(modifiers=["Shift"])
    view.frame.wait_for_selector("#command")
    view.take(name)


def _accounts(view: _View, name: str) -> None:
    view.frame.locator("#choose").get_by_label("missing").check()
    view.frame.wait_for_selector("#selection > div > pre")
    view.take(name)


def _quarantine(view: _View, name: str) -> None:
    view.frame.locator(".group summary").first.click()
    view.frame.locator(".ids button").first.click()
    view.frame.wait_for_selector("pre.event")
    view.take(name)


if __name__ == "__main__":
    sys.exit(main())
