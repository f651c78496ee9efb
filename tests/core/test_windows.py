"""Plans: a window for every region and day, or an error with the reason."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.coverage.windows import (
    Window,
    check_history,
    check_tasks,
    list_days,
    parse_day,
)
from cloudtrail_elasticsearch.core.errors import PlanError

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
TODAY = NOW.date()


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (TODAY, TODAY, "must be after start"),
        (date(2026, 11, 20), date(2026, 11, 19), "must be after start"),
        (date(2026, 11, 22), date(2026, 11, 24), "in the future.*2026-11-23 at the latest"),
    ],
)
def test_a_range_that_cannot_be_verified_is_rejected(start: date, end: date, words: str) -> None:
    """Empty or not over yet: each error says what to do."""
    with pytest.raises(PlanError, match=words):
        list_days(start, end, NOW)


def test_the_oldest_day_that_the_error_offers_can_be_planned() -> None:
    """The day that the error names is valid."""
    with pytest.raises(PlanError, match=r"more than 90 days ago.*2026-08-26"):
        check_history(date(2026, 8, 25), NOW)
    check_history(date(2026, 8, 26), NOW)


def test_a_plan_larger_than_airflow_maps_is_rejected() -> None:
    """The error has its size, and says what to do."""
    check_tasks(1024, 1024)
    with pytest.raises(PlanError, match=r"1025 tasks.*max_map_length = 1024.*fewer days or a lower `tasks`"):
        check_tasks(1025, 1024)


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
