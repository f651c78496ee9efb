"""The coverage page in a real browser, on a real API server, after a real backfill in which not all went well."""

from __future__ import annotations

import json
import shutil
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.mapping import IndexPattern
from cloudtrail_elasticsearch.core.windows import midnight
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.airflow import Airflow, AirflowSettings
from devstack.simulator import Fault, FaultKind, Simulator, SimulatorSettings
from tests.system.test_backfill import DAG_ID, FIRST, REGIONS, YESTERDAY, ended, until

pytestmark = pytest.mark.xdist_group("coverage-page")

USERS = "admin:admin,viewer:viewer,stranger:"
HOPELESS = {name: {"type": "long"} for name in ("eventName", "overflow", "unindexed")}
"""A mapping that refuses every event, wherever its values are put."""


@dataclass(frozen=True, slots=True)
class Site:
    """An Airflow after its backfill, and who may log in."""

    airflow: Airflow
    simulator: Simulator
    pattern: str
    passwords: dict[str, str]
    search: SearchSettings

    @property
    def address(self) -> str:
        """The page, of the days and the index of the backfill."""
        return f"{self.airflow.url}/cloudtrail/coverage#first={FIRST}&last={YESTERDAY}&pattern={self.pattern}"

    def token(self, user: str) -> str:
        login = json.dumps({"username": user, "password": self.passwords[user]}).encode()
        request = urllib.request.Request(
            f"{self.airflow.url}/auth/token", login, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            return str(json.load(answer)["access_token"])


@pytest.fixture(scope="module")
def site(aws: str, opensearch: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two days of three regions: one is denied, and one day's index refuses everything."""
    prefix = f"page-{uuid.uuid4().hex[:8]}"
    boto3.client("s3", endpoint_url=aws).create_bucket(Bucket=prefix)
    server = connect(SearchSettings.from_url(opensearch))
    pattern = f"{prefix}-%Y.%m.%d"
    refusing = IndexPattern(pattern).name(midnight(FIRST))
    server.request("PUT", f"/{refusing}", codec.encode({"mappings": {"properties": HOPELESS}}))
    host, port = opensearch.removeprefix("http://").split(":")
    search = {"conn_type": "cloudtrail_search", "host": host, "port": int(port), "extra": {"engine": "opensearch"}}
    connection = {"conn_type": "aws", "login": "t", "password": "t", "extra": {"region_name": "us-east-1"}}
    with Simulator(SimulatorSettings(volume=200, latency=0.05)) as simulator:
        environment = {
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
            "AIRFLOW_CONN_ELASTICSEARCH_DEFAULT": json.dumps(search),
            "AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": prefix,
            "AIRFLOW_VAR_CLOUDTRAIL_DASHBOARDS_URL": "http://127.0.0.1:5601",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": USERS,
            "AWS_ENDPOINT_URL": aws,
            "AWS_ENDPOINT_URL_CLOUDTRAIL": simulator.endpoint_url,
        }
        simulator.service.faults.add(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"))
        airflow = Airflow(AirflowSettings(tmp_path_factory.mktemp("page"), environment, port=0))
        airflow.prepare()
        conf = json.dumps({"regions": REGIONS, "index": pattern})
        airflow.backfill(DAG_ID, str(FIRST), str(YESTERDAY), "--dag-run-conf", conf)
        with airflow:
            until(lambda: ended(airflow), "the backfill's end")
            yield Site(airflow, simulator, pattern, airflow.passwords, SearchSettings.from_url(opensearch))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "the browser's tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


def logged_in(browser: Browser, site: Site, user: str) -> BrowserContext:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": "_token", "value": site.token(user), "url": site.airflow.url}])
    return context


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """The page as the admin sees it; a fault of its script fails the test."""
    context = logged_in(browser, site, "admin")
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.airflow.url)
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(site.address)
    opened.wait_for_selector("body[data-loaded] table.grid")
    yield opened
    context.close()
    assert not faults


def cell(page: Page, region: str, day: Any) -> Any:
    row = page.locator("tbody tr", has=page.get_by_role("rowheader", name=region, exact=True))
    return row.locator("td").nth((day - FIRST).days)


def state_of(found: Any) -> str:
    """The state that a cell is drawn in, beside what it is else."""
    (name,) = (name for name in found.get_attribute("class").split() if name.startswith("s-"))
    return str(name).removeprefix("s-")


def test_each_state_is_seen(page: Page, site: Site) -> None:
    """Complete, quiet, quarantined and missing, each where it is, and counted in the legend."""
    expected = {
        ("us-east-1", FIRST): "quarantined",
        ("us-east-1", YESTERDAY): "complete",
        ("ap-northeast-3", YESTERDAY): "quiet",
        ("eu-west-1", FIRST): "missing",
        ("eu-west-1", YESTERDAY): "missing",
    }
    for (region, day), state in expected.items():
        assert state_of(cell(page, region, day)) == state
    expect(page.locator("#legend [data-state=missing] b")).to_have_text("2")
    expect(page.locator("#totals")).to_contain_text("of the cells proven")
    cell(page, "us-east-1", FIRST).hover()
    expect(page.locator("#tip")).to_contain_text("us-east-1")
    expect(page.locator("#tip")).to_contain_text("quarantined")


def test_a_cell_leads_to_its_task_and_back(page: Page, site: Site) -> None:
    """Its figures, its task instance in Airflow's own UI with the log, and its documents."""
    cell(page, "us-east-1", YESTERDAY).click()
    details = page.locator("#details")
    expect(details).to_contain_text("complete")
    assert "awsRegion" in (details.get_by_text("Its documents").get_attribute("href") or "")
    details.locator("#task").click()
    page.wait_for_url("**/tasks/cell.load/mapped/*")
    expect(page.get_by_text("Task Instance").first).to_be_visible(timeout=30_000)
    page.go_back()
    page.wait_for_selector("body[data-loaded] table.grid")
    assert f"pattern={site.pattern[:8]}" in page.url


def test_the_keyboard_does_it_too(page: Page) -> None:
    """Arrows move, Shift selects, Enter opens; each cell says what it is."""
    cell(page, "ap-northeast-3", FIRST).focus()
    cell(page, "ap-northeast-3", FIRST).click()
    page.keyboard.press("ArrowDown")
    words = f"eu-west-1, {FIRST}: missing; 0 looked up, 0 indexed, 0 quarantined"
    expect(page.locator("td.current")).to_have_attribute("aria-label", words)
    page.keyboard.press("Enter")
    expect(page.locator("#details .problem")).to_contain_text("its own log says why")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("td.selected")).to_have_count(2)
    expect(page.locator("#command")).to_contain_text(f"--from-date {FIRST} --to-date {YESTERDAY}")
    page.keyboard.press("Escape")
    expect(page.locator("td.selected")).to_have_count(0)


def test_the_theme_is_airflows(page: Page, site: Site) -> None:
    """The switch switches both, and the page begins as Airflow is."""
    before = page.evaluate("document.documentElement.dataset.theme")
    page.click("#theme")
    after = page.evaluate("document.documentElement.dataset.theme")
    assert {before, after} == {"light", "dark"}
    other = page.context.new_page()
    other.goto(f"{site.airflow.url}/dags")
    other.wait_for_selector(f"html.{after}")
    other.close()


def test_airflow_has_it_in_its_navigation(page: Page, site: Site) -> None:
    """As a view of its own, and as a tab of the DAG."""
    for address in ("/plugin/cloudtrail-coverage", f"/dags/{DAG_ID}/plugin/cloudtrail-coverage-dag"):
        page.goto(f"{site.airflow.url}{address}")
        frame = page.frame_locator("iframe")
        expect(frame.get_by_role("heading", name="CloudTrail coverage")).to_be_visible(timeout=30_000)


def test_who_may_not_is_refused(browser: Browser, site: Site) -> None:
    """401 without a login, 403 for who may not read the DAG, and no backfill for who may only read it."""
    data = ["api/coverage", "api/cells", "api/backfill", "api/quarantine", "api/quarantine/event"]
    routes = ["coverage", "quarantine", "static/coverage.js", *data]
    for user, status in ((None, 401), ("stranger", 403)):
        context = logged_in(browser, site, user) if user else browser.new_context()
        for route in routes:
            assert context.request.get(f"{site.airflow.url}/cloudtrail/{route}").status == status, route
        context.close()
    context = logged_in(browser, site, "viewer")
    page = context.new_page()
    page.goto(site.address)
    page.wait_for_selector("body[data-loaded] table.grid")
    cell(page, "eu-west-1", FIRST).click()
    expect(page.locator("#start")).to_be_disabled()
    body = {"dag_id": DAG_ID, "from_date": f"{FIRST}T00:00:00Z", "to_date": f"{FIRST}T00:00:00Z"}
    assert context.request.post(f"{site.airflow.url}/api/v2/backfills", data=body).status == 403
    context.close()


def test_the_quarantine_is_seen_and_replayed(page: Page, site: Site) -> None:
    """Why events are there, and the events; with the index mended, a replay from the page empties it."""
    page.goto(f"{site.airflow.url}/cloudtrail/quarantine#pattern={site.pattern}")
    page.wait_for_selector("body[data-loaded]")
    group = page.locator(".group").first
    expect(group).to_contain_text("failed to parse field")
    group.locator("summary").click()
    group.locator(".ids button").first.click()
    expect(group.locator("pre.event")).to_contain_text('"eventName"')
    server = connect(site.search)
    server.request("DELETE", f"/{IndexPattern(site.pattern).name(midnight(FIRST))}")
    page.click("#start")
    expect(page.locator("#told")).to_contain_text("has begun")

    def emptied() -> bool:
        page.reload()
        page.wait_for_selector("body[data-loaded]")
        return page.get_by_text("Nothing is in quarantine here.").is_visible()

    until(emptied, "the quarantine to be empty")


def test_the_command_is_copied_and_the_backfill_started(page: Page, site: Site) -> None:
    """What failed is selected, and loaded again from the page; then no cell is missing any more."""
    site.simulator.service.faults.clear()
    cell(page, "eu-west-1", FIRST).click()
    cell(page, "eu-west-1", YESTERDAY).click(modifiers=["Shift"])
    expect(page.locator("#command")).to_contain_text("--reprocess-behavior failed")
    page.click("#selection .copy")
    expect(page.locator("#told")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#command").inner_text()

    def started() -> bool:
        """Airflow may hold the first backfill for open until it looks again, and the page says so."""
        page.click("#start")
        expect(page.locator("#told")).to_contain_text("backfill", ignore_case=True)
        expect(page.locator("#told")).not_to_contain_text("Starting")
        page.wait_for_timeout(1_000)
        return "has begun" in page.locator("#told").inner_text()

    until(started, "the backfill to begin")

    def mended() -> bool:
        page.reload()
        page.wait_for_selector("body[data-loaded] table.grid")
        return page.locator("#legend [data-state=missing] b").inner_text() == "0"

    until(mended, "the missing cells to be loaded")
