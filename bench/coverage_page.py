"""``coverage_page_answer`` and ``coverage_page_draw``: the coverage page of a year of 34 regions."""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

from playwright.sync_api import Page, sync_playwright

from bench.results import Result, machine
from cloudtrail_elasticsearch.core.coverage import Cell
from cloudtrail_elasticsearch.core.ledger import Ledger, Run, Staged, Verified
from cloudtrail_elasticsearch.core.mapping import COVERAGE_INDEX, DEFAULT_INDEX
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.airflow import Airflow, AirflowSettings
from devstack.search_server import DISTRIBUTIONS, SearchServer
from devstack.simulator import DEFAULT_ACCOUNT

REGIONS: Final = 34
DAYS: Final = 365
LOOKS: Final = 5
ANSWER_TO_REACH: Final = 300
DRAW_TO_REACH: Final = 1_000

_LAST: Final = datetime(2026, 11, 1, tzinfo=UTC)


def measure() -> list[Result]:
    """Open the page some times, in a real browser, after one look to warm up."""
    with tempfile.TemporaryDirectory() as folder, SearchServer(DISTRIBUTIONS["opensearch-3"]) as search:
        _fill(search.url)
        host, port = search.url.removeprefix("http://").split(":")
        connection = {"conn_type": "cloudtrail_search", "host": host, "port": int(port)}
        environment = {
            "AIRFLOW_CONN_ELASTICSEARCH_DEFAULT": json.dumps(connection | {"extra": {"engine": "opensearch"}}),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "true",
        }
        with Airflow(AirflowSettings(Path(folder) / "home", environment, port=0)) as airflow:
            looks = _looks(airflow)[1:]
    how = (
        f"{REGIONS} regions by {DAYS} days, each a document of the ledger on OpenSearch 3, by a real API server "
        f"of Airflow's in Debian's Chromium; median of {LOOKS} looks after one to warm up"
    )
    return [
        Result(
            name="coverage_page_answer",
            value=statistics.median(answer for answer, _ in looks),
            unit="ms",
            at_most=ANSWER_TO_REACH,
            how=f"from the request for the page's data to the data read; {how}",
            limited_by="twelve thousand small documents: read in the search server, and as JSON in the API server",
            machine=machine(),
        ),
        Result(
            name="coverage_page_draw",
            value=statistics.median(draw for _, draw in looks),
            unit="ms",
            at_most=DRAW_TO_REACH,
            how=f"from the data read to the table laid out; {how}",
            limited_by="the browser's making and laying out of a table cell for each region and day",
            machine=machine(),
        ),
    ]


def _fill(url: str) -> None:
    server = connect(SearchSettings.from_url(url))
    Ledger(server, DEFAULT_INDEX).verified_all(
        [_cell(region, ago) for region in range(REGIONS) for ago in range(DAYS)]
    )
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")


def _cell(region: int, ago: int) -> Verified:
    start = _LAST - timedelta(days=ago)
    window = Window(DEFAULT_ACCOUNT, f"region-{region:02d}", start, start + timedelta(days=1))
    events = (region * 7919 + ago * 104_729) % 10_000
    cell = Cell(window, events, events, 0, events, 0)
    run = Run("cloudtrail_to_elasticsearch", f"scheduled__{start:%Y-%m-%dT%H:%M:%S+00:00}", "cell.load", region, 1)
    return Verified(cell, Staged(1, events // 50 + 1, 0, start, window.end, window.end), run, window.end)


def _looks(airflow: Airflow) -> list[tuple[float, float]]:
    login = json.dumps({"username": "admin", "password": airflow.password}).encode()
    request = Request(f"{airflow.url}/auth/token", login, {"content-type": "application/json"})
    with urlopen(request) as answer:
        token = json.load(answer)["access_token"]
    first = _LAST - timedelta(days=DAYS - 1)
    address = f"{airflow.url}/cloudtrail/coverage#first={first:%Y-%m-%d}&last={_LAST:%Y-%m-%d}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "_token", "value": token, "url": airflow.url}])
        page = context.new_page()
        looks = [_look(page, address) for _ in range(LOOKS + 1)]
        browser.close()
    return looks


def _look(page: Page, address: str) -> tuple[float, float]:
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector("body[data-loaded] table.grid")
    cells = page.locator("table.grid tbody td").count()
    if cells != REGIONS * DAYS:
        raise RuntimeError(f"{cells} cells were drawn: this was nothing to measure")
    measured: dict[str, Any] = page.evaluate(
        "Object.fromEntries(performance.getEntriesByType('measure').map((each) => [each.name, each.duration]))"
    )
    return measured["coverage-answer"], measured["coverage-draw"]
