"""Many accounts on the coverage page: names, search, an account's regions, and exactly the chosen cells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, MissingCell, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX
from cloudtrail_elasticsearch.ui import coverage_table, ledger_summary
from cloudtrail_elasticsearch.ui.boxes import Box
from cloudtrail_elasticsearch.ui.chosen_cells import Selection, find_chosen_cells
from cloudtrail_elasticsearch.ui.coverage_table import Choice
from cloudtrail_elasticsearch.ui.ledger_summary import summarize_ledger
from tests.cells import cell as make_cell
from tests.cells import staged_at

from .site import Site, served
from .squares import read_squares
from .test_states import browser, faint, page, server

__all__ = ["browser", "page", "server"]

pytestmark = pytest.mark.xdist_group("pages-states")

DAY = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 10
REGIONS = ("eu-west-1", "us-east-1", "us-west-2")
A, B, C = "111111111111", "222222222222", "333333333333"
NAMES = {A: "Payments <b>live</b>", B: "Search", "999999999999": "Not loaded"}
FAILED = {(A, "eu-west-1", 2), (A, "eu-west-1", 3), (B, "eu-west-1", 2), (B, "eu-west-1", 3), (C, "us-east-1", 7)}


def window(account: str, region: str, day: int, source: Source = Source.TRAIL) -> Window:
    begin = DAY + timedelta(days=day)
    return Window(account, region, begin, begin + timedelta(days=1), source)


def verified(of: Window, staged: int, indexed: int) -> VerifiedCell:
    return VerifiedCell(make_cell(of, staged, indexed), staged_at(DAY, DAY, DAY), None, DAY)


@pytest.fixture
def pattern(server: Any, unique_index_prefix: str) -> str:
    """Three accounts by three regions by ten days of a trail; five cells have failed, two accounts have names."""
    ledger = Ledger(server, unique_index_prefix)
    ledger.record_verified_all(
        verified(window(account, region, day), 5, 4 if (account, region, day) in FAILED else 5)
        for account in (A, B, C)
        for region in REGIONS
        for day in range(DAYS)
    )
    ledger.record_account_names(NAMES)
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    return unique_index_prefix


@pytest.fixture
def site(server: Any) -> Iterator[Site]:
    with served(lambda: server) as running:
        yield running


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{site.url}/cloudtrail") as made:
        yield made


def day(number: int) -> date:
    return (DAY + timedelta(days=number)).date()


def choose(
    server: Any, pattern: str, account: str, rows: tuple[str, ...], days: tuple[int, int], *states: Any
) -> list[Box]:
    choice = Choice(day(days[0]), day(days[1]), account, pattern, Source.TRAIL)
    return find_chosen_cells(server, Selection(choice, rows, frozenset(states))).boxes


def test_exactly_the_failed_cells_are_chosen(server: Any, pattern: str) -> None:
    """Of the chosen accounts and days, in the fewest boxes."""
    both = Box(day(2), day(3), (A, B), ("eu-west-1",))
    other = Box(day(7), day(7), (C,), ("us-east-1",))
    assert choose(server, pattern, "*", (A, B, C), (0, 9), "failed", "missing") == [both, other]
    assert choose(server, pattern, "*", (A, B), (0, 9), "failed") == [both]
    assert choose(server, pattern, "*", (A, B, C), (3, 6), "failed") == [
        Box(day(3), day(3), (A, B), ("eu-west-1",))
    ]
    assert choose(server, pattern, A, REGIONS, (0, 9), "failed") == [Box(day(2), day(3), (A,), ("eu-west-1",))]
    assert choose(server, pattern, A, REGIONS, (0, 9), "missing") == []


def test_whole_days_of_accounts_have_every_region(server: Any, pattern: str) -> None:
    """And selected cells of one account have their regions, also if they were never planned."""
    assert choose(server, pattern, "*", (A, C), (1, 4)) == [Box(day(1), day(4), (A, C), ())]
    assert choose(server, pattern, A, ("eu-north-1", "us-west-2"), (8, 11)) == [
        Box(day(8), day(11), (A,), ("eu-north-1", "us-west-2"))
    ]
    assert choose(server, pattern, A, REGIONS, (8, 11), None) == [Box(day(10), day(11), (A,), REGIONS)]
    assert choose(server, pattern, "*", (A, B), (8, 11), None) == [Box(day(10), day(11), (A, B), ())]


def test_the_worst_state_of_a_cell_counts(server: Any, pattern: str) -> None:
    """A cell of two windows has the state that the page shows."""
    ledger = Ledger(server, pattern)
    half = Window(A, "us-west-2", DAY, DAY + timedelta(hours=12), Source.TRAIL)
    ledger.record_missing([MissingCell(half, "why")])
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    assert choose(server, pattern, A, REGIONS, (0, 0), "missing") == [Box(day(0), day(0), (A,), ("us-west-2",))]
    complete = [Box(day(0), day(0), (A,), ("eu-west-1", "us-east-1"))]
    assert choose(server, pattern, A, REGIONS, (0, 0), "complete") == complete


def test_too_many_cells_are_refused(client: httpx.Client, pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence with the remedy."""
    monkeypatch.setattr("cloudtrail_elasticsearch.ui.chosen_cells.MOST_CELLS", 50)
    params = {"pattern": pattern, "first": str(day(0)), "last": str(day(9)), "account": "*", "row": f"{A},{B}"}
    answer = client.get("/api/backfill", params=params | {"state": "complete", "source": "trail"})
    assert answer.status_code == 400
    assert "Choose fewer days, rows or states" in answer.json()["detail"]


def test_runs_are_repeated_only_on_days_with_cells(client: httpx.Client, pattern: str) -> None:
    """Also runs that succeeded: a backfill of other cells can have changed them. `joint` is one for all cells."""
    params = {"pattern": pattern, "account": "*", "source": "trail", "row": f"{A},{B},{C}"}
    answer = client.get(
        "/api/backfill", params=params | {"first": str(day(0)), "last": str(day(9)), "state": "failed"}
    )
    first, second = (each["request"]["body"] for each in answer.json()["backfills"])
    assert first["dag_run_conf"] == {"accounts": [A, B], "regions": ["eu-west-1"], "index": pattern}
    assert second["dag_run_conf"] == {"accounts": [C], "regions": ["us-east-1"], "index": pattern}
    assert first["reprocess_behavior"] == second["reprocess_behavior"] == "completed"
    joint = answer.json()["joint"]
    assert joint["request"]["body"]["dag_run_conf"]["regions"] == ["eu-west-1", "us-east-1"]
    assert (answer.json()["cells"], joint["cells"]) == (5, 3 * 2 * 6)
    later = client.get("/api/backfill", params=params | {"first": str(day(20)), "last": str(day(21))}).json()
    (found,) = later["backfills"]
    assert found["request"]["body"]["reprocess_behavior"] == "none"
    assert later["joint"] is None


def test_names_are_no_cells(client: httpx.Client, server: Any, pattern: str) -> None:
    """An account that has only a name is not on the page."""
    answer = client.get("/api/coverage", params={"pattern": pattern, "first": str(day(0)), "last": str(day(9))})
    assert answer.json()["account_names"].items() >= NAMES.items()
    assert "999999999999" not in answer.json()["accounts"]
    assert "999999999999" not in summarize_ledger(server).accounts
    assert {name for name, _, _ in read_squares(answer.json())} == {A, B, C}
    assert list(Ledger(server, pattern).read_cells({"term": {"account": "999999999999"}})) == []


@pytest.mark.parametrize("margin", [900_000.0, 1.0])
def test_only_changed_days_are_read_again(
    client: httpx.Client, server: Any, pattern: str, margin: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed, a new and a deleted cell are seen. Cells of other days are not read, even if they are as new."""
    read: list[list[str]] = []
    read_days = coverage_table.read_squares

    def remember(server: Any, choice: Choice, days: list[str]) -> Any:
        read.append(list(days))
        return read_days(server, choice, days)

    monkeypatch.setattr(coverage_table, "read_squares", remember)
    monkeypatch.setattr(ledger_summary, "_MARGIN", margin)

    def look() -> dict[str, str]:
        server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
        params = {"pattern": pattern, "account": C, "first": str(day(0)), "last": str(day(12))}
        answer = client.get("/api/coverage", params=params).json()
        return {date: state for (name, _, date), (state, _) in read_squares(answer).items() if name == REGIONS[0]}

    Ledger(server, pattern).record_loading(window(C, REGIONS[0], 9), None)
    assert len(look()) == DAYS
    Ledger(server, pattern).record_missing([MissingCell(window(C, REGIONS[0], 4), "why")])
    assert look()[str(day(4))] == "missing"
    assert str(day(4)) in read[-1]
    assert str(day(0)) not in read[-1]
    Ledger(server, pattern).record_loading(window(C, REGIONS[0], 11), None)
    assert look()[str(day(11))] == "loading"
    wanted = [{"term": {"pattern": pattern}}, {"term": {"day": str(day(4))}}]
    query = codec.encode({"query": {"bool": {"filter": wanted}}})
    server.request("POST", f"/{COVERAGE_INDEX}/_delete_by_query?refresh=true", query)
    assert str(day(4)) not in look()


def test_a_change_by_a_worker_whose_clock_is_slow_is_seen(
    client: httpx.Client, server: Any, unique_index_prefix: str
) -> None:
    """It is older than the newest change by ten minutes, and the number of cells is the same."""
    pattern = unique_index_prefix
    Ledger(server, pattern).record_missing([MissingCell(window(C, REGIONS[0], each), "why") for each in (4, 5)])

    def look() -> list[str]:
        server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
        params = {"pattern": pattern, "account": C, "first": str(day(4)), "last": str(day(5))}
        answer = client.get("/api/coverage", params=params).json()
        return [state for _, (state, _) in sorted(read_squares(answer).items())]

    assert look() == ["missing", "missing"]
    wanted = [{"term": {"pattern": pattern}}, {"term": {"day": str(day(4))}}]
    slow = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
    script = {
        "source": "ctx._source.state = 'failed'; ctx._source.updated_at = params.slow",
        "params": {"slow": slow},
    }
    update = codec.encode({"query": {"bool": {"filter": wanted}}, "script": script})
    server.request("POST", f"/{COVERAGE_INDEX}/_update_by_query?refresh=true", update)
    assert look() == ["failed", "missing"]


def opened(page: Page, site: Site, pattern: str, **more: str) -> None:
    chosen = {
        "pattern": pattern,
        "account": "*",
        "first": str(day(0)),
        "last": str(day(9)),
        "source": "trail",
    } | more
    page.goto(site.page("coverage", **chosen))
    page.wait_for_selector("body[data-loaded] table.grid")


def rows(page: Page) -> Any:
    return page.locator("tbody th[scope=row]")


LABELS = [C, f"Payments <b>live</b> {A}", f"Search {B}"]


def test_accounts_are_shown_by_name_and_id(page: Page, site: Site, pattern: str) -> None:
    """As text: people in AWS choose the names. An account without a name has its id."""
    opened(page, site, pattern)
    expect(rows(page)).to_have_text(LABELS)
    expect(page.locator(f"select[name=account] option[value='{A}']")).to_have_text(f"Payments <b>live</b> ({A})")
    expect(page.locator("#busiest")).to_contain_text(f"Payments <b>live</b> {A}")
    assert page.locator("b", has_text=re.compile("^live$")).count() == 0
    assert faint(page) == [[], []]


def test_rows_are_found_by_id_and_name(page: Page, site: Site, pattern: str) -> None:
    """At once, without a request. The text is in the address, and Escape clears it."""
    opened(page, site, pattern)
    search = page.get_by_role("searchbox", name="Search")
    page.route("**/api/coverage*", lambda route: route.abort())
    for text, found in (("pay live", LABELS[1:2]), ("2222", LABELS[2:]), ("3333, SEARCH", [LABELS[0], LABELS[2]])):
        search.fill(text)
        expect(rows(page)).to_have_text(found)
    assert "search=3333" in page.url
    page.unroute("**/api/coverage*")
    page.reload()
    expect(rows(page)).to_have_text([LABELS[0], LABELS[2]])
    search.fill("nobody")
    expect(page.locator("#map")).to_contain_text("No account here matches the search.")
    search.press("Escape")
    expect(rows(page)).to_have_text(LABELS)
    expect(search).to_be_focused()
    assert "search" not in page.url


def test_an_account_opens_and_the_way_back_is_kept(page: Page, site: Site, pattern: str) -> None:
    """By mouse and keyboard, by the page's link and by the browser's Back; the search is as before."""
    opened(page, site, pattern, search="222")
    rows(page).click()
    expect(rows(page)).to_have_text(REGIONS)
    expect(page.locator("#account b")).to_have_text(f"Search {B}")
    page.get_by_role("searchbox").fill("us-")
    expect(rows(page)).to_have_text(REGIONS[1:])
    page.get_by_role("link", name="All accounts").click()
    expect(rows(page)).to_have_text([LABELS[2]])
    expect(page.locator("#account")).to_be_hidden()
    expect(page.locator("td.current")).to_be_focused()
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_text(REGIONS)
    expect(page.locator("td.current")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#details")).to_contain_text(f"Search {B}")
    page.go_back()
    expect(rows(page)).to_have_text([LABELS[2]])


def test_failed_cells_of_the_accounts_found_are_chosen(page: Page, site: Site, pattern: str) -> None:
    """By their state, in all rows or in the selection; each command for exactly its cells."""
    opened(page, site, pattern)
    page.locator("#choose").get_by_label("failed").check()
    commands = page.locator("#selection-trail > div > pre")
    expect(commands).to_have_count(2)
    expect(commands.first).to_contain_text(f'{{"accounts":["{A}","{B}"],"regions":["eu-west-1"],')
    expect(page.locator("#several-trail")).to_contain_text("Exactly these 5 cells need 2 backfills")
    page.get_by_role("searchbox").fill("search")
    expect(commands).to_have_count(1)
    expect(commands).to_contain_text(f"--from-date {day(2)} --to-date {day(3)}")
    expect(commands).to_contain_text(f'{{"accounts":["{B}"],"regions":["eu-west-1"],')
    page.get_by_role("searchbox").fill("")
    page.locator(".bars td").nth(7).click()
    expect(page.locator("td.selected")).to_have_count(3)
    expect(commands).to_have_count(1)
    expect(commands).to_contain_text(f'{{"accounts":["{C}"],"regions":["us-east-1"],')
    page.locator("#choose").get_by_label("failed").uncheck()
    expect(commands).to_contain_text(f'{{"accounts":["{A}","{B}","{C}"],"index":')
    assert faint(page) == [[], []]


def test_the_keyboard_selects_rows_days_and_the_whole_table(page: Page, site: Site, pattern: str) -> None:
    """As in other grids: Shift+Space, Control+Space, Control+A."""
    opened(page, site, pattern)
    page.locator("td.current").focus()
    for keys, selected in (("Shift+Space", DAYS), ("Control+Space", 3), ("Control+a", 3 * DAYS)):
        page.keyboard.press(keys)
        expect(page.locator("td.selected")).to_have_count(selected)
        page.keyboard.press("Escape")
        expect(page.locator("td.selected")).to_have_count(0)


def test_rows_far_below_are_made_when_they_come_near(
    page: Page, site: Site, server: Any, unique_index_prefix: str
) -> None:
    """By scrolling, and by the keyboard; a selection over all rows is shown there, too."""
    accounts = [f"{number:012d}" for number in range(150)]
    Ledger(server, unique_index_prefix).record_verified_all(
        verified(window(account, REGIONS[0], number), 1, 1) for account in accounts for number in range(2)
    )
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    opened(page, site, unique_index_prefix, first="2025-11-03", last=str(day(1)))
    expect(rows(page)).to_have_count(150)
    last = page.locator("tbody tr").last
    expect(last.locator("td.later")).to_have_count(1)
    page.locator("td.current").focus()
    page.keyboard.press("Control+Space")
    last.scroll_into_view_if_needed()
    expect(last.locator("td")).to_have_count(365)
    expect(last.locator("td.selected")).to_have_count(1)
