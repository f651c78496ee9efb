"""``coverage_page_answer``, ``_again`` and ``_draw``: the coverage page of a year of 34 regions."""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, sync_playwright

from bench.results import Result
from cloudtrail_elasticsearch.core.coverage.cells import Cell
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, Run, StagingDetails, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX, DEFAULT_INDEX
from cloudtrail_elasticsearch.core.search.server import SearchServer as Server
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.airflow import Airflow, AirflowSettings
from devstack.search_server import DISTRIBUTIONS, SearchServer
from devstack.simulator import DEFAULT_ACCOUNT

REGIONS: Final = 34
DAYS: Final = 365
LOOKS: Final = 5
ANSWER_TO_REACH: Final = 300
AGAIN_TO_REACH: Final = 150
DRAW_TO_REACH: Final = 1_000

LAST: Final = datetime(2026, 11, 1, tzinfo=UTC)
"""The last day of the ledger."""


def measure() -> list[Result]:
    """Open the page several times in a real browser, both after a change of the ledger and without one."""
    with pages_with_ledger(_fill) as (airflow, url):
        looks = _looks(airflow, url)[1:]
    how = (
        f"{REGIONS} regions by {DAYS} days, each a document of the ledger on OpenSearch 3, with a real API server "
        f"of Airflow and Debian's Chromium; median of {LOOKS} page loads after one of warm-up"
    )
    limited_by_asking = (
        "Airflow's check of permissions, one small request to the server, and the compression of the answer"
    )
    return [
        Result(
            name="coverage_page_answer",
            value=statistics.median(look.answer for look in looks),
            unit="ms",
            at_most=ANSWER_TO_REACH,
            how=f"from the request for the page's data to the parsed data, after a change of the ledger; {how}",
            limited_by=(
                "Airflow's check of permissions, four small requests to the server, and the compression of the "
                "answer; only the changed day is read again"
            ),
        ),
        Result(
            name="coverage_page_again",
            value=statistics.median(look.again for look in looks),
            unit="ms",
            at_most=AGAIN_TO_REACH,
            how=f"the same without a change of the ledger, as for every further viewer; {how}",
            limited_by=limited_by_asking,
        ),
        Result(
            name="coverage_page_draw",
            value=statistics.median(look.draw for look in looks),
            unit="ms",
            at_most=DRAW_TO_REACH,
            how=f"from the parsed data to the finished layout of the table; {how}",
            limited_by="the browser: it makes and lays out a table cell for each region and day",
        ),
    ]


@contextmanager
def pages_with_ledger(fill: Callable[[Server], None]) -> Iterator[tuple[Airflow, str]]:
    """Yield an Airflow with the pages, and the URL of its search server, whose ledger `fill` has filled."""
    with tempfile.TemporaryDirectory() as folder, SearchServer(DISTRIBUTIONS["opensearch-3"]) as search:
        server = connect(SearchSettings.from_url(search.url))
        fill(server)
        server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
        host, port = search.url.removeprefix("http://").split(":")
        connection = {"conn_type": "cloudtrail_search", "host": host, "port": int(port)}
        environment = {
            "AIRFLOW_CONN_ELASTICSEARCH_DEFAULT": json.dumps(connection | {"extra": {"engine": "opensearch"}}),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "true",
        }
        with Airflow(AirflowSettings(Path(folder) / "home", environment, port=0)) as airflow:
            yield airflow, search.url


def _fill(server: Server) -> None:
    cells = [_cell(region, ago) for region in range(REGIONS) for ago in range(DAYS)]
    Ledger(server, DEFAULT_INDEX).record_verified_all(cells)


def _cell(region: int, ago: int) -> VerifiedCell:
    return make_cell(DEFAULT_ACCOUNT, region, ago, (region * 7919 + ago * 104_729) % 10_000)


def make_cell(account: str, region: int, ago: int, events: int, lost: int = 0) -> VerifiedCell:
    """Return a cell of some days ago.

    :param lost: the events of it that were not indexed
    """
    start = LAST - timedelta(days=ago)
    window = Window(account, f"region-{region:02d}", start, start + timedelta(days=1))
    cell = Cell(window=window, looked_up=events, staged=events, duplicates=0, indexed=events - lost, quarantined=0)
    staged = StagingDetails(
        attempts=1, calls=events // 50 + 1, throttled=0, first=start, last=window.end, staged_at=window.end
    )
    run = Run("cloudtrail_to_elasticsearch", f"scheduled__{start:%Y-%m-%dT%H:%M:%S+00:00}", "cell.load", region, 1)
    return VerifiedCell(cell, staged, run, window.end)


@dataclass(frozen=True, slots=True)
class Look:
    """Milliseconds of the answer, of the same answer without a change, and of drawing it."""

    answer: float
    again: float
    draw: float


def _looks(airflow: Airflow, search_url: str) -> list[Look]:
    first = LAST - timedelta(days=DAYS - 1)
    address = f"{airflow.url}/cloudtrail/coverage#first={first:%Y-%m-%d}&last={LAST:%Y-%m-%d}"
    changes = [_cell(0, ago) for ago in range(LOOKS + 1)]
    return look_again(airflow, search_url, address, changes, ("table.grid tbody td", REGIONS * DAYS))


def look_again(
    airflow: Airflow, search_url: str, address: str, changes: Sequence[VerifiedCell], drawn: tuple[str, int]
) -> list[Look]:
    """Load a page after each change of the ledger, and again without one.

    :param drawn: the selector of what the page draws, and how many it draws
    :raises RuntimeError: another number is drawn
    """
    server = connect(SearchSettings.from_url(search_url))
    selector, expected = drawn
    looks = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "_token", "value": airflow.user("admin").token, "url": airflow.url}])
        page = context.new_page()
        for change in changes:
            Ledger(server, DEFAULT_INDEX).record_verified_all([change])
            server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
            answered, draw = load_page(page, address)
            found = page.locator(selector).count()
            if found != expected:
                raise RuntimeError(f"{found} of {expected} were drawn: nothing was measured")
            again, _ = load_page(page, address)
            looks.append(Look(answered, again, draw))
        browser.close()
    return looks


def load_page(page: Page, address: str) -> tuple[float, float]:
    """Return the milliseconds of the answer, and those of drawing it."""
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector("body[data-loaded] table.grid", timeout=120_000)
    measured: dict[str, Any] = page.evaluate(
        "Object.fromEntries(performance.getEntriesByType('measure').map((each) => [each.name, each.duration]))"
    )
    return measured["coverage-answer"], measured["coverage-draw"]
