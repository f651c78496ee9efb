"""The pages in Airflow 2.11's webserver: the same as in Airflow 3, for users who may read the DAG."""

from __future__ import annotations

import json
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, Run, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.index import setup
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX, IndexPattern
from cloudtrail_elasticsearch.core.loading.quarantine import Quarantine
from cloudtrail_elasticsearch.core.search.bulk import BulkItem, Rejection
from cloudtrail_elasticsearch.core.search.sender import LoadSettings, Sender
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.airflow2 import USER, Airflow2, Webserver, anonymous
from devstack.simulator import DEFAULT_ACCOUNT
from tests.cells import cell as make_cell
from tests.cells import staged_at
from tests.ui.squares import read_squares

from .conftest import DAG_ID, FIRST, LAST

pytestmark = pytest.mark.airflow2

RUN = Run(DAG_ID, f"backfill__{FIRST}T00:00:00+00:00", "cell.load", 2, 1)


@pytest.fixture
def pattern(opensearch: str, unique_index_prefix: str) -> str:
    """A ledger with a complete cell, and one with an event in quarantine."""
    server = connect(SearchSettings.from_url(opensearch))
    setup.prepare_indices(server, IndexPattern(unique_index_prefix), build_schema("typed", load_rules()))
    start = midnight(FIRST)
    ledger = Ledger(server, unique_index_prefix)
    for region, indexed in (("eu-west-1", 9), ("us-east-1", 10)):
        window = Window(DEFAULT_ACCOUNT, region, start, start + timedelta(days=1))
        cell = make_cell(window, 10, indexed, 10 - indexed)
        ledger.record_verified(VerifiedCell(cell, staged_at(start, start, start), RUN, start))
    quarantine = Quarantine(Sender(server, LoadSettings()), unique_index_prefix)
    reason = "failed to parse field [requestParameters.when] of type [long] in document with id '1'."
    item = BulkItem("one", f"{unique_index_prefix}-i", None, b'{"eventName": "Put"}')
    quarantine.put([Rejection(item, "mapper_parsing_exception", reason)])
    quarantine.refresh()
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    return unique_index_prefix


@pytest.fixture
def webserver(airflow2: Airflow2) -> Iterator[Webserver]:
    airflow2.command("dags", "reserialize")
    with Webserver(airflow2) as running:
        yield running


def opened(session: urllib.request.OpenerDirector, url: str) -> tuple[int, str, Any]:
    """Return an answer's status, its final address and its content."""
    try:
        with session.open(url, timeout=60) as answer:
            return answer.status, answer.url, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, url, error.read()


def test_the_pages_need_permission_to_read_the_dag(airflow2: Airflow2, webserver: Webserver, pattern: str) -> None:
    """Without a login, a browser gets the login page and a script an error. Other users are rejected."""
    base = f"{webserver.url}/cloudtrail"
    asked = f"pattern={pattern}&account={DEFAULT_ACCOUNT}&first={FIRST}&last={LAST}"
    nobody = anonymous()
    assert "/login/" in opened(nobody, f"{base}/coverage")[1]
    status, _, told = opened(nobody, f"{base}/api/coverage?{asked}")
    assert (status, b"logged in" in told) == (401, True)

    airflow2.command("roles", "create", "Stranger")
    airflow2.command("roles", "add-perms", "Stranger", "-r", "Website", "-a", "can_read")
    webserver.create_user("stranger", "Stranger", "secret")
    webserver.create_user("viewer", "Viewer", "secret")
    stranger, viewer = (webserver.session(name, "secret") for name in ("stranger", "viewer"))
    for page in ("coverage", "static/coverage.js", f"api/coverage?{asked}", "api/quarantine"):
        assert opened(stranger, f"{base}/{page}")[0] == 403
    status, _, told = opened(viewer, f"{base}/api/coverage?{asked}")
    assert (status, json.loads(told)["may_backfill"]) == (200, False)

    admin = webserver.session(USER, webserver.password)
    answer = json.loads(opened(admin, f"{base}/api/coverage?{asked}")[2])
    assert {state for state, _ in read_squares(answer).values()} == {"complete", "quarantined"}
    assert answer["may_backfill"] is True
    wrong = {"api/coverage?first=yesterday": 422, "api/coverage?last=0001-01-01": 400, "static/..%2fapp.py": 404}
    for asked_wrongly, expected in wrong.items():
        assert opened(admin, f"{base}/{asked_wrongly}")[0] == expected
    with admin.open(f"{base}/coverage") as page:
        assert "frame-ancestors 'self'" in page.headers["content-security-policy"]


def test_a_browser_shows_the_pages(webserver: Webserver, pattern: str) -> None:
    """From Airflow's menu to a cell, its task, this Airflow's backfill command, and a started replay."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "the browser's tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{webserver.url}/login/")
        page.fill("#username", USER)
        page.fill("#password", webserver.password)
        page.click("input[type=submit]")
        assert page.get_by_role("link", name="CloudTrail coverage", include_hidden=True).get_attribute("href") == (
            "/cloudtrail/coverage"
        )
        page.goto(f"{webserver.url}/cloudtrail/coverage#first={FIRST}&last={LAST}&pattern={pattern}")
        expect(page.locator("#totals")).to_contain_text("100 %")
        row = page.locator("tbody tr", has=page.get_by_role("rowheader", name="eu-west-1", exact=True))
        cell = row.locator("td").first
        cell.click()
        task = page.locator("#task")
        expect(task).to_be_visible()
        assert (task.get_attribute("href") or "").startswith(f"/dags/{DAG_ID}/grid?dag_run_id=backfill__")
        cell.click(modifiers=["Shift"])
        expect(page.locator("#command")).to_contain_text("airflow dags backfill --start-date")
        expect(page.locator("#start")).to_be_disabled()
        expect(page.locator("#status")).to_have_text("This Airflow can start backfills only with the command.")
        page.goto(f"{webserver.url}/cloudtrail/quarantine#pattern={pattern}")
        expect(page.locator("#groups")).to_contain_text("requestParameters.when")
        page.locator("#start").click()
        expect(page.locator("#status")).to_contain_text("The replay has started")
        page.locator("#status a").click()
        expect(page).to_have_url(re.compile(rf"/dags/{DAG_ID}/grid\?dag_run_id=manual__"))
        browser.close()
