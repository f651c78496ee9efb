"""Complete days, computed from the cells of the ledger."""

from __future__ import annotations

from typing import Any

from cloudtrail_elasticsearch.core.coverage.complete_days import CompleteDay, find_complete_days

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


def test_a_day_is_complete_if_every_region_is_verified() -> None:
    """It has the sums of their figures. A verified region without events counts too."""
    cells = [cell("us-east-1"), cell("eu-west-1", "quiet"), cell("us-east-1", day=21), cell("eu-west-1", day=21)]
    assert list(find_complete_days(cells, REGIONS)) == [
        CompleteDay("123456789012", "2026-11-20", "cloudtrail-%Y.%m", 2, 10, 7, 2, 1),
        CompleteDay("123456789012", "2026-11-21", "cloudtrail-%Y.%m", 2, 20, 14, 4, 2),
    ]


def test_a_day_with_an_unverified_region_is_not_complete() -> None:
    """Whether the region failed, is loading, is missing, was never planned, or is only half loaded."""
    for other in ("failed", "loading", "missing"):
        assert list(find_complete_days([cell("us-east-1"), cell("eu-west-1", other)], REGIONS)) == []
    assert list(find_complete_days([cell("us-east-1")], REGIONS)) == []
    assert list(find_complete_days([cell("us-east-1"), cell("eu-west-1", end="T12:00:00Z")], REGIONS)) == []
    assert list(find_complete_days([], REGIONS)) == []


def test_a_disabled_region_does_not_make_a_day_incomplete() -> None:
    """The verified events of that region still count."""
    cells = [cell("us-east-1"), cell("eu-west-1"), cell("me-south-1", "missing"), cell("af-south-1")]
    assert [(day.regions, day.staged) for day in find_complete_days(cells, REGIONS)] == [(3, 30)]
