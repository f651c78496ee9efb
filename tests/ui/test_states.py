"""The pages in a browser without data: they report that they load, why they cannot, and the remedy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, Run, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX
from cloudtrail_elasticsearch.core.index.own_indices import update_own_indices
from cloudtrail_elasticsearch.core.index.own_templates import make_own_templates
from cloudtrail_elasticsearch.core.index.templates import read_templates
from cloudtrail_elasticsearch.core.loading.quarantine import Quarantine
from cloudtrail_elasticsearch.core.search.bulk import BulkItem, Rejection
from cloudtrail_elasticsearch.core.search.sender import LoadSettings, Sender
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.ui import server as pages_server
from tests.browser import open_browser
from tests.cells import cell as make_cell
from tests.cells import staged_at
from tests.system.eyes import FAINT

from .site import Elsewhere, Held, Site, served

pytestmark = pytest.mark.xdist_group("pages-states")

ACCOUNT = "123456789012"
DAY = datetime(2026, 11, 1, tzinfo=UTC)
BOTH = pytest.mark.parametrize("name", ["coverage", "quarantine"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def server(opensearch: str) -> Any:
    """A server with the templates of the loader's own indices, whichever test comes first."""
    found = connect(SearchSettings.from_url(opensearch))
    update_own_indices(found, make_own_templates(), read_templates(found))
    return found


@pytest.fixture
def site(server: Any) -> Iterator[Site]:
    with served(lambda: server) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab. An error of a script, or a violation of the content security policy, fails the test."""
    opened = browser.new_page(viewport={"width": 1280, "height": 720})
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "console", lambda message: faults.append(message.text) if "Security Policy" in message.text else None
    )
    opened.on("dialog", lambda dialog: faults.append(dialog.message))
    yield opened
    opened.close()
    assert not faults


@pytest.fixture
def pattern(server: Any, unique_index_prefix: str) -> str:
    """A ledger with one cell, and one event in quarantine."""
    window = Window(ACCOUNT, "eu-west-1", DAY, DAY + timedelta(days=1))
    note(server, unique_index_prefix, window)
    return unique_index_prefix


def note(server: Any, pattern: str, window: Window, run: Run | None = None) -> None:
    cell = make_cell(window, 10, 9, 1)
    Ledger(server, pattern).record_verified(VerifiedCell(cell, staged_at(DAY, DAY, DAY), run, DAY))
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")


def keep(server: Any, pattern: str, identifier: str, reason: str) -> None:
    quarantine = Quarantine(Sender(server, LoadSettings()), pattern)
    quarantine.put(
        [Rejection(BulkItem(identifier, f"{pattern}-i", None, b'{"eventName": "Put"}'), "mapper", reason)]
    )
    quarantine.refresh()


def faint(page: Page) -> list[Any]:
    """Return the texts with less than the 4.5 to 1 of WCAG AA, in either theme."""
    return [page.evaluate(FAINT, theme) for theme in ("light", "dark")]


@BOTH
def test_a_page_shows_that_it_loads_before_any_script_runs(page: Page, site: Site, name: str) -> None:
    """In its HTML, for eyes and for screen readers."""
    page.route("**/*.js", lambda route: route.abort())
    page.goto(site.page(name))
    expect(page.get_by_role("status")).to_have_text(f"Loading the {name} …")
    expect(page.locator("[aria-busy=true] .skeleton")).to_be_visible()
    assert faint(page) == [[], []]


@BOTH
def test_a_slow_answer_is_reported_after_ten_seconds(page: Page, site: Site, server: Any, name: str) -> None:
    """With the seconds so far. Then the data replaces the message."""
    held = Held(server)
    site.search = lambda: held
    page.clock.install()
    page.goto(site.page(name))
    expect(page.get_by_role("status")).to_have_text(f"Loading the {name} …")
    page.clock.fast_forward(10_500)
    expect(page.get_by_role("status")).to_contain_text("Still waiting for the search server, 1")
    held.may_answer.set()
    page.wait_for_selector("body[data-loaded]")
    expect(page.locator("#waiting")).to_be_hidden()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


@BOTH
def test_a_button_retries_an_unreachable_server(
    page: Page, site: Site, server: Any, name: str, pattern: str
) -> None:
    """It keeps the keyboard focus if the server is still unreachable."""
    site.search = lambda: connect(SearchSettings.from_url("http://127.0.0.1:1"), "opensearch")
    page.goto(site.page(name, pattern=pattern, first="2026-11-01", last="2026-11-02"))
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The search server does not answer")
    expect(alert).to_contain_text("cannot be reached")
    assert faint(page) == [[], []]
    again = page.get_by_role("button", name="Try again")
    again.press("Enter")
    expect(again).to_be_focused()
    site.search = lambda: server
    again.press("Enter")
    expect(alert).to_be_hidden()
    expect(page.locator("main")).to_be_visible()


@BOTH
@pytest.mark.parametrize(
    ("status", "title", "action"),
    [
        (401, "You are no longer logged in to Airflow", "Log in to Airflow"),
        (403, "You are not allowed to see this page", None),
    ],
)
def test_a_user_without_permission_gets_the_reason(
    page: Page, site: Site, name: str, status: int, title: str, action: str | None
) -> None:
    """In the page's own words, with a link to the login if a login can help."""
    page.route("**/api/**", lambda route: route.fulfill(status=status, json={"detail": "Not authenticated"}))
    page.goto(site.page(name))
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    assert page.locator("#problem :is(a, button)").all_inner_texts() == ([action] if action else [])
    assert faint(page) == [[], []]


@BOTH
def test_without_a_connection_the_page_names_the_connection_to_define(
    page: Page, site: Site, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """And the permissions that its user needs."""
    for connection in ("CLOUDTRAIL_PAGES", "ELASTICSEARCH_DEFAULT"):
        monkeypatch.delenv(f"AIRFLOW_CONN_{connection}", raising=False)
    pages_server._open_server.cache_clear()
    site.search = pages_server.find_search_server
    page.goto(site.page(name))
    expect(page.get_by_role("alert")).to_contain_text("Cannot read from the search server")
    expect(page.get_by_role("alert")).to_contain_text("the Airflow connection cloudtrail_pages")


def test_a_network_error_differs_from_a_server_error(page: Page, site: Site) -> None:
    """And both differ from an HTML page instead of data, such as a proxy's login."""
    page.route("**/api/coverage*", lambda route: route.abort())
    page.goto(site.page("coverage"))
    expect(page.get_by_role("alert")).to_contain_text("Airflow cannot be reached")
    page.unroute("**/api/coverage*")
    page.route(
        "**/api/coverage*", lambda route: route.fulfill(body="<html>Log in</html>", content_type="text/html")
    )
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_contain_text("The server sent a web page instead of data")


def test_an_invalid_address_links_to_the_default_view(page: Page, site: Site, pattern: str) -> None:
    """One sentence names the mistake."""
    page.goto(site.page("coverage", last="0001-01-01"))
    expect(page.get_by_role("alert")).to_contain_text("choose a day from 2000-01-01 to 2099-12-31")
    page.get_by_role("button", name="Reset the filters").click()
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.get_by_role("grid").or_(page.get_by_text("no cells here"))).to_be_visible()


def test_an_empty_ledger_explains_the_first_load(
    page: Page, site: Site, server: Any, unique_index_prefix: str
) -> None:
    """With the DAG to unpause, the command of a first backfill, and a button that reloads."""
    site.search = lambda: Elsewhere(server, unique_index_prefix)
    page.goto(site.page("coverage"))
    expect(page.get_by_role("heading", name="No events are loaded yet")).to_be_visible()
    expect(page.locator("#first")).to_contain_text("airflow backfill create --dag-id cloudtrail_to_elasticsearch")
    assert "--dag-run-conf" not in page.locator("#first").inner_text()
    expect(page.get_by_role("link", name="cloudtrail_to_elasticsearch")).to_be_visible()
    assert faint(page) == [[], []]
    note(server, f"{unique_index_prefix}-p", Window(ACCOUNT, "eu-west-1", DAY, DAY + timedelta(days=1)))
    site.search = lambda: server
    page.get_by_role("button", name="Check again").click()
    expect(page.locator("#filters")).to_be_visible()


def test_an_empty_quarantine_explains_its_purpose(
    page: Page, site: Site, server: Any, unique_index_prefix: str
) -> None:
    """It shows events that the server rejects."""
    site.search = lambda: Elsewhere(server, unique_index_prefix)
    page.goto(site.page("quarantine"))
    expect(page.locator("#groups")).to_contain_text("No events are in quarantine for this index.")
    expect(page.locator("#groups")).to_contain_text("rejects")


def opened(page: Page, site: Site, pattern: str) -> None:
    page.goto(site.page("coverage", pattern=pattern, account=ACCOUNT, first="2026-11-01", last="2026-11-02"))
    page.wait_for_selector("body[data-loaded] table.grid")


def test_a_cell_shows_that_it_loads_and_can_be_retried(page: Page, site: Site, server: Any, pattern: str) -> None:
    """Its figures and the backfill beside them, independently."""
    opened(page, site, pattern)
    held = Held(server)
    site.search = lambda: held
    page.locator("td.s-quarantined").click()
    expect(page.locator("#details")).to_contain_text("Loading the figures …")
    held.may_answer.set()
    expect(page.locator("#details")).to_contain_text("looked up")
    site.search = lambda: connect(SearchSettings.from_url("http://127.0.0.1:1"), "opensearch")
    page.locator("td.s-quarantined").click()
    expect(page.locator("#details")).to_contain_text("The search server does not answer")
    expect(page.locator("#selection")).to_contain_text("The search server does not answer")
    # A click can choose the cell twice; the choice is asked again after a pause.
    page.wait_for_timeout(600)
    expect(page.locator("[inert]")).to_have_count(0)
    expect(page.locator("#selection")).to_contain_text("The search server does not answer")
    site.search = lambda: server
    page.locator("#selection").get_by_role("button", name="Try again").click()
    expect(page.locator("#command")).to_be_visible()
    expect(page.locator("#details")).to_contain_text("The search server does not answer")
    page.locator("#details").get_by_role("button", name="Try again").click()
    expect(page.locator("#details")).to_contain_text("looked up")


def test_a_cell_shows_stray_and_misplaced_events(
    page: Page, site: Site, server: Any, unique_index_prefix: str
) -> None:
    """With their own figures. Without any, these lines are absent."""
    staged, ledger = staged_at(DAY, DAY, DAY), Ledger(server, unique_index_prefix)
    for cell in (
        make_cell(window(0), 10, 9, 1, strays=4, misplaced=2),
        make_cell(window(1), 10, 9, 1),
    ):
        ledger.record_verified(VerifiedCell(cell, staged, None, DAY))
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    opened(page, site, unique_index_prefix)
    page.locator("td.s-quarantined").first.click()
    expect(page.locator("#details")).to_contain_text("outside the window4")
    expect(page.locator("#details")).to_contain_text("other account or region2")
    page.locator("td.s-quarantined").last.click()
    expect(page.locator("#details h2")).to_contain_text("2026-11-02")
    expect(page.locator("#details")).to_contain_text("looked up")
    expect(page.locator("#details")).not_to_contain_text("other account")


def test_a_cell_shows_how_many_events_each_rule_left_out(
    page: Page, site: Site, server: Any, unique_index_prefix: str
) -> None:
    """The largest number first, as text, and within the panel however long a name is. Without any, no heading."""
    long = f"caller arn:aws:iam::*:role/<b>{'x' * 80}</b>"
    ledger = Ledger(server, unique_index_prefix)
    counts = {"reads": 2, long: 1_500}
    for cell in (
        make_cell(window(0), 1_512, 9, 1, left_out=1_502, left_out_by=counts),
        make_cell(window(1), 10, 9, 1),
    ):
        ledger.record_verified(VerifiedCell(cell, staged_at(DAY, DAY, DAY), None, DAY))
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    opened(page, site, unique_index_prefix)
    page.locator("td.s-quarantined").first.click()
    details = page.locator("#details")
    expect(details.locator(".left-out li")).to_have_text([f"1,500 by {long}", "2 by reads"])
    expect(details).to_contain_text("left out1,502")
    assert details.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
    assert faint(page) == [[], []]
    page.locator("td.s-quarantined").last.click()
    expect(page.locator("#details h2")).to_contain_text("2026-11-02")
    expect(details.locator(".left-out")).to_have_count(0)


def window(days: int) -> Window:
    begin = DAY + timedelta(days=days)
    return Window(ACCOUNT, "eu-west-1", begin, begin + timedelta(days=1))


def test_the_last_selection_is_shown(page: Page, site: Site, server: Any, pattern: str) -> None:
    """Whichever answer arrives last."""
    opened(page, site, pattern)
    held, calls = Held(server), threading.Semaphore(1)

    def first_held() -> Any:
        return held if calls.acquire(blocking=False) else server

    site.search = first_held
    page.get_by_role("button", name="90 d").click()
    expect(page.locator("#waiting")).to_be_visible()
    page.get_by_role("button", name="30 d").click()
    expect(page.locator("tbody td")).to_have_count(30)
    held.may_answer.set()
    page.wait_for_timeout(500)
    expect(page.locator("tbody td")).to_have_count(30)


MARKUP = "<img src=x onerror=alert(1)>"
ANSI = "\x1b[31mred\x1b[0m\r\n<script>alert(2)</script>\u202e"


def test_values_of_events_and_servers_are_text(
    page: Page, site: Site, server: Any, unique_index_prefix: str
) -> None:
    """Names of regions, ids and reasons with markup, escapes and line breaks."""
    run = Run(MARKUP, MARKUP, MARKUP, 0, 1)
    note(server, unique_index_prefix, Window(ACCOUNT, MARKUP, DAY, DAY + timedelta(days=1)), run)
    keep(server, unique_index_prefix, MARKUP, ANSI)
    opened(page, site, unique_index_prefix)
    expect(page.get_by_role("rowheader", name=MARKUP)).to_be_visible()
    page.locator("td.s-quarantined").click()
    expect(page.locator("#details h2")).to_contain_text(MARKUP)
    expect(page.locator("#selection")).to_contain_text("not a region")
    page.goto(site.page("quarantine", pattern=unique_index_prefix))
    expect(page.locator(".group")).to_contain_text("<script>alert(2)</script>")
    page.locator("summary").click()
    page.locator(".ids button").click()
    expect(page.locator("pre.event")).to_contain_text("eventName")
    expect(page.locator("img")).to_have_count(0)


def test_a_replay_that_the_dag_cannot_run_is_explained(
    page: Page, site: Site, server: Any, unique_index_prefix: str
) -> None:
    """Events that a command loaded have no cell: only the command can replay them."""
    keep(server, unique_index_prefix, "one", "no mapping")
    page.goto(site.page("quarantine", pattern=unique_index_prefix))
    expect(page.locator("#start")).to_be_disabled()
    expect(page.locator("#status")).to_contain_text("the ledger has no days to replay")
    expect(page.locator("#command")).to_have_text(
        f"cloudtrail-elasticsearch replay --url {server.name} --index {unique_index_prefix}"
    )
