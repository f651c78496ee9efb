"""The live squares in the coverage page's data, on both engines."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX

from .followed import PROBLEM, A, B, behind, day, fill, load_days, now, record, watermark
from .squares import read_squares


@pytest.fixture
def pattern(server: Any, unique_index_prefix: str) -> str:
    fill(server, unique_index_prefix)
    return unique_index_prefix


def ask(client: TestClient, pattern: str, **more: str) -> dict[str, Any]:
    answer = client.get("/api/coverage", params={"pattern": pattern, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def read_live(answer: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    columns = answer["live"]["columns"]
    squares = [dict(zip(columns, values, strict=True)) for values in answer["live"]["squares"]]
    return {(square["name"], square["source"]): square for square in squares}


def milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def test_without_watermarks_nothing_is_live(client: TestClient, server: Any, unique_index_prefix: str) -> None:
    """The range ends yesterday, as before."""
    load_days(server, unique_index_prefix, A, "eu-west-1", range(1, 3))
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    answer = ask(client, unique_index_prefix)
    assert answer["live"] is None
    assert (answer["last"], answer["latest"]) == (day(1), day(1))


def test_the_range_ends_today_with_live_runs(client: TestClient, pattern: str) -> None:
    """Also one of a given length; a given last day stays."""
    assert (ask(client, pattern)["first"], ask(client, pattern)["last"]) == (day(89), day(0))
    assert (ask(client, pattern, days="30")["first"], ask(client, pattern, days="30")["last"]) == (day(29), day(0))
    assert ask(client, pattern, last=day(3))["last"] == day(3)
    for wrong, status in (("x", 422), ("-1", 422), ("0", 400), ("401", 400)):
        assert client.get("/api/coverage", params={"pattern": pattern, "days": wrong}).status_code == status


def test_a_region_has_the_figures_of_its_watermark(client: TestClient, server: Any, pattern: str) -> None:
    """Beside the table, not in it: a live square is no cell."""
    recorded = watermark(A, "eu-west-1")
    record(server, pattern, recorded)
    answer = ask(client, pattern, account=A)
    assert day(0) not in {date for _, _, date in read_squares(answer)}
    assert answer["live"]["days"] == [day(0), day(1)]
    assert read_live(answer)["eu-west-1", "lookup_events"] == {
        "name": "eu-west-1",
        "source": "lookup_events",
        "watermark": milliseconds(recorded.until),
        "checked_at": milliseconds(recorded.checked_at),
        "last_event": milliseconds(recorded.until) - 120_000,
        "events": 412,
        "behind": 0,
    }
    assert answer["live"]["worst"] is None


def test_an_account_has_the_worst_lag_and_the_newest_event(client: TestClient, pattern: str) -> None:
    """Of its regions that are behind; a quiet region's watermark is old without a lag."""
    answer = ask(client, pattern, account="*")
    squares = read_live(answer)
    good, late = squares[A, "lookup_events"], squares[B, "lookup_events"]
    assert (good["events"], good["behind"]) == (419, 0)
    assert late["behind"] == 2
    assert answer["live"]["now"] - late["watermark"] == pytest.approx(47 * 60_000, abs=60_000)
    assert late["last_event"] - late["watermark"] == pytest.approx(27 * 60_000, abs=5_000)
    worst = answer["live"]["worst"]
    assert (worst["account"], worst["region"], worst["problem"]) == (B, "eu-west-1", PROBLEM)
    assert answer["live"]["reasons"] == [[B, "lookup_events", PROBLEM]]


def test_a_quiet_region_is_not_behind(client: TestClient, server: Any, pattern: str) -> None:
    """Although its watermark is two days old, because a live run without events writes nothing."""
    old = watermark(A, "eu-north-1", 2 * 24 * 60, events=99, day=now().date() - timedelta(days=2))
    record(server, pattern, old)
    answer = ask(client, pattern, account=A)
    assert read_live(answer)["eu-north-1", "lookup_events"]["events"] == 0
    assert all(square["behind"] == 0 for square in read_live(answer).values())
    # The last load of any account shows that live runs work.
    assert answer["live"]["now"] - answer["live"]["checked_at"] < 5 * 60_000


def test_the_kinds_of_a_trail_are_one_square(client: TestClient, server: Any, unique_index_prefix: str) -> None:
    """It is behind if one of them is. The rows of both sources are separate."""
    kinds = [
        watermark(A, "eu-west-1", source=Source.TRAIL, kind="CloudTrail"),
        behind(A, "eu-west-1", 30, source=Source.TRAIL, kind="CloudTrail-Insight"),
        watermark(A, "eu-west-1"),
    ]
    record(server, unique_index_prefix, *kinds)
    squares = read_live(ask(client, unique_index_prefix, account=A))
    assert {key: square["behind"] for key, square in squares.items()} == {
        ("eu-west-1", "lookup_events"): 0,
        ("eu-west-1", "trail"): 1,
    }
    assert squares["eu-west-1", "trail"]["events"] == 824
    only = ask(client, unique_index_prefix, account=A, source="lookup_events")
    assert only["live"]["worst"] is None
    params = {
        "pattern": unique_index_prefix,
        "account": A,
        "region": "eu-west-1",
        "source": "trail",
        "day": day(0),
    }
    places = client.get("/api/cells", params=params).json()["watermarks"]
    assert [place["kind"] for place in places] == ["CloudTrail", "CloudTrail-Insight"]
    assert places[1]["problem"] == PROBLEM
    assert client.get("/api/cells", params=params | {"day": day(4)}).json()["watermarks"] == []


def test_today_is_in_no_backfill(client: TestClient, pattern: str) -> None:
    """Yesterday can be loaded if it is selected, but it is not "not planned" while it is live."""
    params = {"pattern": pattern, "account": A, "row": "eu-west-1,us-east-1", "first": day(2), "last": day(0)}
    (found,) = client.get("/api/backfill", params=params).json()["backfills"]
    assert found["request"]["body"]["to_date"].startswith(day(1))
    for state in ("none", "complete"):
        answer = client.get("/api/backfill", params=params | {"first": day(0), "state": state}).json()
        assert answer["cells"] == 0
    assert client.get("/api/backfill", params=params | {"first": day(0)}).json()["backfills"] == []
    assert client.get("/api/backfill", params=params | {"state": "none"}).json()["cells"] == 0
    unknown = {"row": "ap-south-1", "state": "none"}
    assert client.get("/api/backfill", params=params | unknown).json()["cells"] == 2
