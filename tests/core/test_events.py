"""Events: what a line holds, when it happened, and the id by which it is never loaded twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.events import (
    Event,
    Unreadable,
    content_id,
    document_id,
    event_time,
    line_id,
    parse_line,
)
from tests.core.strategies import records

ID = "0828c0d2-3589-4390-b954-c78b4a7df44b"


@given(record=records)
def test_json_is_read_and_written_exactly(record: dict[str, Any]) -> None:
    """Whole numbers past 64 bits and lone surrogates come through as they were."""
    assert codec.decode(json.dumps(record)) == record
    assert codec.decode(codec.encode(record)) == record


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1.5E+999"])
def test_a_number_that_no_double_holds_stays_as_its_text(number: str) -> None:
    """Written as a number it would come back as null, and be lost."""
    value = codec.decode(f'{{"a": {number}}}')
    assert value == {"a": number}
    assert codec.decode(codec.encode(value)) == value


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object but list"),
        (b'"text"', "not a JSON object but str"),
        (b'{"lookup":{},"event":"<xml>"}', "CloudTrailEvent is not a JSON object"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_line_without_an_event_says_why(line: bytes, words: str) -> None:
    """It is kept whole, with the reason, for the quarantine."""
    unreadable = parse_line(line)
    assert isinstance(unreadable, Unreadable)
    assert words in unreadable.reason
    assert len(unreadable.text) >= len(line)


def test_the_id_is_the_event_id() -> None:
    """An eventID names the document; that of LookupEvents serves where the record has none."""
    assert document_id(Event({"eventID": ID}, {})) == ID
    assert document_id(Event({}, {"EventId": ID})) == ID


@given(record=records, event_id=st.sampled_from([ID, None, "", 7]), is_cut=st.booleans())
def test_a_line_is_named_without_being_read(record: dict[str, Any], event_id: Any, is_cut: bool) -> None:
    """As its event is, and as the quarantine names what holds none."""
    event = codec.encode(record | {"eventID": event_id})
    for line in (
        event,
        b'{"lookup":{},"event":%b}' % event,
        b'{"lookup":{"EventId":"%b"},"event":7}' % ID.encode(),
    ):
        text = line[:-1] if is_cut else line
        read = parse_line(text)
        assert line_id(text) == (document_id(read) if isinstance(read, Event) else content_id(text))


@pytest.mark.parametrize(
    "inside", [b"\xff", b"NaN", b'"\\ud800"', b"[" * 900 + b"]" * 900, b"[" * 9_000 + b"]" * 9_000]
)
def test_a_line_that_is_hard_to_read_is_named_alike(inside: bytes) -> None:
    """What cannot be read has no eventID, wherever it stands."""
    line = b'{"lookup":{},"event":{"eventID":"%b","a":%b}}' % (ID.encode(), inside)
    read = parse_line(line)
    assert line_id(line) == (document_id(read) if isinstance(read, Event) else content_id(line))


@pytest.mark.parametrize("event_id", [None, "-", "XXXXXXXXXXX", 7, {}])
def test_without_an_event_id_the_content_names_the_document(event_id: Any) -> None:
    """Equal content has equal ids whatever the order of its keys; other content has others."""
    one = document_id(Event({"eventID": event_id, "eventName": "a", "b": 1}, {}))
    assert one == document_id(Event({"b": 1, "eventName": "a", "eventID": event_id}, {}))
    assert one != document_id(Event({"b": 2, "eventName": "a", "eventID": event_id}, {}))


@pytest.mark.parametrize(
    ("record", "lookup", "expected"),
    [
        ({"eventTime": "2026-11-20T01:02:03Z"}, {}, datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)),
        ({"eventTime": "2026-13-20T01:02:03Z"}, {"EventTime": "2026-11-20T01:02:03+00:00"},
         datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)),
        ({"@timestamp": "2026-11-20T01:02:03.5Z"}, {}, datetime(2026, 11, 20, 1, 2, 3, 500_000, tzinfo=UTC)),
        ({"eventTime": "Aug 16, 2018 7:12:08 AM"}, {}, None),
        ({"eventTime": 1_542_000_000}, {}, None),
        ({}, {}, None),
    ],
)  # fmt: skip
def test_the_time_is_the_events_own(
    record: dict[str, Any], lookup: dict[str, Any], expected: datetime | None
) -> None:
    """eventTime, else @timestamp, else LookupEvents' EventTime; none where there is none."""
    assert event_time(Event(record, lookup)) == expected
