"""A ledger with cells and watermarks of live runs, at times relative to now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.watermarks import Place, Watermark, Watermarks
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX
from tests.cells import cell as make_cell
from tests.cells import staged_at

A, B = "111111111118", "222222222229"
"""Accounts to which no other test gives names: these are the same for all index patterns."""

PROBLEM = "The region has more events than LookupEvents returns. Use a <b>trail</b>."


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def day(ago: int) -> str:
    return str(now().date() - timedelta(days=ago))


def watermark(account: str, region: str, minutes: float = 1, **further: Any) -> Watermark:
    """A watermark that was recorded some minutes ago, with an event two minutes before."""
    at = now() - timedelta(minutes=minutes)
    place = Place(account, region, further.pop("source", Source.LOOKUP_EVENTS), further.pop("kind", ""))
    made = Watermark(
        place=place, until=at, checked_at=at, last_event=at - timedelta(minutes=2), day=now().date(), events=412
    )
    return replace(made, **further)


def behind(account: str, region: str, minutes: float, **further: Any) -> Watermark:
    until = now() - timedelta(minutes=minutes)
    return replace(watermark(account, region, **further), until=until, problem=PROBLEM, last_event=until)


def load_days(server: Any, pattern: str, account: str, region: str, days: range) -> None:
    """Record a verified cell for each of some days ago."""
    cells = []
    for ago in days:
        start = datetime.fromisoformat(f"{day(ago)}T00:00:00+00:00")
        window = Window(account, region, start, start + timedelta(days=1))
        cells.append(VerifiedCell(make_cell(window, 5, 5), staged_at(start), None, start))
    Ledger(server, pattern).record_verified_all(cells)


def record(server: Any, pattern: str, *watermarks: Watermark) -> None:
    Watermarks(server, pattern).record(watermarks)
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")


def fill(server: Any, pattern: str) -> None:
    """Two accounts: one region loaded up to yesterday, one without yesterday, and two that fall behind."""
    load_days(server, pattern, A, "eu-west-1", range(1, 6))
    load_days(server, pattern, A, "us-east-1", range(2, 6))
    load_days(server, pattern, B, "eu-west-1", range(1, 6))
    record(
        server,
        pattern,
        watermark(A, "eu-west-1"),
        watermark(A, "us-east-1", 3, events=7),
        behind(B, "eu-west-1", 47),
        behind(B, "us-east-1", 20),
    )
