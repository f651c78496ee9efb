"""The coverage page in a real browser with a real API server, after a real backfill with failures."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect

from cloudtrail_elasticsearch.core.coverage.windows import midnight
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.sinks.connect import connect
from devstack.simulator import DEFAULT_ACCOUNT
from tests.system.conftest import FAILED, LOADING, OTHER_ACCOUNT, Site
from tests.system.eyes import FAINT, GREYS
from tests.system.test_backfill import DAG_ID, FIRST, LAST, until

pytestmark = pytest.mark.xdist_group("coverage-page")


STATES = ("complete", "quiet", "quarantined", "loading", "failed", "missing", "none")
ANSWERS = re.compile(
    r"^(Backfill \d+ has started|Another backfill of this DAG is still running|Database (error: |is locked))"
)
ACTS = "document.querySelector('#selection:not([inert] *) h2')?.innerText ?? ''"
"""The heading of the choice whose buttons can be pressed."""


def logged_in(browser: Browser, site: Site, user: str) -> BrowserContext:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": "_token", "value": site.airflow.user(user).token, "url": site.airflow.url}])
    return context


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """The page for the admin. An error of its script fails the test."""
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


def cell(page: Page | Frame, region: str, day: Any) -> Any:
    row = page.locator("tbody tr", has=page.get_by_role("rowheader", name=region, exact=True))
    return row.locator("td").nth((day - FIRST).days)


def framed(page: Page) -> Frame:
    """The page inside Airflow's own."""
    element = page.wait_for_selector("iframe", timeout=30_000)
    frame = element.content_frame() if element else None
    assert frame
    frame.wait_for_selector("body[data-loaded]")
    return frame


def state_of(found: Any) -> str:
    """Return the state that a cell is drawn with."""
    (name,) = (name for name in found.get_attribute("class").split() if name.startswith("s-"))
    return str(name).removeprefix("s-")


def test_each_state_is_shown(page: Page, site: Site) -> None:
    """In its cell and in the legend's counts. A tooltip has the figures."""
    expected = {
        ("us-east-1", FIRST): "quarantined",
        ("us-east-1", LAST): "complete",
        ("ap-northeast-3", LAST): "quiet",
        ("eu-west-1", FIRST): "missing",
        ("eu-west-1", LAST): "missing",
        (LOADING, LAST): "loading",
        (FAILED, LAST): "failed",
        (FAILED, FIRST): "none",
    }
    assert set(expected.values()) == set(STATES)
    for (region, day), state in expected.items():
        assert state_of(cell(page, region, day)) == state
    expect(page.locator("#legend [data-state=missing] b")).to_have_text("2")
    expect(page.locator("#totals")).to_contain_text("of the cells verified")
    cell(page, "us-east-1", FIRST).hover()
    expect(page.locator("#tip")).to_contain_text("us-east-1")
    expect(page.locator("#tip")).to_contain_text("quarantined")


def test_a_cell_links_to_its_task_and_documents(page: Page, site: Site) -> None:
    """Its figures, its task instance with the log in Airflow's own UI, and the way back."""
    cell(page, "us-east-1", LAST).click()
    details = page.locator("#details")
    expect(details).to_contain_text("complete")
    assert "awsRegion" in (details.get_by_text("Documents of this cell").get_attribute("href") or "")
    details.locator("#task").click()
    page.wait_for_url("**/tasks/cell.load/mapped/*")
    expect(page.get_by_text("Task Instance").first).to_be_visible()
    page.go_back()
    page.wait_for_selector("body[data-loaded] table.grid")
    assert f"pattern={site.pattern[:8]}" in page.url


def test_the_keyboard_moves_selects_and_opens(page: Page) -> None:
    """Arrows move, Shift selects, Enter opens. Each cell has a description."""
    cell(page, "ap-northeast-3", FIRST).focus()
    cell(page, "ap-northeast-3", FIRST).click()
    page.keyboard.press("ArrowDown")
    words = f"eu-west-1, {FIRST}: missing; 0 looked up, 0 indexed, 0 quarantined"
    expect(page.locator("td.current")).to_have_attribute("aria-label", words)
    page.keyboard.press("Enter")
    expect(page.locator("#details .problem")).to_contain_text("cloudtrail:LookupEvents is missing")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("td.selected")).to_have_count(2)
    expect(page.locator("#command")).to_contain_text(f"--from-date {FIRST} --to-date {LAST}")
    page.keyboard.press("Escape")
    expect(page.locator("td.selected")).to_have_count(0)


def test_the_theme_follows_airflow(page: Page, site: Site) -> None:
    """Airflow's switch changes both, and the page starts with Airflow's theme."""
    before = page.evaluate("document.documentElement.dataset.theme")
    page.click("#theme")
    after = page.evaluate("document.documentElement.dataset.theme")
    assert {before, after} == {"light", "dark"}
    other = page.context.new_page()
    other.goto(f"{site.airflow.url}/dags")
    other.wait_for_selector(f"html.{after}")
    other.close()


def test_airflow_has_the_page_in_its_navigation(page: Page, site: Site) -> None:
    """As its own view, and as a tab of the DAG."""
    for address in ("/plugin/cloudtrail-coverage", f"/dags/{DAG_ID}/plugin/cloudtrail-coverage-dag"):
        page.goto(f"{site.airflow.url}{address}")
        frame = page.frame_locator("iframe")
        expect(frame.get_by_role("heading", name="CloudTrail coverage")).to_be_visible()


def test_a_missing_cell_links_to_the_log_with_the_reason(page: Page) -> None:
    """The log of its fetch, since no load has begun."""
    cell(page, "eu-west-1", LAST).click()
    page.locator("#task").click()
    page.wait_for_url("**/tasks/cell.fetch/mapped/*")
    expect(page.get_by_text("cloudtrail:LookupEvents").first).to_be_visible()


def test_cells_are_filtered(page: Page) -> None:
    """By account, region and range. Each choice is in the address and is kept."""
    rows = page.locator("tbody th[scope=row]")
    page.get_by_role("searchbox", name="Search").fill("us-, sa-")
    expect(rows).to_have_text([LOADING, "us-east-1", FAILED])
    page.get_by_label("From").fill(str(LAST))
    expect(page.locator("tbody td")).to_have_count(3)
    page.get_by_role("button", name="30 d").click()
    expect(page.locator("tbody td")).to_have_count(90)
    expect(page.get_by_role("button", name="30 d")).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(rows).to_have_text([LOADING, "us-east-1", FAILED])
    page.get_by_role("searchbox").fill("")
    page.get_by_label("Account").select_option(OTHER_ACCOUNT)
    expect(rows).to_have_text(["eu-north-1"])
    page.get_by_role("searchbox").fill("nowhere")
    expect(page.locator("#map")).to_contain_text("No region here matches the search.")


def test_totals_days_and_regions_are_counted(page: Page) -> None:
    """Over all shown cells: the events of each day above it, of each region beside it, the busiest first."""
    shown = (
        page.locator("tbody tr", has=page.get_by_role("rowheader", name="us-east-1")).locator(".sum").inner_text()
    )
    expect(page.locator("#busiest li").first).to_have_text(f"us-east-1{shown}")
    page.locator(".bars td").last.hover()
    expect(page.locator("#tip")).to_contain_text(f"{LAST}")
    expect(page.locator("#tip")).to_contain_text("events")


def test_a_tooltip_stays_within_the_window_and_closes_on_escape(page: Page) -> None:
    """At every corner of the map, also in a narrow window."""
    page.set_viewport_size({"width": 480, "height": 420})
    page.get_by_role("button", name="90 d").click()
    expect(page.locator("tbody tr").first.locator("td")).to_have_count(90)
    for corner in (page.locator("tbody td").first, page.locator("tbody td").last):
        corner.scroll_into_view_if_needed()
        corner.hover()
        box: Any = page.locator("#tip").bounding_box()
        assert 0 <= box["x"] <= 480 - box["width"]
        assert 0 <= box["y"] <= 420 - box["height"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("td.current").focus()
    expect(page.locator("#tip")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#tip")).to_be_hidden()


def test_the_map_is_one_stop_for_the_tab_key(page: Page) -> None:
    """After the filters, for any number of cells; the content that a click opens comes next."""
    cell(page, "us-east-1", LAST).click()
    expect(page.locator("#task")).to_be_visible()
    page.get_by_role("button", name="365 d").focus()
    page.keyboard.press("Tab")
    expect(page.locator("td.current")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#task")).to_be_focused()


def test_states_are_distinguishable_without_colour(page: Page) -> None:
    """No two signs look alike without any colour, in both themes."""
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setEmulatedVisionDeficiency", {"type": "achromatopsia"})
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        seen = {
            state: page.evaluate(GREYS, list(page.locator(f"#legend [data-state={state}] i").screenshot()))
            for state in STATES
        }
        for one, other in itertools.combinations(STATES, 2):
            differ = sum(abs(a - b) > 24 for a, b in zip(seen[one], seen[other], strict=True))
            assert differ >= len(seen[one]) / 20, (theme, one, other)


def test_text_has_enough_contrast(page: Page, site: Site) -> None:
    """At least the 4.5 to 1 of WCAG AA, in both themes, on both pages."""
    cell(page, "eu-west-1", LAST).click()
    expect(page.locator("#command")).to_be_visible()
    faint = [page.evaluate(FAINT, theme) for theme in ("light", "dark")]
    page.goto(f"{site.airflow.url}/cloudtrail/quarantine#pattern={site.pattern}")
    page.wait_for_selector("body[data-loaded] .group")
    faint += [page.evaluate(FAINT, theme) for theme in ("light", "dark")]
    assert faint == [[], [], [], []]


def test_the_pages_work_within_airflows_frame(page: Page, site: Site) -> None:
    """Links to the task and to the documents leave it. After a return, the cell is selected as before."""
    page.goto(f"{site.airflow.url}/plugin/cloudtrail-coverage")
    frame = framed(page)
    frame.locator("select[name=pattern]").select_option(site.pattern)
    frame.locator("select[name=account]").select_option(DEFAULT_ACCOUNT)
    expect(frame.locator("#legend [data-state=quarantined] b")).to_have_text("1")
    cell_of = frame.locator("td.s-quarantined")
    cell_of.click()
    with page.context.expect_page() as opened:
        frame.get_by_text("Documents of this cell").click()
    opened.value.close()
    frame.locator("#selection .copy").click()
    expect(frame.locator("#status")).to_have_text("Copied.")
    frame.locator("#task").click()
    page.wait_for_url("**/tasks/cell.load/mapped/*")
    page.go_back()
    expect(framed(page).locator("#details")).to_contain_text("quarantined")
    framed(page).get_by_text("Quarantined events of this cell").click()
    expect(framed(page).locator(".group").first).to_contain_text("failed to parse field")


@pytest.mark.promise("closed")
def test_users_without_permission_are_rejected(browser: Browser, site: Site) -> None:
    """401 without a login, 403 for users who may not read the DAG, no backfill for users who may only read it."""
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


def test_the_quarantine_is_shown_and_replayed(page: Page, site: Site) -> None:
    """The reasons and the events. After the index is corrected, a replay from the page empties it."""
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
    expect(page.locator("#status")).to_contain_text("has started")

    def emptied() -> bool:
        page.reload()
        page.wait_for_selector("body[data-loaded]")
        return page.get_by_text("No events are in quarantine for this index.").is_visible()

    until(emptied, "the quarantine to be empty")


def test_an_error_of_airflow_is_a_readable_message(page: Page, site: Site) -> None:
    """As its API reports a locked database. Then the button works again."""
    told = {"reason": "Database error", "statement": "hidden", "orig_error": "hidden", "message": "Check logs."}
    page.route("**/api/v2/backfills", lambda route: route.fulfill(status=500, json={"detail": told}))
    cell(page, "eu-west-1", FIRST).click()
    page.click("#start")
    expect(page.locator("#status")).to_have_text("Database error: Check logs.")
    expect(page.locator("#start")).to_be_enabled()


def test_the_command_is_copied_and_the_backfill_started(page: Page, site: Site) -> None:
    """Failed cells are selected and loaded again from the page; then no cell is missing."""
    site.simulator.service.faults.clear()
    cell(page, "eu-west-1", FIRST).click()
    expect(page.locator("#start")).to_be_enabled()
    cell(page, "eu-west-1", LAST).click(modifiers=["Shift"])
    assert page.evaluate(ACTS) in ("", f"Load again: eu-west-1, {FIRST} to {LAST}")
    days = f"--from-date {FIRST} --to-date {LAST}"
    expect(page.locator("#command")).to_contain_text(f"{days} --reprocess-behavior completed")
    page.click("#selection .copy")
    expect(page.locator("#status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#command").inner_text()

    def started() -> bool:
        """Return whether the backfill started. Airflow can still hold the first one open, or SQLite can be locked.

        The page reports both, and its button works again.
        """
        page.click("#start")
        expect(page.locator("#status")).to_have_text(ANSWERS)
        page.wait_for_timeout(1_000)
        return "has started" in page.locator("#status").inner_text()

    until(started, "the backfill to begin")

    def mended() -> bool:
        page.reload()
        page.wait_for_selector("body[data-loaded] table.grid")
        return page.locator("#legend [data-state=missing] b").inner_text() == "0"

    until(mended, "the missing cells to be loaded")
