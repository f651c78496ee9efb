"""What the coverage page shows of live runs: the last squares, the worst lag, and new data by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX

from .followed import PROBLEM, A, B, behind, day, fill, load_days, record, watermark
from .site import Elsewhere, Site, served
from .test_states import browser, faint, page, server

__all__ = ["browser", "page", "server"]

pytestmark = pytest.mark.xdist_group("pages-states")


@pytest.fixture
def pattern(server: Any, unique_index_prefix: str) -> str:
    fill(server, unique_index_prefix)
    return unique_index_prefix


@pytest.fixture
def site(server: Any) -> Iterator[Site]:
    with served(lambda: server) as running:
        yield running


def opened(page: Page, site: Site, pattern: str, **more: str) -> None:
    page.goto(site.page("coverage", pattern=pattern, **{"days": "30"} | more))
    page.wait_for_selector("body[data-loaded] table.grid")


def cell(page: Page, row: str, ago: int) -> Any:
    row_of = page.locator("table.grid tbody tr", has=page.locator("th", has_text=row))
    return row_of.locator("td").nth(29 - ago)


def test_the_page_shows_live_squares(page: Page, site: Site, pattern: str) -> None:
    """Today's, and yesterday's until it has a cell. They count as no cells, and are reached by the keyboard."""
    opened(page, site, pattern, account=A)
    expect(cell(page, "eu-west-1", 0)).to_have_class(re.compile("s-live"))
    expect(cell(page, "eu-west-1", 1)).to_have_class(re.compile("s-complete"))
    expect(cell(page, "us-east-1", 1)).to_have_class(re.compile("s-live"))
    expect(cell(page, "us-east-1", 2)).to_have_class(re.compile("s-complete"))
    expect(page.locator("#totals")).to_contain_text("100 %")
    expect(page.locator("#totals div").nth(1)).to_contain_text("45events looked up")
    expect(page.locator("#legend li[data-state=live] b")).to_have_text("3")
    expect(page.locator("#legend li[data-state=complete] b")).to_have_text("9")
    expect(page.locator("#live")).to_contain_text("no region is behind. Newest event 3 min ago, last load")
    expect(page.locator("#live")).to_contain_text("Live is not a proof")
    first = cell(page, "eu-west-1", 0)
    expect(first).to_have_attribute(
        "aria-label",
        re.compile(
            rf"eu-west-1, {day(0)}: live: newest event 3 min ago, 412 events today, loaded up to .* UTC as of "
        ),
    )
    first.focus()
    expect(page.locator("#tip")).to_contain_text("newest event3 min ago")
    page.keyboard.press("Enter")
    details = page.locator("#details")
    expect(details).to_contain_text("events today412")
    expect(details).to_contain_text("This day is not over")
    expect(page.locator("#selection")).to_have_count(0)
    assert faint(page) == [[], []]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(details).to_contain_text("has not proven this day yet")
    expect(details).not_to_contain_text("events today")
    expect(page.locator("#command")).to_contain_text(f"--to-date {day(1)}")


def test_a_region_that_falls_behind_needs_attention(page: Page, site: Site, pattern: str) -> None:
    """By its sign, in words with the reason, and above the table."""
    opened(page, site, pattern, account="*")
    expect(page.locator("#live")).to_contain_text(f"worst lag 47 min ({B} eu-west-1); 2 regions are behind.")
    expect(cell(page, A, 0)).to_have_class(re.compile("s-live"))
    expect(cell(page, B, 0)).to_have_class(re.compile("s-behind"))
    cell(page, B, 0).hover()
    expect(page.locator("#tip")).to_contain_text("live, behind")
    expect(page.locator("#tip")).to_contain_text("behind47 min")
    expect(page.locator("#tip")).to_contain_text(PROBLEM)
    assert faint(page) == [[], []]
    cell(page, B, 0).click()
    expect(page.locator("tbody th[scope=row]")).to_have_text(["eu-west-1", "us-east-1"])
    cell(page, "us-east-1", 0).click()
    expect(page.locator("#details .problem")).to_have_text(PROBLEM)
    expect(page.locator("#details")).to_contain_text("behind20 min")


def test_selected_days_leave_out_today(page: Page, site: Site, pattern: str) -> None:
    """Today alone is explained."""
    opened(page, site, pattern, account=A)
    cell(page, "eu-west-1", 2).click()
    cell(page, "us-east-1", 0).click(modifiers=["Shift"])
    expect(page.locator("#selection h2")).to_contain_text(f"2 regions, {day(2)} to {day(1)}")
    expect(page.locator("#command")).to_contain_text(f"--to-date {day(1)}")
    cell(page, "eu-west-1", 0).click()
    cell(page, "us-east-1", 0).click(modifiers=["Shift"])
    expect(page.locator("#selection")).to_contain_text("Today cannot be loaded again")


def test_old_watermarks_show_that_live_runs_have_stopped(
    page: Page, site: Site, server: Any, unique_index_prefix: str
) -> None:
    """If none of the pattern was recorded for half an hour."""
    record(server, unique_index_prefix, watermark(A, "eu-west-1", 96))
    opened(page, site, unique_index_prefix, account=A)
    expect(page.locator("#live .problem")).to_contain_text("No live run has loaded anything since ")
    expect(page.locator("#live .problem")).to_contain_text("(1 h 36 min ago). Check that the DAG cloudtrail_live")
    assert faint(page) == [[], []]


def test_a_ledger_without_cells_shows_live_squares(
    page: Page, site: Site, server: Any, unique_index_prefix: str
) -> None:
    """Live runs can begin before the first day is loaded."""
    record(server, unique_index_prefix, watermark(A, "eu-west-1"))
    copy = f"{unique_index_prefix}-coverage"
    (mapping,) = server.request("GET", f"/{COVERAGE_INDEX}/_mapping").values()
    server.request("PUT", f"/{copy}", codec.encode(mapping))
    of_the_test = {"index": COVERAGE_INDEX, "query": {"term": {"live_pattern": unique_index_prefix}}}
    copying = codec.encode({"source": of_the_test, "dest": {"index": copy}})
    server.request("POST", "/_reindex?refresh=true", copying)
    site.search = lambda: Elsewhere(server, unique_index_prefix)
    page.goto(site.page("coverage"))
    page.wait_for_selector("body[data-loaded] table.grid")
    expect(page.locator("td.s-live")).to_have_count(2)
    expect(page.locator("select[name=account]")).to_have_value(A)


def test_the_page_shows_new_data_by_itself(page: Page, site: Site, server: Any, pattern: str) -> None:
    """Each minute, in one request. The selection, the focus, the search and the details stay."""
    page.clock.install()
    opened(page, site, pattern, account=A)
    page.locator("[name=search]").fill("eu us")
    page.locator("[name=search]").fill("eu, us")
    cell(page, "us-east-1", 0).click()
    expect(page.locator("#details")).to_contain_text("events today7")
    cell(page, "eu-west-1", 3).click()
    cell(page, "us-east-1", 0).click(modifiers=["Shift"])
    expect(page.locator("tbody td.selected")).to_have_count(8)
    record(server, pattern, watermark(A, "us-east-1", 0, events=9), behind(A, "eu-west-1", 61))
    load_days(server, pattern, A, "us-east-1", range(1, 2))
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "api/coverage" in request.url else None)
    page.clock.run_for(61_000)
    expect(cell(page, "eu-west-1", 0)).to_have_class(re.compile("s-behind"))
    expect(cell(page, "us-east-1", 1)).to_have_class(re.compile("s-complete"))
    expect(page.locator("#live")).to_contain_text(f"worst lag 1 h 1 min ({A} eu-west-1)")
    expect(page.locator("tbody td.selected")).to_have_count(8)
    expect(page.locator("td.current")).to_be_focused()
    expect(page.locator("[name=search]")).to_have_value("eu, us")
    assert len(asked) == 1
    cell(page, "us-east-1", 0).click()
    expect(page.locator("#details")).to_contain_text("events today9")
    record(server, pattern, watermark(A, "us-east-1", 0, events=11))
    page.clock.run_for(61_000)
    expect(page.locator("#details")).to_contain_text("events today11")


def test_a_new_row_keeps_the_selection(page: Page, site: Site, server: Any, pattern: str) -> None:
    """By the names of the rows and days."""
    page.clock.install()
    opened(page, site, pattern, account=A)
    cell(page, "us-east-1", 3).click()
    record(server, pattern, watermark(A, "eu-central-1"))
    page.clock.run_for(61_000)
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.locator("td.current")).to_be_focused()
    expect(page.locator("td.current")).to_have_attribute("aria-label", re.compile(f"^us-east-1, {day(3)}"))
    expect(page.locator("#details h2")).to_have_text(f"us-east-1, {day(3)}")


def test_a_hidden_tab_asks_for_nothing(page: Page, site: Site, pattern: str) -> None:
    """When it is shown again, it asks at once if a minute has passed. A failure is reported, and the data stay."""
    page.clock.install()
    opened(page, site, pattern, account=A)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "api/coverage" in request.url else None)
    hide = """hidden => {
      Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    page.clock.run_for(300_000)
    assert asked == []
    page.route("**/api/coverage*", lambda route: route.abort())
    page.evaluate(hide, False)
    page.clock.run_for(100)
    expect(page.locator("#stale")).to_contain_text("Airflow cannot be reached")
    assert len(asked) == 1
    expect(cell(page, "eu-west-1", 0)).to_have_class(re.compile("s-live"))
    page.unroute("**/api/coverage*")
    page.clock.run_for(61_000)
    expect(page.locator("#stale")).to_have_count(0)


def test_a_page_without_live_squares_asks_once(
    page: Page, site: Site, server: Any, unique_index_prefix: str
) -> None:
    """It does not refresh by itself."""
    load_days(server, unique_index_prefix, A, "eu-west-1", range(1, 3))
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    page.clock.install()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "api/coverage" in request.url else None)
    opened(page, site, unique_index_prefix, account=A)
    page.clock.run_for(180_000)
    assert len(asked) == 1
    expect(page.locator("#live")).to_be_hidden()
    expect(page.locator("#legend li[data-state=live]")).to_have_count(0)
