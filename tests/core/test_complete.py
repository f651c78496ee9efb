"""Which days are complete, by the cells that the ledger has."""

from __future__ import annotations

from typing import Any

from cloudtrail_elasticsearch.core.complete import CompleteDay, complete_days

REGIONS = ["eu-west-1", "us-east-1"]


def cell(region: str, state: str = "complete", day: int = 20, end: str = "T00:00:00Z") -> dict[str, Any]:
    figures = (
        {"staged": 10, "indexed": 7, "quarantined": 2, "left_out": 1} if state in ("complete", "failed") else {}
    )
    return {
        "account": "123456789012",
        "region": region,
        "day": f"2026-11-{day}",
        "start": f"2026-11-{day}T00:00:00Z",
        "end": f"2026-11-{day + (end == 'T00:00:00Z')}{end}",
        "pattern": "cloudtrail-%Y.%m",
        "state": state,
        **figures,
    }


def test_a_day_is_complete_when_every_region_is_proven() -> None:
    """With the sums of their figures; a region without events is proven as well."""
    cells = [cell("us-east-1"), cell("eu-west-1", "quiet"), cell("us-east-1", day=21), cell("eu-west-1", day=21)]
    assert list(complete_days(cells, REGIONS)) == [
        CompleteDay("123456789012", "2026-11-20", "cloudtrail-%Y.%m", 2, 10, 7, 2, 1),
        CompleteDay("123456789012", "2026-11-21", "cloudtrail-%Y.%m", 2, 20, 14, 4, 2),
    ]


def test_a_day_with_a_region_that_is_not_proven_is_not_complete() -> None:
    """Whether it failed, is at work, is missing, was never planned, or half of it is there."""
    for other in ("failed", "loading", "missing"):
        assert list(complete_days([cell("us-east-1"), cell("eu-west-1", other)], REGIONS)) == []
    assert list(complete_days([cell("us-east-1")], REGIONS)) == []
    assert list(complete_days([cell("us-east-1"), cell("eu-west-1", end="T12:00:00Z")], REGIONS)) == []
    assert list(complete_days([], REGIONS)) == []


def test_a_region_that_is_no_longer_enabled_does_not_hold_a_day_up() -> None:
    """And what the ledger has proven of it counts."""
    cells = [cell("us-east-1"), cell("eu-west-1"), cell("me-south-1", "missing"), cell("af-south-1")]
    assert [(day.regions, day.staged) for day in complete_days(cells, REGIONS)] == [(3, 30)]
