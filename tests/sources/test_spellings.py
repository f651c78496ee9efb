"""Every form of a file gives exactly its events, however the file is divided into pieces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.documents.events import Event, parse_line
from cloudtrail_elasticsearch.sources.files.reader import Reader
from cloudtrail_elasticsearch.sources.files.report import FileReport
from tests.core.strategies import values
from tests.examples import examples
from tests.sources.spellings import SPELLINGS, STAGED_SPELLINGS, Spelling

ALL = SPELLINGS | STAGED_SPELLINGS


def event(number: int, **others: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "eventTime": "2026-11-20T10:00:00Z",
        "eventName": "RunInstances",
        **others,
    }


EVENTS = [
    event(1, requestParameters={"a": [{"b": '"}],{ \\ \n'}, []], "big": 2**70, "deep": {"x": [[1, 2], {}]}}),
    event(2, userAgent="Zürich 東京 😀", errorMessage='{"Records": [{}]}'),
    event(3, requestParameters={"Records": [{"x": 1}], "hits": {"hits": [1]}, "events": []}),
]


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


def read(content: bytes, size: int = 1 << 18) -> tuple[list[bytes], FileReport]:
    report = FileReport("f")
    return list(Reader(report).lines(pieces(content, size))), report


def read_records(content: bytes, size: int = 1 << 18) -> list[dict[str, Any]]:
    found, report = read(content, size)
    assert report.error is None
    assert report.unreadable == 0
    assert report.read == len(found)
    assert not any(b"\n" in line for line in found)
    events = [parse_line(line) for line in found]
    return [parsed.record for parsed in events if isinstance(parsed, Event)]


@pytest.mark.parametrize("size", [1, 7, 1 << 18])
@pytest.mark.parametrize("spelling", ALL.values(), ids=ALL)
def test_every_form_gives_its_events(spelling: Spelling, size: int) -> None:
    """In the file's order, each once, and nothing else."""
    assert read_records(spelling(EVENTS), size) == EVENTS


@pytest.mark.parametrize("spelling", ALL.values(), ids=ALL)
def test_one_event_is_no_special_case(spelling: Spelling) -> None:
    assert read_records(spelling(EVENTS[:1])) == EVENTS[:1]


@pytest.mark.parametrize("spelling", STAGED_SPELLINGS.values(), ids=STAGED_SPELLINGS)
def test_members_of_lookup_events_are_kept(spelling: Spelling) -> None:
    """In the form in which this loader stages them: the same names, the time in UTC."""
    lines, _ = read(spelling(EVENTS))
    looked_up = [json.loads(line)["lookup"] for line in lines]
    assert [lookup["EventId"] for lookup in looked_up] == [event["eventID"] for event in EVENTS]
    for lookup in looked_up:
        assert lookup.get("EventTime", "2026-11-20T10:00:00+00:00") == "2026-11-20T10:00:00+00:00"
        assert "CloudTrailEvent" not in lookup


def test_an_event_keeps_its_own_bytes() -> None:
    """A decoder would lose repeated names, long numbers and blanks."""
    odd = b'{"eventVersion":"1.08", "eventID":"x","a":1.00,"a":12345678901234567890123,"b":{"c":1,"c":2e400}}'
    for content in (odd, b"[%b]" % odd, b'{"Records":[%b,%b]}' % (odd, odd), b'{"x":1,"Records":[%b]}' % odd):
        lines, _ = read(content)
        assert set(lines) == {odd}
    for wrapped in (b'{"detail-type":"x","detail":%b}', b'{"_source":%b}', b'{"lookup":{},"event":%b}'):
        lines, _ = read(wrapped % odd)
        assert odd in lines[0]


def test_events_that_msgspec_rejects_are_read_too() -> None:
    """NaN and half a surrogate pair, between valid events."""
    odd = [b'{"eventVersion":"1.08","eventID":"x","a":NaN}', b'{"eventID":"y","b":"\\ud800"}']
    fine = b'{"eventVersion":"1.08","eventID":"z"}'
    for content in (b",".join([*odd, fine]), b" ,\n".join([fine, *odd, fine])):
        lines, report = read(b'{"Records":[%b]}' % content)
        assert [line for line in lines if line != fine] == odd
        assert report.error is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n \n",
        b"\xef\xbb\xbf",
        b"[]",
        b'{"Records":[]}',
        b'{"Records":null}',
        b'{ "Records" : [ ] }',
        b'{"Events":[]}',
        b'{"Records":[],"Events":[]}',
        b"[[],[[]]]",
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_nothing_is_nothing(content: bytes, size: int) -> None:
    lines, report = read(content, size)
    assert (lines, report.read, report.error) == ([], 0, None)


identifiers = st.uuids().map(str)
odd_events = st.fixed_dictionaries(
    {"eventVersion": st.sampled_from(["1.08", "1.11"]), "eventID": identifiers, "eventName": st.just("A")},
    optional={
        "requestParameters": values,
        "responseElements": values,
        "additionalEventData": values,
        "errorMessage": values,
    },
).map(lambda value: json.loads(json.dumps(value)))


@settings(max_examples=examples(150))
@given(
    events=st.lists(odd_events, min_size=1, max_size=4),
    name=st.sampled_from(sorted(ALL)),
    size=st.integers(1, 400),
)
def test_any_events_are_read_in_any_form_and_pieces(events: list[dict[str, Any]], name: str, size: int) -> None:
    """Exactly these events are returned."""
    try:
        content = ALL[name](events)
    except UnicodeEncodeError:  # half a surrogate pair has no encoding
        return
    if "beyond ASCII" in name and not _is_utf8(content):
        return
    assert read_records(content, max(size, len(content) // 200)) == events


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
