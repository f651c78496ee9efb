"""Events: the contents of a line, the time of an event, and the id that prevents duplicates."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.documents.events import (
    Event,
    Unreadable,
    content_id,
    document_id,
    event_time,
    line_place,
    parse_line,
)
from cloudtrail_elasticsearch.core.documents.times import format_second
from cloudtrail_elasticsearch.core.encoding import codec
from tests.core.strategies import records

ID = "0828c0d2-3589-4390-b954-c78b4a7df44b"


@given(record=records)
def test_json_is_read_and_written_exactly(record: dict[str, Any]) -> None:
    """Integers past 64 bits and lone surrogates are kept."""
    assert codec.decode(json.dumps(record)) == record
    assert codec.decode(codec.encode(record)) == record


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1.5E+999"])
def test_a_number_beyond_double_range_stays_text(number: str) -> None:
    """As a number it would become null, and its value would be lost."""
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
def test_a_line_without_an_event_has_a_reason(line: bytes, words: str) -> None:
    """The whole line goes to the quarantine with the reason."""
    unreadable = parse_line(line)
    assert isinstance(unreadable, Unreadable)
    assert words in unreadable.reason
    assert len(unreadable.text) >= len(line)


@pytest.mark.promise("no-duplicates")
def test_the_id_is_the_event_id() -> None:
    """The eventID is the document's id. If the record has none, LookupEvents' own is used."""
    assert document_id(Event({"eventID": ID}, {})) == ID
    assert document_id(Event({}, {"EventId": ID})) == ID


@given(record=records, event_id=st.sampled_from([ID, None, "", 7]), is_cut=st.booleans())
def test_the_id_of_a_line_needs_no_parsing(record: dict[str, Any], event_id: Any, is_cut: bool) -> None:
    """It equals the id of its event, or the quarantine's id of a line without an event."""
    event = codec.encode(record | {"eventID": event_id})
    for line in (
        event,
        b'{"lookup":{},"event":%b}' % event,
        b'{"lookup":{"EventId":"%b"},"event":7}' % ID.encode(),
    ):
        text = line[:-1] if is_cut else line
        read = parse_line(text)
        assert line_place(text)[0] == (document_id(read) if isinstance(read, Event) else content_id(text))


@pytest.mark.parametrize(
    "inside", [b"\xff", b"NaN", b'"\\ud800"', b"[" * 900 + b"]" * 900, b"[" * 9_000 + b"]" * 9_000]
)
def test_an_unreadable_line_gets_the_same_id_everywhere(inside: bytes) -> None:
    """A line that cannot be parsed has no eventID, even if its text contains one."""
    event = b'{"eventID":"%b","eventTime":"2026-11-20T01:02:03Z","a":%b}' % (ID.encode(), inside)
    for line in (event, b'{"lookup":{},"event":%b}' % event):
        read = parse_line(line)
        assert line_place(line)[0] == (document_id(read) if isinstance(read, Event) else content_id(line))


REPEATS = {
    "eventID": b'{"eventID":"x","eventTime":"2026-11-20T01:02:03Z","eventID":"%b"}',
    "eventID, another one last": b'{"eventID":"%b","eventTime":"2026-11-20T01:02:03Z","eventID":"x"}',
    "eventTime": b'{"eventID":"%b","eventTime":"2025-01-01T01:02:03Z","eventTime":"2026-11-20T01:02:03Z"}',
    "eventTime, none last": b'{"eventID":"%b","eventTime":"2026-11-20T01:02:03Z","eventTime":null}',
    "eventID, escaped": b'{"eventID":"x","event\\u0049D":"%b","eventTime":"2026-11-20T01:02:03Z"}',
    "event and lookup": b'{"eventID":"%b","lookup":{},"event":{"eventTime":"2025-01-01T01:02:03Z"}}',
}


@pytest.mark.parametrize("line", REPEATS.values(), ids=REPEATS)
def test_a_name_that_stands_twice_places_a_line_where_its_document_is(line: bytes) -> None:
    line = line % ID.encode()
    event = parse_line(line)
    assert isinstance(event, Event)
    time = event_time(event)
    assert line_place(line) == (document_id(event), time and format_second(time))


@pytest.mark.promise("no-duplicates")
@pytest.mark.parametrize("event_id", [None, "-", "XXXXXXXXXXX", 7, {}])
def test_without_an_event_id_the_id_is_computed_from_the_content(event_id: Any) -> None:
    """Equal content has equal ids in any order of keys; different content has different ids."""
    one = document_id(Event({"eventID": event_id, "eventName": "a", "b": 1}, {}))
    assert one == document_id(Event({"b": 1, "eventName": "a", "eventID": event_id}, {}))
    assert one != document_id(Event({"b": 2, "eventName": "a", "eventID": event_id}, {}))


@pytest.mark.parametrize(
    ("record", "lookup", "expected"),
    [
        ({"eventTime": "2026-11-20T01:02:03Z"}, {}, datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)),
        ({"eventTime": "2026-13-20T01:02:03Z"}, {"EventTime": "2026-11-20T01:02:03+00:00"}, None),
        ({"a": 1}, {"EventTime": "2026-11-20T01:02:03+00:00"}, datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)),
        ({"@timestamp": "2026-11-20T01:02:03.5Z"}, {}, datetime(2026, 11, 20, 1, 2, 3, 500_000, tzinfo=UTC)),
        ({"eventTime": "Aug 16, 2018 7:12:08 AM"}, {}, None),
        ({"eventTime": 1_542_000_000}, {}, None),
        ({}, {}, None),
    ],
)  # fmt: skip
def test_the_time_is_the_events_own(
    record: dict[str, Any], lookup: dict[str, Any], expected: datetime | None
) -> None:
    """eventTime, else @timestamp; LookupEvents' EventTime only if nothing else makes the object an event."""
    assert event_time(Event(record, lookup)) == expected
