"""The generator: always the same events, each made independently, for any number of them."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tracemalloc
import uuid
from datetime import date, timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstack.simulator import DEFAULT_ACCOUNT, REGIONS, Generator, Span
from devstack.simulator.draw import uuid_text
from devstack.simulator.generated import DEFAULT_VOLUME
from devstack.simulator.timeline import DAY as SECONDS
from devstack.simulator.timeline import Timeline
from tests.examples import examples
from tests.simulator.lookups import DAY, REGION

_ROOT = Path(__file__).parents[2]
_DIGEST = """
import hashlib
from datetime import date
from devstack.simulator import Generator
generator = Generator(seed=5, volume=60)
span = generator.day("123456789012", "us-east-1", date(2026, 11, 18))
texts = [entry.read().text for entry in generator.newest_first(span)]
print(len(texts), hashlib.sha256("".join(texts).encode()).hexdigest())
"""

days = st.dates(date(2024, 1, 1), date(2030, 12, 31))


@pytest.mark.slow
def test_every_process_makes_the_same_bytes() -> None:
    """Neither the process nor Python's hash seed changes an event."""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", _DIGEST],
            cwd=_ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for seed in ("0", "4711")
    }
    assert len(outputs) == 1


@settings(max_examples=examples(25), deadline=None)
@given(day=days, place=st.floats(0, 1, exclude_max=True), volume=st.sampled_from([10, 2500, 1_000_000]))
def test_an_event_made_alone_equals_the_one_in_the_list(day: date, place: float, volume: int) -> None:
    """By its number it has the same time and id as in the day's list."""
    generator = Generator(seed=3, volume=volume)
    span = generator.day(DEFAULT_ACCOUNT, REGION, day)
    index = int(place * generator.count(span))
    alone = generator.event(DEFAULT_ACCOUNT, REGION, day, index)
    time = generator._timeline(DEFAULT_ACCOUNT, REGION, span.start // SECONDS).time(index)
    second = generator.newest_first(Span(DEFAULT_ACCOUNT, REGION, time, time))
    assert alone in [entry.read().fields for entry in second]


@given(
    count=st.integers(1, 2_000_000),
    key=st.text(max_size=5),
    places=st.lists(st.floats(0, 1), min_size=2, max_size=9),
)
def test_time_never_falls_as_the_number_rises(count: int, key: str, places: list[float]) -> None:
    """Event i + 1 is not earlier than event i, and all are within the day."""
    timeline = Timeline(key, 20_000, count)
    numbers = sorted(int(place * (count - 1)) for place in places)
    times = [timeline.time(number) for number in (0, *numbers, count - 1)]
    assert times == sorted(times)
    assert 20_000 * SECONDS <= times[0] <= times[-1] < 20_001 * SECONDS


@given(count=st.integers(0, 100_000), second=st.integers(0, SECONDS))
def test_bisection_divides_the_events_of_a_day_by_time(count: int, second: int) -> None:
    """The events before the found number are earlier than the time, the others are not."""
    timeline = Timeline("key", 20_000, count)
    time = 20_000 * SECONDS + second
    first = timeline.first_at(time)
    assert first == 0 or timeline.time(first - 1) < time
    assert first == count or timeline.time(first) >= time


@settings(max_examples=examples(30), deadline=None)
@given(cut=st.integers(0, SECONDS - 2), day=days)
def test_the_counts_of_two_parts_are_the_count_of_the_whole(cut: int, day: date) -> None:
    """Adjacent spans have as many events as the span over both, and as many as are listed."""
    generator = Generator(seed=1, volume=200)
    whole = generator.day(DEFAULT_ACCOUNT, REGION, day)
    early = Span(whole.account, whole.region, whole.start, whole.start + cut)
    late = Span(whole.account, whole.region, whole.start + cut + 1, whole.end)
    assert generator.count(early) + generator.count(late) == generator.count(whole)
    assert generator.count(late) == sum(1 for _ in generator.newest_first(late))


@settings(max_examples=examples(10), deadline=None)
@given(place=st.floats(0.01, 0.99))
def test_a_page_in_the_middle_of_a_million_events_costs_one_page(place: float) -> None:
    """Only the events of the page and of the seconds at its ends are given ids."""
    generator = Generator(seed=1, volume=1_000_000)
    span = generator.day(DEFAULT_ACCOUNT, REGION, DAY)
    position = (span.start + int(place * SECONDS), "8")
    tracemalloc.start()
    try:
        page = list(itertools.islice(generator.newest_first(span, position), 50))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(page) == 50
    assert peak < 1_000_000
    assert position > page[0].position
    assert page == sorted(page, key=lambda entry: entry.position, reverse=True)


@given(bits=st.integers(0, (1 << 128) - 1))
def test_uuids_are_written_as_python_writes_them(bits: int) -> None:
    """128 bits give the same random UUID as Python's own class."""
    assert uuid_text(bits) == str(uuid.UUID(int=bits, version=4))


def test_ids_are_unique_uuids() -> None:
    """No eventID occurs twice in a day of all regions; each is a random UUID."""
    generator = Generator(seed=1)
    found = [
        entry.id
        for region in REGIONS
        for entry in generator.newest_first(generator.day(DEFAULT_ACCOUNT, region, DAY))
    ]
    assert len(set(found)) == len(found)
    assert all(len(event_id) == 36 and event_id[14] == "4" for event_id in found)


@pytest.mark.parametrize("start", [DAY, DAY + timedelta(days=2), date(2025, 3, 3)])
def test_three_days_are_some_twenty_thousand_events(start: date) -> None:
    """By default: us-east-1 is the busiest, several regions are quiet, three days have 15,000 to 25,000 events."""
    generator = Generator()
    counts = {
        region: [
            generator.count(generator.day(DEFAULT_ACCOUNT, region, start + timedelta(days=number)))
            for number in range(3)
        ]
        for region in REGIONS
    }
    assert 15_000 <= sum(map(sum, counts.values())) <= 25_000
    assert all(0.75 * DEFAULT_VOLUME < count < 1.1 * DEFAULT_VOLUME for count in counts[REGION])
    assert all(max(listed) < min(counts[REGION]) for region, listed in counts.items() if region != REGION)
    assert sum(not any(listed) for listed in counts.values()) >= 5


def test_seeds_accounts_regions_and_days_differ() -> None:
    """Each of the four changes the events."""
    one = Generator(seed=1).event(DEFAULT_ACCOUNT, REGION, DAY, 0)
    others = [
        Generator(seed=2).event(DEFAULT_ACCOUNT, REGION, DAY, 0),
        Generator(seed=1).event("999999999999", REGION, DAY, 0),
        Generator(seed=1).event(DEFAULT_ACCOUNT, "eu-west-1", DAY, 0),
        Generator(seed=1).event(DEFAULT_ACCOUNT, REGION, DAY + timedelta(days=1), 0),
    ]
    assert len({orjson.dumps(event) for event in (one, *others)}) == 5


def test_a_number_beyond_the_day_is_rejected() -> None:
    """There is no event after the last."""
    generator = Generator(volume=10)
    count = generator.count(generator.day(DEFAULT_ACCOUNT, REGION, DAY))
    assert generator.event(DEFAULT_ACCOUNT, REGION, DAY, count - 1)
    with pytest.raises(IndexError, match=f"has {count} events"):
        generator.event(DEFAULT_ACCOUNT, REGION, DAY, count)


def test_regions_can_be_equally_busy() -> None:
    """For tests that need more than the few busy regions of most accounts."""
    even = Generator(volume=1_000, shares=dict.fromkeys(REGIONS, 1.0))
    counts = [even.count(even.day("123456789012", region, date(2026, 11, 20))) for region in REGIONS]
    assert all(900 <= count <= 1_100 for count in counts)
