"""The pages on Airflow 3.0, 3.1 and 3.2: mounted into the API server, and closed to users without rights."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from devstack.simulator import DEFAULT_ACCOUNT, REGIONS
from tests.browser import open_browser
from tests.ui.squares import read_squares

from .conftest import BUSIEST, DAG_ID, DASHBOARDS, DAY, Site, wait_for

pytestmark = pytest.mark.airflow3


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


def ask(site: Site, page: str, user: str | None = None, **headers: str) -> tuple[int, bytes]:
    """Return the status and the content of a page for a user; None: for nobody."""
    if user:
        headers["authorization"] = f"Bearer {site.airflow.user(user).token}"
    request = urllib.request.Request(f"{site.airflow.url}/cloudtrail/{page}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.promise("closed")
def test_the_pages_need_permission_to_read_the_dag(site: Site) -> None:
    """Nobody gets 401 and a stranger 403 from each address. Others get the cells; only the admin may load them."""
    asked = f"pattern={quote(site.index)}&account={DEFAULT_ACCOUNT}&first={DAY}&last={DAY}"
    for page in ("coverage", "static/coverage.js", f"api/coverage?{asked}", "api/quarantine"):
        assert ask(site, page)[0] == 401
        assert ask(site, page, accept="text/html")[0] == 401
        assert ask(site, page, authorization="Bearer forged", cookie="cloudtrail_token=forged")[0] in {401, 403}
        assert ask(site, page, "stranger")[0] == 403
    assert ask(site, "coverage", "viewer")[0] == 200

    found = {user: json.loads(ask(site, f"api/coverage?{asked}", user)[1]) for user in ("viewer", "admin")}
    assert {user: answer["may_backfill"] for user, answer in found.items()} == {"viewer": False, "admin": True}
    squares = read_squares(found["admin"])
    assert {state for state, _ in squares.values()} <= {"complete", "quiet"}
    assert len(squares) == len(REGIONS)


def test_links_and_menu(site: Site) -> None:
    """The coverage task links to its page. From 3.1 on, the pages are in the navigation."""
    (run,) = site.airflow.runs(DAG_ID)
    task = f"/dags/{DAG_ID}/dagRuns/{quote(run['dag_run_id'])}/taskInstances/coverage"
    links = site.airflow.request("GET", f"{task}/links?map_index=-1")["extra_links"]
    assert links["Coverage"].startswith("/cloudtrail/coverage#") or links["Coverage"].startswith(site.airflow.url)
    (plugin,) = [
        each
        for each in site.airflow.request("GET", "/plugins")["plugins"]
        if each["name"] == "cloudtrail_elasticsearch"
    ]
    views = {view["name"] for view in plugin.get("external_views", [])}
    assert views == (set() if site.version == "3.0" else {"CloudTrail coverage", "CloudTrail quarantine"})


def test_a_browser_shows_the_pages(site: Site, browser: Browser) -> None:
    """Airflow's user sees the cells and starts a backfill. After the logout in 3.0, the pages are closed."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.context.add_cookies(
        [{"name": "_token", "value": site.airflow.user("admin").token, "url": site.airflow.url}]
    )
    page.goto(site.airflow.url)
    expect(page.get_by_role("link", name="Dags", exact=False).first).to_be_visible()
    choice = f"account={DEFAULT_ACCOUNT}&first={DAY}&last={DAY}&pattern={quote(site.index)}"
    page.goto(f"{site.airflow.url}/cloudtrail/coverage#{choice}")
    expect(page.locator("#totals")).to_contain_text("100 %")
    row = page.locator("tbody tr", has=page.get_by_role("rowheader", name=BUSIEST, exact=True))
    row.locator("td").first.click(modifiers=["Shift"])
    expected = "curl --fail-with-body" if site.version == "3.0" else "airflow backfill create"
    expect(page.locator("#command")).to_contain_text(expected)
    expect(page.locator("#start")).to_be_enabled()

    def started() -> bool:
        # The first backfill can still be open, and SQLite can be locked, which 3.0 reports as an error of its own.
        page.click("#start")
        answered = re.compile("has started|still running|Database|Internal Server Error")
        expect(page.locator("#status")).to_contain_text(answered)
        return "has started" in page.locator("#status").inner_text()

    wait_for(started, "the backfill to begin")
    if site.version == "3.0":
        page.evaluate("localStorage.removeItem('token')")
        page.reload()
        expect(page.locator("body")).to_contain_text("You are not logged in to Airflow.")


def addresses(links: dict[str, Any]) -> dict[str, str]:
    """Return the links that lead somewhere."""
    return {name: address for name, address in links.items() if address}


def test_a_task_links_to_its_documents(site: Site) -> None:
    """The address of the dashboards is a variable in Airflow's database."""
    (run,) = {task["dag_run_id"] for task in site.tasks()}
    task = f"/dags/{DAG_ID}/dagRuns/{quote(run)}/taskInstances/cell.fetch/links?map_index=0"
    links = addresses(site.airflow.request("GET", task)["extra_links"])
    assert links["Documents"].startswith(f"{DASHBOARDS}/")
