"""Slices, against an account of any events: divided at any moment, they see each event once."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.slices import Slice, worth_dividing

START = datetime(2026, 11, 20, tzinfo=UTC)
SECONDS = 3_600
PAGE = 5
QUICK = 0.5


@dataclass(frozen=True)
class Event:
    id: str
    time: datetime


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def account(seconds: list[int]) -> list[Event]:
    """Events at these seconds, newest first."""
    return [Event(str(number), at(second)) for number, second in enumerate(sorted(seconds, reverse=True))]


def look_up(events: list[Event], until: datetime, token: str | None) -> tuple[list[Event], str | None]:
    """A page, as LookupEvents gives it: the token is where it begins."""
    asked = [event for event in events if event.time < until]
    begin = int(token or 0)
    more = begin + PAGE < len(asked)
    return asked[begin : begin + PAGE], str(begin + PAGE) if more else None


def page(events: list[Event], each: Slice) -> list[Event]:
    position = each.position
    found, token = look_up(events, position.until, position.token)
    return each.accept(found, position.until, token)


@given(st.lists(st.integers(0, SECONDS - 1), max_size=120), st.integers(0, 2**32))
def test_every_event_is_seen_once_however_slices_are_divided_and_tokens_expire(
    seconds: list[int], seed: int
) -> None:
    """At any moment a slice may be divided, ended soon, or lose its token."""
    events = account(seconds)
    chance = random.Random(seed)
    slices = [Slice.between(START, at(SECONDS))]
    seen: list[str] = []
    while busy := [each for each in slices if not each.is_done]:
        each = chance.choice(busy)
        action = chance.random()
        if action < 0.15 and each.can_be_divided and each.position.pages:
            slices.append(each.divide())
        elif action < 0.2 and each.can_be_divided and each.position.pages:
            slices.append(each.end_soon())
        elif action < 0.3 and each.position.token is not None:
            each.go_on_by_time()
        seen += [event.id for event in page(events, each)]
    assert sorted(seen) == sorted(event.id for event in events)
    assert sum(each.position.looked_up - each.position.duplicates for each in slices) == len(events)


def test_an_event_that_comes_twice_is_counted() -> None:
    """On one page, and on the next."""
    a, b, c = account([30, 20, 10])
    each = Slice.between(START, at(60))
    assert each.accept([a, b, b], at(60), "1") == [a, b]
    assert each.accept([b, c], at(60), None) == [c]
    assert (each.position.looked_up, each.position.duplicates) == (5, 2)


def test_a_page_below_the_floor_ends_a_slice() -> None:
    """What lies below is another slice's; the token is not used."""
    a, b = account([30, 10])
    each = Slice.between(at(20), at(60))
    assert each.accept([a, b], at(60), "more") == [a]
    assert each.is_done


def test_what_was_seen_before_an_interruption_is_known() -> None:
    """The last second seen is asked for again, and its events are told from new ones."""
    a, b, c = account([30, 30, 30])
    before = Slice.between(START, at(60))
    before.accept([a, b], at(60), "1")
    before.go_on_by_time()
    after = Slice(before.end, before.floor, before.position)
    after.remember([a, b])
    assert after.position.until == at(31)
    assert after.accept([a, b, c], at(31), None) == [c]


def test_the_slice_with_most_left_is_divided_in_half() -> None:
    """If it is busy enough to be worth a call more."""
    busy, quiet = Slice.between(START, at(3_000)), Slice.between(START, at(3_000))
    for each, span in ((busy, 10), (quiet, 1_000)):
        each.accept([Event("a", at(2_999)), Event("b", at(3_000 - span))], at(3_000), "more")
    assert worth_dividing([quiet, busy], QUICK) is busy
    assert worth_dividing([quiet], QUICK) is None
    other = busy.divide()
    assert (other.floor, other.end) == (START, at(1_495))
    assert busy.floor == other.end


def test_where_pages_are_slow_less_is_divided() -> None:
    """Three pages of two seconds each would hold the end up; three quick ones are done before it matters."""
    each = Slice.between(START, at(400))
    each.accept([Event("a", at(399)), Event("b", at(300))], at(400), "more")
    assert 2 < each.pages_left < 4
    assert worth_dividing([each], 2.0) is each
    assert worth_dividing([each], QUICK) is None


@pytest.mark.parametrize("seconds", [0, 1])
def test_what_is_too_short_is_not_divided(seconds: int) -> None:
    """A whole second must be left on either side."""
    each = Slice.between(START, at(10))
    each.accept([Event("a", at(seconds))], at(10), "more")
    assert not each.can_be_divided
    assert worth_dividing([each], QUICK) is None
