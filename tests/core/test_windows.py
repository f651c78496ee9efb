"""Plans: a window for every region and day, or an error with the reason."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.coverage.windows import (
    Window,
    check_size,
    choose_regions,
    parse_day,
    plan_windows,
)
from cloudtrail_elasticsearch.core.errors import PlanError

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
TODAY = NOW.date()


@given(days_ago=st.integers(1, 89), days=st.integers(1, 89), regions=st.sets(st.text(min_size=1), min_size=1))
def test_windows_cover_every_second_of_every_region_once(days_ago: int, days: int, regions: set[str]) -> None:
    """The windows of a region join end to start, from the first day to the last."""
    start = TODAY - timedelta(days=days_ago)
    end = min(start + timedelta(days=days), TODAY)
    windows = plan_windows("1", regions, start, end, now=NOW)
    for region in regions:
        own = sorted(window for window in windows if window.region == region)
        assert own[0].start.date() == start
        assert own[-1].end.date() == end
        assert all(before.end == after.start for before, after in pairwise(own))
        assert all(window.is_day for window in own)
    assert len(windows) == len(regions) * (end - start).days


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (TODAY, TODAY, "must be after start"),
        (date(2026, 11, 20), date(2026, 11, 19), "must be after start"),
        (date(2026, 8, 25), date(2026, 8, 26), "more than 90 days ago.*2026-08-26"),
        (date(2026, 11, 22), date(2026, 11, 24), "in the future.*2026-11-23 at the latest"),
    ],
)
def test_a_range_that_cannot_be_verified_is_rejected(start: date, end: date, words: str) -> None:
    """Empty, too old or not over yet: each error says what to do."""
    with pytest.raises(PlanError, match=words):
        plan_windows("1", ["us-east-1"], start, end, now=NOW)


def test_the_oldest_day_that_the_error_offers_can_be_planned() -> None:
    """The day that the error names is valid."""
    assert plan_windows("1", ["us-east-1"], date(2026, 8, 26), date(2026, 8, 27), now=NOW)


def test_unknown_regions_are_rejected() -> None:
    """The error names the regions that the account does not have."""
    with pytest.raises(PlanError, match=r"mars-north-1\. Enabled are: eu-west-1, us-east-1"):
        choose_regions(["mars-north-1", "us-east-1"], ["us-east-1", "eu-west-1"])


def test_no_choice_of_regions_means_all() -> None:
    """Every enabled region is loaded unless some are chosen."""
    assert choose_regions([], ["us-east-1", "eu-west-1"]) == ["eu-west-1", "us-east-1"]


def test_a_plan_larger_than_airflow_maps_is_rejected() -> None:
    """The error has its size, and says what to do."""
    check_size(1024, 1024)
    with pytest.raises(PlanError, match=r"1025 cells.*max_map_length = 1024.*fewer days or regions"):
        check_size(1025, 1024)


def test_a_text_that_is_not_a_day_is_rejected() -> None:
    """The error names the param and the format."""
    with pytest.raises(PlanError, match=r"start is '20.11.2026'.*2026-11-20"):
        parse_day("20.11.2026", "start")


@given(start=st.datetimes(min_value=datetime(2000, 1, 1)), seconds=st.integers(1, 10**6))  # noqa: DTZ001
def test_a_window_survives_an_xcom(start: datetime, seconds: int) -> None:
    """Plain values are read back as the same window."""
    window = Window(
        "1", "us-east-1", start.replace(tzinfo=UTC), start.replace(tzinfo=UTC) + timedelta(seconds=seconds)
    )
    assert Window.from_dict(window.to_dict()) == window
