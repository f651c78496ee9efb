"""Slices: events are assigned by their times and ids; the order of answers is only used for estimates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.sources.lookup_events.compact_ids import compact_id
from cloudtrail_elasticsearch.sources.lookup_events.slice_pool import (
    MOST_PAGES,
    SlicePool,
    Speed,
    is_worth_dividing,
)
from cloudtrail_elasticsearch.sources.lookup_events.slices import BARREN_PAGES, Range, Slice

START = datetime(2026, 11, 20, tzinfo=UTC)
FLOOR = int(START.timestamp())
WINDOW = Range(FLOOR, FLOOR + 3_600)
QUICK, SLOW = Speed(2.0, 0.6), Speed(2.0, 2.0)


def event(event_id: str, time: datetime | None) -> LookedUpEvent:
    return LookedUpEvent(event_id, time, b"{}")


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def events(*seconds: float) -> list[LookedUpEvent]:
    return [event(f"at {second}", at(second)) for second in seconds]


def between(floor: int, end: int) -> Slice:
    return Slice(WINDOW, Range(FLOOR + floor, FLOOR + end), 0)


@pytest.mark.promise("nothing-lost")
def test_only_an_answer_without_a_token_ends_a_slice() -> None:
    """An event before its start does not end it, and neither does an empty page."""
    each = between(100, 200)
    assert each.accept_page(events(150, 50, -1), "1").fresh == events(150)
    assert not each.is_done
    assert each.accept_page([], "2").fresh == []
    assert not each.is_done
    assert each.accept_page(events(160), None).fresh == events(160)
    assert each.is_done
    assert (each.looked_up, each.duplicates) == (2, 0)


def test_every_event_is_assigned_by_its_own_time() -> None:
    """To the slice, to another slice, or to the strays; both ends of a range are exact."""
    found = between(100, 200).accept_page(events(99.9, 100, 199.9, 200, 0, 3_599, -0.1, 3_600), "1")
    assert found.fresh == events(100, 199.9)
    assert found.aside == events(99.9, 200, 0, 3_599)
    assert found.strays == events(-0.1, 3_600)


def test_an_event_without_a_time_belongs_to_a_slice_that_is_the_whole_window() -> None:
    """Other slices cannot know whether it belongs to them."""
    undated = event("x", None)
    assert between(0, 3_600).accept_page([undated], "1").fresh == [undated]
    assert between(0, 3_599).accept_page([undated], "1").aside == [undated]


@pytest.mark.promise("no-duplicates")
def test_an_event_that_a_query_returns_twice_is_a_duplicate() -> None:
    """On the same page, or any number of pages later."""
    each = between(0, 3_600)
    a, b, c, d = events(40, 30, 20, 10)
    assert each.accept_page([a, b, b], "1").fresh == [a, b]
    assert each.accept_page([c], "2").fresh == [c]
    assert each.accept_page([a, d], None).fresh == [d]
    assert (each.looked_up, each.duplicates) == (6, 2)


def test_a_known_event_is_a_duplicate_only_if_a_query_returns_it_twice() -> None:
    """An earlier query of the same fetch staged it, and this query covers its time again."""
    each = between(0, 3_600)
    a, b = events(20, 10)
    each.known = {compact_id(a.id)}
    assert each.accept_page([a, b], "1").fresh == [b]
    assert (each.looked_up, each.duplicates) == (1, 0)
    each.accept_page([a], None)
    assert (each.looked_up, each.duplicates) == (2, 1)


def test_events_from_before_an_interruption_are_duplicates_after_it() -> None:
    """The query continues with its token."""
    each = between(0, 3_600)
    each.seen.add(compact_id("at 10"))
    assert each.accept_page(events(10, 5), None).fresh == events(5)
    assert each.duplicates == 1


def test_ids_that_differ_only_in_case_are_different() -> None:
    """Their documents are different too."""
    lower = "aaaaaaaa-0000-4000-8000-000000000000"
    assert compact_id(lower) != compact_id(lower.upper())
    assert compact_id(lower) == int(lower.replace("-", ""), 16)


@pytest.mark.parametrize("token", ["1", "2"])
def test_a_repeated_token_is_detected(token: str) -> None:
    """The token of the previous page, or of an earlier one."""
    each = between(0, 3_600)
    each.accept_page(events(30), "1")
    each.accept_page(events(20), "2")
    assert each.stuck is None
    each.accept_page(events(10), token)
    assert "NextToken" in str(each.stuck)


def test_a_repeated_page_is_detected() -> None:
    """In any order of its events, with a new token; as the last page it does no harm."""
    each = between(0, 3_600)
    each.accept_page(events(30, 20), "1")
    each.accept_page(events(10), "2")
    each.accept_page(events(20, 30), None)
    assert each.stuck is None
    each.accept_page(events(20, 30), "3")
    assert "a page again" in str(each.stuck)


def test_too_many_pages_without_a_new_event_are_detected() -> None:
    """Empty pages, or pages of strays; one new event resets the count."""
    each = between(0, 3_600)
    for number in range(BARREN_PAGES - 1):
        each.accept_page(events(-1) if number % 2 else [], f"{number}")
    assert each.stuck is None
    each.accept_page(events(1), "new")
    each.accept_page([], "a")
    assert each.stuck is None
    for number in range(BARREN_PAGES - 1):
        each.accept_page([], f"again {number}")
    assert f"{BARREN_PAGES} pages in a row" in str(each.stuck)


@pytest.mark.parametrize(
    ("pages", "left"),
    [
        ([events(3_599, 3_300), events(3_300, 2_700)], 6.0),
        ([events(0, 299), events(299, 899)], 6.0),
        ([events(3_599, 0), events(1_000, 2_000)], 2.0),
    ],
)
def test_the_order_of_answers_gives_the_estimate_of_pages_left(
    pages: list[list[LookedUpEvent]], left: float
) -> None:
    """If they are in order, by the time covered; otherwise as many pages again."""
    each = between(0, 3_600)
    for number, page in enumerate(pages):
        each.accept_page(page, str(number))
    assert each.pages_left == pytest.approx(left, rel=0.01)


def test_the_pool_returns_all_of_its_time_newest_first() -> None:
    """Each second once, in ranges of about the requested number of pages."""
    pool = SlicePool(WINDOW, list(WINDOW.split_in_half()))
    pool.observe((FLOOR + 3_500, 0.1))
    assert pool.pages == pytest.approx(360)
    taken = []
    while pool.ranges:
        taken.append(pool.take(45)[0])
    assert [each.end for each in taken] == [WINDOW.end, *(each.floor for each in taken[:-1])]
    assert taken[-1].floor == WINDOW.floor
    assert {each.seconds for each in taken} == {450}


def test_a_range_from_the_pool_follows_the_nearest_density() -> None:
    """And is never larger than the largest slice."""
    pool = SlicePool(WINDOW, [WINDOW])
    pool.observe((FLOOR + 3_500, 1.0))
    pool.observe((FLOOR + 100, 0.01))
    assert pool.take(1_000)[0].seconds == MOST_PAGES
    pool.ranges = [Range(FLOOR, FLOOR + 1_000)]
    assert pool.take(6)[0].seconds == 600


@pytest.mark.promise("bounded")
def test_a_busy_window_has_few_ranges() -> None:
    """The record of all slices must fit into a state store."""
    day = Range(FLOOR, FLOOR + 86_400)
    pool = SlicePool(day, [day])
    pool.observe((FLOOR, 2.0))
    count = 0
    while pool.ranges:
        pool.take(1)
        count += 1
    assert count <= 1_000


@pytest.mark.parametrize(
    ("pages", "left", "speed", "others", "is_worth"),
    [
        (1, 300, QUICK, 0, True),
        (1, 4, QUICK, 0, False),
        (100, 300, QUICK, 0, False),
        (100, 300, SLOW, 0, True),
        (1, 300, Speed(0.5, 0.6), 0, False),
        (1, 300, QUICK, 2, False),
    ],
)
def test_a_slice_is_divided_if_that_saves_more_than_its_pages_cost(
    pages: int, left: float, speed: Speed, others: int, is_worth: bool
) -> None:
    """Never if one pager uses the whole quota, or if the others leave none of it."""
    assert is_worth_dividing(pages, left, speed, others, 8) == is_worth
