"""The comparison of a LookupEvents window with a trail."""

from __future__ import annotations

import json
import random
import tracemalloc
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.coverage import sorted_ids
from cloudtrail_elasticsearch.core.coverage.compare import (
    IDS_KEPT,
    Comparison,
    choose_deliveries,
    compare_sources,
    is_management_event,
)
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.coverage.sorted_ids import SortedIds
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import PlanError
from tests.core.test_sources_of_cells import Server

START = datetime(2026, 11, 20, tzinfo=UTC)
DAY = Window("123456789012", "us-east-1", START, START + timedelta(days=1))
DELIVERIES = choose_deliveries(DAY)


def event_id(number: int) -> str:
    return str(uuid.UUID(int=number))


def record(number: int, **changes: Any) -> dict[str, Any]:
    usual = {
        "eventID": event_id(number),
        "eventTime": "2026-11-20T12:00:00Z",
        "eventCategory": "Management",
        "awsRegion": "us-east-1",
        "recipientAccountId": "123456789012",
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def bare(number: int, **changes: Any) -> bytes:
    return json.dumps(record(number, **changes)).encode()


def staged(number: int, **changes: Any) -> bytes:
    event = record(number, **changes)
    return json.dumps({"lookup": {"EventId": event_id(number)}, "event": event}).encode()


def compare(looked_up: list[bytes], delivered: list[bytes], in_memory: int = 1_000) -> Comparison:
    return compare_sources(DAY, looked_up, delivered, DELIVERIES, in_memory)


def numbers(found: Comparison) -> tuple[int, int, int]:
    return found.both, found.only_lookup_events.events, found.only_trail.events


@pytest.mark.promise("nothing-lost")
@given(
    own=st.lists(st.integers(0, 40)),
    other=st.lists(st.integers(0, 40)),
    in_memory=st.integers(1, 50),
)
def test_every_id_is_compared(own: list[int], other: list[int], in_memory: int) -> None:
    """In any order, repeated or not, in memory or on disk."""
    found = compare([staged(number) for number in own], [bare(number) for number in other], in_memory)
    mine, theirs = set(map(event_id, own)), set(map(event_id, other))
    assert numbers(found) == (len(mine & theirs), len(mine - theirs), len(theirs - mine))
    assert found.only_lookup_events.ids == tuple(sorted(mine - theirs)[:IDS_KEPT])
    assert found.only_trail.ids == tuple(sorted(theirs - mine)[:IDS_KEPT])


@pytest.mark.parametrize(
    "changes",
    [
        {"eventCategory": "Data"},
        {"eventCategory": "Insight"},
        {"eventCategory": None, "managementEvent": False},
        {"eventTime": "2026-11-19T23:59:59Z"},
        {"eventTime": "2026-11-21T00:00:00Z"},
        {"eventTime": "yesterday"},
        {"recipientAccountId": "2"},
        {"awsRegion": "eu-west-1"},
    ],
)
def test_only_events_that_lookup_events_should_have_are_missing_from_it(changes: dict[str, Any]) -> None:
    """Not other kinds of event, and none of another day, account or region."""
    assert numbers(compare([], [bare(1, **changes)])) == (0, 0, 0)
    assert numbers(compare([staged(1, **changes)], [bare(1, **changes)])) == (1, 0, 0)


@pytest.mark.parametrize(
    ("changes", "is_management"),
    [
        ({"eventCategory": "Management"}, True),
        ({"eventCategory": "NetworkActivity"}, False),
        ({"managementEvent": True}, True),
        ({"managementEvent": False}, False),
        ({}, True),
        ({"eventType": "AwsCloudTrailInsight"}, False),
    ],
)
def test_older_records_are_management_events_unless_they_say_otherwise(
    changes: dict[str, Any], is_management: bool
) -> None:
    """eventCategory and managementEvent came with later versions of the record."""
    assert is_management_event(changes) is is_management


def test_an_event_at_the_edge_of_the_day_is_found_in_the_delivery_of_the_next_day() -> None:
    """The log files of a late evening are delivered after midnight."""
    assert [str(each.start.date()) for each in DELIVERIES] == ["2026-11-20", "2026-11-21"]
    assert {each.source for each in DELIVERIES} == {Source.TRAIL}
    late = "2026-11-20T23:59:59Z"
    found = compare([staged(1, eventTime=late)], [bare(1, eventTime=late)])
    assert numbers(found) == (1, 0, 0)
    assert (found.first_delivery, found.last_delivery) == (START, START + timedelta(days=2))
    assert len(choose_deliveries(DAY, 9)) == 9
    assert len(choose_deliveries(replace(DAY, end=DAY.end + timedelta(hours=30)), 1)) == 3


def test_windows_that_cannot_be_compared_are_rejected() -> None:
    """Another account, region or source, no delivery, and a trail's window as the day."""
    for others in ([], [DAY], [replace(DELIVERIES[0], region="eu-west-1")], [replace(DELIVERIES[0], account="2")]):
        with pytest.raises(PlanError, match="must be compared with a trail's windows of the same account"):
            compare_sources(DAY, [], [], others)
    for day, days in ((DELIVERIES[0], 2), (DAY, 0)):
        with pytest.raises(PlanError, match="Compare a LookupEvents window"):
            choose_deliveries(day, days)


def test_lines_without_an_event_are_skipped() -> None:
    """They have no id; blank lines are skipped, too."""
    assert numbers(compare([b"", b"not json", staged(1)], [b"[1]", b"\n", b'{"a": 1}', bare(1)])) == (1, 0, 0)


@pytest.mark.promise("bounded")
def test_memory_does_not_grow_with_the_number_of_ids(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sorted runs are merged in several passes, and no file is left."""
    monkeypatch.setattr(sorted_ids, "MOST_RUNS", 8)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    peaks = []
    for count in (5_000, 40_000):
        ids = [event_id(number) for number in range(count)]
        random.Random(count).shuffle(ids)
        tracemalloc.start()
        with SortedIds(in_memory=500) as found:
            for identifier in ids:
                found.add(identifier, mark=False)
            read = sum(1 for _ in found.read())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert read == count
    assert peaks[1] < 1.5 * peaks[0]
    assert list(tmp_path.iterdir()) == []


def test_the_ledger_stores_the_comparison_in_the_cell_of_lookup_events() -> None:
    """As plain values."""
    server = Server()
    found = compare([staged(1), staged(2)], [bare(2), bare(3)])
    Ledger(server, "one").record_comparison(DAY, found)
    (document,) = server.documents.values()
    assert document["source"] == "lookup_events"
    assert document["comparison"]["both"] == 1
    assert document["comparison"]["only_lookup_events"] == {"events": 1, "ids": [event_id(1)]}
    assert document["comparison"]["only_trail"] == {"events": 1, "ids": [event_id(3)]}
    assert document["comparison"]["last_delivery"] == "2026-11-22T00:00:00Z"
