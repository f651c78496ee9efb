"""The work on the windows of a batch: failures stop no other window, and are named in the end."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import DAY, Window
from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    CoverageError,
    StagingError,
    SupersededError,
    TransientError,
)
from cloudtrail_elasticsearch.pipeline.each_window import MOST_IN_A_ROW, EachWindow
from cloudtrail_elasticsearch.pipeline.failures import group_failures, read_failures
from cloudtrail_elasticsearch.pipeline.trail_plan import BatchWindow
from cloudtrail_elasticsearch.sources.trail.layout import TrailRoot
from cloudtrail_elasticsearch.sources.trail.listing import RegionFolders

START = datetime(2026, 11, 20, tzinfo=UTC)


def window(number: int, name: str = "eu-west-1") -> BatchWindow:
    region = RegionFolders(TrailRoot(), f"{number:012}", name, ("CloudTrail",), True)
    return BatchWindow(region, Window(region.account, name, START, START + DAY, Source.TRAIL))


WINDOWS = [(number, window(number)) for number in range(12)]


def run(errors: dict[int, Exception], parallel: int = 1) -> tuple[EachWindow, list[int]]:
    """Work on all windows; return the runner, and the numbers of the windows with a result."""

    def work(each: BatchWindow) -> str:
        error = errors.get(int(each.window.account))
        if error is not None:
            raise error
        return each.window.account

    each_window = EachWindow()
    return each_window, sorted(number for number, _, _ in each_window.run(work, WINDOWS, parallel))


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("parallel", [1, 4])
def test_a_failed_window_stops_no_other_and_is_named(parallel: int) -> None:
    """With the reason of each."""
    each_window, done = run({3: AccessDeniedError("denied"), 7: StagingError("damaged")}, parallel)
    assert done == [number for number, _ in WINDOWS if number not in {3, 7}]
    assert list(each_window.failures) == [3, 7]
    with pytest.raises(CoverageError, match="2 of 12 windows were not loaded") as raised:
        each_window.check("loaded", 12)
    assert "trail 000000000003 eu-west-1 2026-11-20: denied" in str(raised.value)
    assert "trail 000000000007 eu-west-1 2026-11-20: damaged" in str(raised.value)


def test_without_a_failure_there_is_no_error() -> None:
    each_window, done = run({})
    assert done == [number for number, _ in WINDOWS]
    each_window.check("loaded", 12)


@pytest.mark.promise("restartable")
@pytest.mark.parametrize("error", [TransientError("busy"), RuntimeError("a bug")])
def test_one_failure_that_a_retry_may_resolve_makes_the_whole_retryable(error: Exception) -> None:
    """An unexpected error counts as such, and its text, which could quote a file, is only in the log."""
    each_window, _ = run({3: AccessDeniedError("denied"), 7: error})
    with pytest.raises(TransientError, match="2 of 12") as raised:
        each_window.check("listed", 12)
    assert "a bug" not in str(raised.value)


def test_after_several_failures_in_a_row_the_rest_is_not_tried() -> None:
    """If the server or the rights are at fault, each window would wait in vain."""
    each_window, done = run({number: TransientError("gone") for number in range(2, 12)})
    assert done == [0, 1]
    assert list(each_window.failures) == list(range(2, 12))
    with pytest.raises(TransientError, match=f"{10 - MOST_IN_A_ROW} of them were not tried"):
        each_window.check("loaded", 12)


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("parallel", [1, 4])
def test_an_account_that_fails_as_a_whole_stops_no_other_account(parallel: int) -> None:
    """Such as one whose log files have a key of KMS that the loader may not use. A retry has the same order."""
    windows = [window(account, f"eu-west-{region}") for account in range(4) for region in range(1, 10)]
    each_window = EachWindow()

    def work(each: BatchWindow) -> str:
        if int(each.window.account) == 1:
            raise AccessDeniedError("denied")
        return each.window.account

    done = [number for number, _, _ in each_window.run(work, enumerate(windows), parallel)]
    assert sorted(done) == [*range(9), *range(18, 36)]
    with pytest.raises(CoverageError, match="9 of 36 windows were not loaded"):
        each_window.check("loaded", 36)


def test_two_accounts_that_fail_as_a_whole_stop_the_rest() -> None:
    """Then the fault is not theirs."""
    windows = [window(account, f"eu-west-{region}") for account in range(4) for region in range(1, 10)]
    tried = []

    def work(each: BatchWindow) -> str:
        tried.append(each.window.account)
        raise TransientError("gone")

    each_window = EachWindow()
    assert list(each_window.run(work, enumerate(windows), 1)) == []
    assert len(tried) == MOST_IN_A_ROW + 2
    assert len(list(each_window.failures)) == len(windows)


@pytest.mark.promise("nothing-lost")
def test_accounts_without_a_permission_stop_no_other_account() -> None:
    """However many they are: each account has a role of its own. Windows that are not tried name that reason."""
    windows = [window(account, f"eu-west-{region}") for account in range(6) for region in range(1, 10)]

    def work(each: BatchWindow) -> str:
        if each.window.account.endswith("5"):
            return each.window.account
        raise AccessDeniedError(f"no role in {each.window.account}")

    each_window = EachWindow()
    assert len(list(each_window.run(work, enumerate(windows), 1))) == 9
    reasons = each_window.failures
    assert reasons[0] == "no role in 000000000000"
    assert reasons[26] == "it was not tried after: no role in 000000000002"
    assert read_failures(json.loads(json.dumps(group_failures(reasons)))) == reasons


def test_many_or_long_reasons_make_no_large_result() -> None:
    """The log has them."""
    grouped = group_failures({number: f"{number} " * 1_000 for number in range(200)})
    assert len(json.dumps(grouped)) < 60_000
    found = read_failures(grouped)
    assert len(found) == 200
    assert found[199] == "The log of its task has the reason."


def test_a_success_in_between_begins_the_count_anew() -> None:
    errors: dict[int, Exception] = {number: TransientError("gone") for number in range(12) if number % 3}
    _, done = run(errors)
    assert done == [0, 3, 6, 9]


@pytest.mark.promise("restartable")
def test_an_attempt_that_was_replaced_ends_at_once() -> None:
    """Another attempt does its work."""
    with pytest.raises(SupersededError):
        run({0: SupersededError("replaced")})
