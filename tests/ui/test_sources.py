"""Both sources, and many accounts, on the coverage page and in its data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from cloudtrail_elasticsearch.core.coverage.compare import Comparison, MissingEvents
from cloudtrail_elasticsearch.core.coverage.findings import Finding, FindingKind, ProofStatus
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.proof import Proof
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX
from tests.cells import cell as make_cell
from tests.cells import staged_at

from .site import Site, served
from .squares import read_squares
from .test_states import browser, faint, keep, page, server

__all__ = ["browser", "page", "server"]

pytestmark = pytest.mark.xdist_group("pages-states")

ACCOUNT = "123456789012"
OTHER = "210987654321"
DAY = datetime(2026, 11, 1, tzinfo=UTC)
REGION = "eu-west-1"
FINDINGS = [
    Finding(FindingKind.ALTERED_FILE, "AWSLogs/1/CloudTrail/<b>x</b>.json.gz", "its content has another hash"),
    *(Finding(FindingKind.MISSING_FILE, f"AWSLogs/{number}", "it is not in the bucket") for number in range(30)),
]
COMPARED = Comparison(
    DAY,
    DAY + timedelta(days=2),
    DAY + timedelta(days=3),
    7,
    MissingEvents(30, tuple(f"00000000-0000-0000-0000-{number:012d}" for number in range(20))),
    MissingEvents(1, ("11111111-0000-0000-0000-000000000000",)),
)


@pytest.fixture
def site(server: Any) -> Iterator[Site]:
    with served(lambda: server) as running:
        yield running


def window(day: int, source: Source, account: str = ACCOUNT, region: str = REGION) -> Window:
    begin = DAY + timedelta(days=day)
    return Window(account, region, begin, begin + timedelta(days=1), source)


def verified(of: Window, staged: int, **further: Any) -> VerifiedCell:
    return VerifiedCell(make_cell(of, staged, staged, **further), staged_at(DAY, DAY, DAY), None, DAY)


@pytest.fixture
def pattern(server: Any, unique_index_prefix: str) -> str:
    """A day of both sources, a day of a trail with findings, and a second account."""
    ledger = Ledger(server, unique_index_prefix)
    looked_up, trail = window(0, Source.LOOKUP_EVENTS), window(0, Source.TRAIL)
    ledger.record_verified_all(
        [
            verified(looked_up, 37),
            verified(trail, 50, files=12, proof=Proof(ProofStatus.SIGNED)),
            verified(window(1, Source.TRAIL), 5, proof=Proof.from_findings(ProofStatus.INVALID, FINDINGS)),
            verified(window(0, Source.TRAIL, OTHER), 3, proof=Proof(ProofStatus.SIGNED)),
            verified(window(0, Source.TRAIL, OTHER, "us-east-1"), 0, proof=Proof(ProofStatus.GAP)),
        ]
    )
    ledger.record_comparison(looked_up, COMPARED)
    # A cell as version 0.1 stored it, without a source.
    old = {"account": ACCOUNT, "region": REGION, "day": "2026-11-03", "pattern": unique_index_prefix}
    times = {"start": "2026-11-03T00:00:00Z", "end": "2026-11-04T00:00:00Z", "updated_at": "2026-11-05T00:00:00Z"}
    server.request(
        "POST", f"/{COVERAGE_INDEX}/_doc", codec.encode(old | times | {"state": "complete", "looked_up": 2})
    )
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    return unique_index_prefix


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{site.url}/cloudtrail") as made:
        yield made


def rows(client: httpx.Client, pattern: str, **more: str) -> dict[tuple[str, str], dict[str, tuple[str, int]]]:
    """Return each row's cells: their state and events by day."""
    params = {"pattern": pattern, "account": ACCOUNT, "first": "2026-11-01", "last": "2026-11-03", **more}
    answer = client.get("/api/coverage", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[tuple[str, str], dict[str, tuple[str, int]]] = {}
    for (name, source, day), (state, figures) in read_squares(answer.json()).items():
        found.setdefault((name, source), {})[day] = state, figures["looked_up"]
    return found


def test_a_region_has_a_row_for_each_source(client: httpx.Client, pattern: str) -> None:
    """A cell that names no source is of LookupEvents. One source alone can be chosen."""
    looked_up = {"2026-11-01": ("complete", 37), "2026-11-03": ("complete", 2)}
    trail = {"2026-11-01": ("complete", 50), "2026-11-02": ("failed", 5)}
    assert rows(client, pattern) == {(REGION, "lookup_events"): looked_up, (REGION, "trail"): trail}
    assert rows(client, pattern, source="trail") == {(REGION, "trail"): trail}
    assert rows(client, pattern, source="lookup_events") == {(REGION, "lookup_events"): looked_up}
    assert client.get("/api/coverage", params={"source": "athena"}).status_code == 400


def test_all_accounts_have_a_row_each(client: httpx.Client, pattern: str) -> None:
    """With the sums of their regions, and the state that needs most attention."""
    found = rows(client, pattern, account="*")
    assert found[(OTHER, "trail")] == {"2026-11-01": ("failed", 3)}
    assert found[(ACCOUNT, "trail")] == {"2026-11-01": ("complete", 50), "2026-11-02": ("failed", 5)}
    answer = client.get("/api/coverage", params={"pattern": pattern}).json()
    assert (answer["account"], answer["rows"]) == ("*", "account")
    assert answer["sources"] == ["lookup_events", "trail"]
    assert {ACCOUNT, OTHER} <= set(answer["accounts"])


def test_a_selection_of_a_trails_cells_is_a_backfill_of_its_own_dag(client: httpx.Client) -> None:
    """With the account, because a trail can have many."""
    params: dict[str, Any] = {
        "first": "2026-11-01",
        "last": "2026-11-02",
        "pattern": "cloudtrail-%Y.%m",
        "row": [REGION],
        "source": "trail",
        "account": OTHER,
    }
    answer = client.get("/api/backfill", params=params).json()
    assert answer["dag_id"] == "cloudtrail_trail_to_elasticsearch"
    (found,) = answer["backfills"]
    assert found["request"]["body"]["dag_run_conf"] == {"accounts": [OTHER], "regions": [REGION]}


@pytest.fixture
def quarantined(server: Any, unique_index_prefix: str) -> str:
    """The quarantine of both sources: a day of LookupEvents, and two days of a trail's accounts."""
    places = [
        window(0, Source.LOOKUP_EVENTS),
        window(1, Source.TRAIL),
        window(2, Source.TRAIL, OTHER, "us-east-1"),
    ]
    cells = [VerifiedCell(make_cell(of, 5, 4, 1), staged_at(DAY), None, DAY) for of in places]
    Ledger(server, unique_index_prefix).record_verified_all(cells)
    keep(server, unique_index_prefix, "one", "no mapping")
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    return unique_index_prefix


def test_quarantined_events_of_each_source_are_replayed_by_its_own_dag(
    client: httpx.Client, quarantined: str
) -> None:
    """In the days, accounts and regions of its cells."""
    answer = client.get("/api/quarantine", params={"pattern": quarantined}).json()
    looked_up, trail = answer["replays"]
    conf = {"replay": True, "index": quarantined}
    assert looked_up["request"]["body"]["conf"] == conf | {
        "start": "2026-11-01",
        "end": "2026-11-02",
        "accounts": [ACCOUNT],
        "regions": [REGION],
    }
    assert trail["request"]["path"] == "/api/v2/dags/cloudtrail_trail_to_elasticsearch/dagRuns"
    assert trail["run_page"] == "/dags/cloudtrail_trail_to_elasticsearch/runs/{}"
    assert trail["request"]["body"]["conf"] == conf | {
        "start": "2026-11-02",
        "end": "2026-11-04",
        "regions": [REGION, "us-east-1"],
        "accounts": [ACCOUNT, OTHER],
    }


def test_the_quarantine_page_has_a_replay_for_each_source(page: Page, site: Site, quarantined: str) -> None:
    """Each button starts a run of the source's DAG."""
    page.goto(site.page("quarantine", pattern=quarantined))
    expect(page.locator("#start")).to_have_text("Replay now (LookupEvents)")
    expect(page.locator("#start-trail")).to_have_text("Replay now (trail)")
    with page.expect_request("**/cloudtrail_trail_to_elasticsearch/dagRuns") as sent:
        page.click("#start-trail")
    body: Any = sent.value.post_data_json
    assert body["conf"]["accounts"] == [ACCOUNT, OTHER]


def opened(page: Page, site: Site, pattern: str, **more: str) -> None:
    chosen = {"pattern": pattern, "account": ACCOUNT, "first": "2026-11-01", "last": "2026-11-03"} | more
    page.goto(site.page("coverage", **chosen))
    page.wait_for_selector("body[data-loaded] table.grid")


def cell(page: Page, row: str, column: int) -> Any:
    return page.locator("table.grid tbody tr", has=page.locator("th", has_text=row)).locator("td").nth(column)


def test_the_page_shows_both_sources_and_the_proof(page: Page, site: Site, pattern: str) -> None:
    """In plain words, with the objects by name, as text."""
    opened(page, site, pattern)
    expect(page.locator("tbody th[scope=row]")).to_have_text([f"{REGION} · LookupEvents", f"{REGION} · trail"])
    expect(page.locator("#totals")).to_contain_text("events looked up")
    expect(page.locator("#totals")).to_contain_text("events listed")
    cell(page, "trail", 0).click()
    details = page.locator("#details")
    expect(details.locator("h2")).to_have_text(f"{REGION}, delivered 2026-11-01 (trail)")
    expect(details.locator("[data-proof=signed]")).to_contain_text("exactly the log files that AWS delivered")
    expect(details).to_contain_text("log files12")
    expect(details).to_contain_text("listed50")
    expect(page.locator("#selection-trail pre")).to_contain_text("cloudtrail_trail_to_elasticsearch")
    cell(page, "trail", 1).click()
    invalid = details.locator("[data-proof=invalid]")
    expect(invalid).to_contain_text("a digest or a log file was altered, removed or added")
    expect(invalid.locator("li").first).to_have_text(
        "altered file AWSLogs/1/CloudTrail/<b>x</b>.json.gz: its content has another hash"
    )
    expect(invalid.locator("li")).to_have_count(20)
    expect(invalid).to_contain_text("11 further findings")
    assert faint(page) == [[], []]


def test_the_page_shows_what_one_source_has_and_the_other_lacks(page: Page, site: Site, pattern: str) -> None:
    """If the day was compared, in the cell of LookupEvents."""
    opened(page, site, pattern)
    cell(page, "LookupEvents", 0).click()
    compared = page.locator("#details .comparison")
    expect(compared.locator("dt")).to_have_text(["events in both", "only in LookupEvents", "only in the trail"])
    expect(compared.locator("dd")).to_have_text(["7", "30", "1"])
    expect(compared.locator("summary")).to_have_text(
        ["20 of the ids only in LookupEvents", "The ids only in the trail"]
    )
    cell(page, "LookupEvents", 2).click()
    expect(page.locator("#details")).to_contain_text("looked up2")
    expect(page.locator("#details .comparison")).to_have_count(0)


def test_a_selection_over_both_sources_is_two_backfills(page: Page, site: Site, pattern: str) -> None:
    """Each source has a DAG of its own."""
    opened(page, site, pattern)
    cell(page, "LookupEvents", 0).click()
    cell(page, "trail", 0).click(modifiers=["Shift"])
    expect(page.locator("#selection pre")).to_contain_text("--dag-id cloudtrail_to_elasticsearch")
    expect(page.locator("#selection-trail pre")).to_contain_text("--dag-id cloudtrail_trail_to_elasticsearch")


def test_a_click_on_an_account_shows_its_regions(page: Page, site: Site, pattern: str) -> None:
    """The overview has a row for each account and source; the choice of the source stays."""
    opened(page, site, pattern, account="*", source="trail")
    expect(page.locator("tbody th[scope=row]")).to_have_text([ACCOUNT, OTHER])
    expect(page.locator("#side")).to_contain_text("Each row is an account")
    cell(page, OTHER, 0).click()
    expect(page.locator("tbody th[scope=row]")).to_have_text([REGION, "us-east-1"])
    expect(page.locator("select[name=account]")).to_have_value(OTHER)
    expect(page.locator("select[name=source]")).to_have_value("trail")
    expect(page.locator("#selection")).to_have_count(0)
    page.locator("select[name=source]").select_option("both")
    expect(page.locator("select[name=source]")).to_have_value("")


def test_an_organization_is_shown(page: Page, site: Site, server: Any, unique_index_prefix: str) -> None:
    """50 accounts by 17 regions by 31 days, most cells quiet."""
    ledger = Ledger(server, unique_index_prefix)
    proof = Proof(ProofStatus.SIGNED)
    for account in range(50):
        ledger.record_verified_all(
            verified(
                replace(window(day, Source.TRAIL), account=f"{account:012d}", region=f"region-{region}"),
                0 if region else 100 + account,
                proof=proof,
            )
            for day in range(31)
            for region in range(17)
        )
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    chosen = {"account": "*", "first": "2026-11-01", "last": "2026-12-01"}
    opened(page, site, unique_index_prefix, **chosen)
    expect(page.locator("tbody tr")).to_have_count(50)
    expect(page.locator("#totals")).to_contain_text("100 %")
