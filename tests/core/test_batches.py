"""The planning of a trail's day: which windows, and which hours of them, each task works on."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.coverage.batches import (
    HOURS,
    PIECE_SECONDS,
    Batch,
    Size,
    WindowSize,
    divide_window,
    plan_batches,
)
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import DAY, Window, midnight

START = midnight(date(2026, 11, 20))
HOUR = timedelta(hours=1)

sizes = st.builds(Size, st.integers(0, 30_000), st.integers(0, 2 * 1024**3))
quiet = st.just((Size(),) * HOURS)
hours = st.one_of(quiet, st.lists(sizes, min_size=HOURS, max_size=HOURS).map(tuple))
days = st.lists(hours, max_size=40)


def window(number: int) -> Window:
    return Window(f"{number // 3:012}", f"eu-west-{number % 3}", START, START + DAY, Source.TRAIL)


def sized(day: list[tuple[Size, ...]]) -> list[WindowSize]:
    return [WindowSize(window(number), each) for number, each in enumerate(day)]


def covered(batches: list[Batch]) -> list[tuple[str, str, int]]:
    """Return each hour of each window, as often as it is in a batch."""
    return sorted(
        (piece.window.account, piece.window.region, hour)
        for batch in batches
        for piece in batch.pieces
        for hour in range((piece.window.start - START) // HOUR, (piece.window.end - START) // HOUR)
    )


@pytest.mark.promise("nothing-lost")
@given(days, st.integers(1, 20))
def test_each_hour_of_each_window_is_in_exactly_one_batch(day: list[tuple[Size, ...]], tasks: int) -> None:
    """And every piece has the size of its hours."""
    planned = sized(day)
    batches = plan_batches(planned, tasks)
    wanted = [(each.window.account, each.window.region, hour) for each in planned for hour in range(HOURS)]
    assert covered(batches) == sorted(wanted)
    for batch in batches:
        for piece in batch.pieces:
            whole = planned[piece.of]
            first, end = ((time - START) // HOUR for time in (piece.window.start, piece.window.end))
            assert (piece.window.account, piece.window.region) == (whole.window.account, whole.window.region)
            assert piece.size == sum(whole.hours[first:end], Size())


@pytest.mark.promise("bounded")
@given(days, st.integers(1, 20))
def test_a_day_has_at_most_the_given_number_of_tasks_and_they_are_balanced(
    day: list[tuple[Size, ...]], tasks: int
) -> None:
    """No task is empty. The longest one exceeds the mean by less than its own last piece."""
    batches = plan_batches(sized(day), tasks)
    assert len(batches) <= tasks
    assert all(batch.pieces for batch in batches)
    if batches:
        seconds = [batch.seconds for batch in batches]
        assert seconds == sorted(seconds, reverse=True)
        largest = max(piece.seconds for batch in batches for piece in batch.pieces)
        assert seconds[0] <= sum(seconds) / len(seconds) + largest


def test_the_work_of_a_batch_does_not_depend_on_the_order_of_its_pieces() -> None:
    """Rounded sums of the same pieces differ by their order, and the batches would be out of order."""
    day = [(Size(3 * number + 1, 1_234_567 * number),) + (Size(),) * (HOURS - 1) for number in range(40)]
    pieces = [piece for number, size in enumerate(sized(day)) for piece in divide_window(size, number)]
    shuffled = [random.Random(seed).sample(pieces, len(pieces)) for seed in range(50)]
    assert len({Batch("", tuple(each)).seconds for each in shuffled}) == 1


@given(days, st.integers(1, 20), st.randoms(use_true_random=False))
def test_equal_listings_give_equal_batches(day: list[tuple[Size, ...]], tasks: int, order: random.Random) -> None:
    """In whatever order the windows were listed."""
    planned = sized(day)
    shuffled = order.sample(planned, len(planned))
    assert shape(plan_batches(shuffled, tasks)) == shape(plan_batches(planned, tasks))


def shape(batches: list[Batch]) -> list[tuple[str, list[Window]]]:
    return [(batch.name, [piece.window for piece in batch.pieces]) for batch in batches]


@pytest.mark.promise("restartable")
@given(days, st.integers(1, 20), st.integers(1, 20))
def test_the_pieces_of_a_window_depend_on_its_own_size_alone(
    day: list[tuple[Size, ...]], tasks: int, others: int
) -> None:
    """Another number of tasks, or another selection of accounts, finds the same manifests again."""
    planned = sized(day)
    pieces = {piece.window for batch in plan_batches(planned, tasks) for piece in batch.pieces}
    alone = {piece.window for each in planned for batch in plan_batches([each], others) for piece in batch.pieces}
    assert pieces == alone


@given(days, st.integers(1, 20))
def test_names_are_unique_in_a_day(day: list[tuple[Size, ...]], tasks: int) -> None:
    """So that Airflow's pages tell the tasks apart."""
    names = [batch.name for batch in plan_batches(sized(day), tasks)]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 100 for name in names)


@given(st.lists(sizes, min_size=HOURS, max_size=HOURS))
def test_a_window_is_divided_no_further_than_needed(day: list[Size]) -> None:
    """Into equally long pieces; only a single hour may take longer than the limit."""
    pieces = divide_window(WindowSize(window(0), tuple(day)))
    lengths = {piece.window.length for piece in pieces}
    assert len(lengths) == 1
    (length,) = lengths
    assert length == HOUR or max(piece.seconds for piece in pieces) <= PIECE_SECONDS


def test_the_quiet_windows_of_many_accounts_share_few_tasks() -> None:
    """200 accounts with 17 regions, nine of ten quiet, take no more tasks than allowed, of about equal work."""
    busy, still = (Size(2, 2_000),) * HOURS, (Size(),) * HOURS
    day = [
        WindowSize(
            Window(f"{account:012}", f"eu-west-{region}", START, START + DAY, Source.TRAIL),
            still if region % 10 else busy,
        )
        for account in range(200)
        for region in range(17)
    ]
    batches = plan_batches(day, 16)
    assert len(batches) == 16
    assert batches[0].seconds < 1.05 * batches[-1].seconds
    assert batches[0].name.startswith("2026-11-20 1 of 16: ")


def test_a_window_without_digests_takes_little_time() -> None:
    """If log file validation is off, 3,400 quiet windows share two tasks; else each verifies 24 digests."""
    still = (Size(),) * HOURS
    windows = [
        Window(f"{account:012}", f"eu-west-{region}", START, START + DAY, Source.TRAIL)
        for account in range(200)
        for region in range(17)
    ]
    for has_digests, tasks in ((False, 2), (True, 16)):
        assert len(plan_batches([WindowSize(each, still, has_digests) for each in windows], 16)) == tasks


def test_a_single_quiet_account_takes_one_task() -> None:
    """Airflow's cost of a task would be larger than the work."""
    (batch,) = plan_batches(sized([(Size(),) * HOURS] * 17), 16)
    assert len(batch.pieces) == 17
    assert batch.name == "2026-11-20 1 of 1: 17 windows of 6 accounts"


def test_a_busy_window_is_divided_over_tasks_that_name_it() -> None:
    """By whole hours of delivery."""
    batches = plan_batches([WindowSize(window(0), (Size(1_000, 100_000_000),) * HOURS)], 24)
    assert {piece.window.length for batch in batches for piece in batch.pieces} == {2 * HOUR}
    assert len(batches) == 12
    assert "trail 000000000000 eu-west-0 2026-11-20T00:00:00Z/2026-11-20T02:00:00Z" in {
        batch.name for batch in batches
    }
