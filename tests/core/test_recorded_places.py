"""The places of a window's events: each document once, with bounded memory."""

from __future__ import annotations

import json
import random
import tracemalloc
import uuid
from contextlib import closing
from datetime import UTC, datetime

import pytest

from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern, make_index_lookup
from cloudtrail_elasticsearch.core.loading import places as places_module
from cloudtrail_elasticsearch.core.loading.places import Place, RecordedPlaces, locate_line

MONTHLY = make_index_lookup(IndexPattern("cloudtrail-%Y.%m"))
DAILY = make_index_lookup(IndexPattern("cloudtrail-%Y.%m.%d"))


def place(number: int, day: str | None = "2026-11-20", *, is_own: bool = False) -> Place:
    return Place(str(uuid.UUID(int=number)), day, is_own)


def test_the_place_of_a_line_is_its_id_and_day() -> None:
    line = json.dumps({"eventID": str(uuid.UUID(int=1)), "eventTime": "2026-11-19T23:59:59Z"}).encode()
    assert locate_line(line) == place(1, "2026-11-19")._replace(time="2026-11-19T23:59:59Z")
    found = locate_line(b"no event")
    assert found.id.startswith("sha256-")
    assert (found.day, found.is_own, found.time) == (None, False, None)


def test_the_oldest_and_the_newest_time_are_kept() -> None:
    """In whatever order and spelling; events without a time do not count."""
    times = [
        "2026-11-20T10:00:00Z",
        "2026-11-20T23:59:59.999Z",
        None,
        "2026-11-20T00:30:00+02:00",
        "2026-11-20T23:59:58Z",
        "no time",
    ]
    drawn = random.Random(7)
    for _ in range(10):
        drawn.shuffle(times)
        with closing(RecordedPlaces()) as recorded:
            assert (recorded.first, recorded.last) == (None, None)
            for number, time in enumerate(times):
                line = {"eventID": str(uuid.UUID(int=number)), "eventName": "x", "eventTime": time}
                recorded.add(locate_line(json.dumps(line).encode()))
            assert recorded.first == datetime(2026, 11, 19, 22, 30, tzinfo=UTC)
            assert recorded.last == datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)


def test_every_place_comes_back_once() -> None:
    """Also ids that are no UUID, events without a time, and the loader's own events."""
    places = [
        *(place(number, f"2026-11-{1 + number % 28:02d}", is_own=number % 7 == 0) for number in range(20_000)),
        Place("sha256-abc", None, False),
        Place("A1B2C3D4-0000-0000-0000-00000000000A", "2026-11-20", True),
        Place("-", None, True),
    ]
    with closing(RecordedPlaces()) as recorded:
        for each in places:
            recorded.add(each)
        assert recorded.recorded == len(places)
        found = list(recorded.read_distinct(DAILY))
        assert sorted(found, key=str) == sorted(places, key=str)
        # A second reading gives the same, after further events, too.
        recorded.add(place(99_999))
        assert len(list(recorded.read_distinct(DAILY))) == len(places) + 1


@pytest.mark.promise("no-duplicates")
def test_repeated_events_are_found_exactly_however_far_apart() -> None:
    drawn = random.Random(5)
    places = [place(drawn.randrange(8_000)) for _ in range(30_000)]
    with closing(RecordedPlaces()) as recorded:
        for each in places:
            recorded.add(each)
        found = list(recorded.read_distinct(MONTHLY))
    assert len(found) == len(set(places))
    assert set(found) == set(places)


def test_events_of_one_id_are_one_document_only_in_one_index() -> None:
    with closing(RecordedPlaces()) as recorded:
        recorded.add(place(1, "2026-11-20"))
        recorded.add(place(1, "2026-11-21"))
        assert len(list(recorded.read_distinct(MONTHLY))) == 1
        assert len(list(recorded.read_distinct(DAILY))) == 2


@pytest.mark.promise("bounded")
def test_memory_does_not_grow_with_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places_module, "_BLOCK", 1024)  # full after few events, as the real ones are after many

    def measure(events: int) -> int:
        tracemalloc.start()
        with closing(RecordedPlaces()) as recorded:
            for number in range(events):
                recorded.add(place(number))
            assert sum(1 for _ in recorded.read_distinct(MONTHLY)) == events
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert measure(20_000) < measure(10_000) + 256 * 1024
