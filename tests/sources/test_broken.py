"""Broken files: every readable event is read, the rest is reported, and no content is quoted."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.events import Unreadable, parse_line
from cloudtrail_elasticsearch.sources.files.reader import MOST_WRAPPERS
from cloudtrail_elasticsearch.sources.files.report import MOST_PROBLEMS, FileReport
from tests.sources.spellings import b64, compact, ndjson, notified, pretty, records, text_of
from tests.sources.test_spellings import EVENTS, read

EVENT = compact(EVENTS[0])
PIECES = pytest.mark.parametrize("size", [1, 1 << 18])


def ids(lines: list[bytes]) -> list[str]:
    """Return the eventIDs of the lines that are events."""
    found = []
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and "eventID" in value:
            found.append(value["eventID"])
    return found


WANTED = [event["eventID"] for event in EVENTS]


@PIECES
@pytest.mark.parametrize(
    "broken",
    [
        b"not json",
        b"12",
        b"null",
        b"}",
        b'{"eventID":"cut',
        b'{"eventID":"cut","a":[',
        b'{"eventID":"cut","a":{"b":',
        b'{"eventID":"cut","a":1,',
        b'{"eventID":"cut","a":[1,',
        b'{"eventID":"cut","a":[{"b":1}',
        b'{"eventID":"cut"]',
        b'{"Records":[{"eventVersion":"1.08","eventID":"cut","a":"',
        b'{"Records":[{"eventVersion":"1.08","eventID":"cut"},',
        b'{"Records":[',
        b'"text',
        b'{"eventID":"cut","a":"\x01"}',
        b'{"eventID":"cut"}\0\0\0',
    ],
)
def test_a_broken_line_does_not_affect_others(broken: bytes, size: int) -> None:
    """It is reported, and the lines before and after it are read."""
    for before in range(3):
        events = list(map(compact, EVENTS))
        lines, report = read(b"\n".join([*events[:before], broken, *events[before:]]), size)
        assert [found for found in ids(lines) if found != "cut"] == WANTED
        assert not report.is_sound


@PIECES
def test_a_truncated_file_still_gives_its_complete_events(size: int) -> None:
    """Cut at any byte: complete events are read, and the rest is reported."""
    for content in (records(EVENTS), ndjson(EVENTS), pretty(EVENTS)):
        step = 1 if size > 1 else 37
        for cut in range(1, len(content.rstrip()), step):
            text = content[:cut]
            lines, report = read(text, size)
            whole = [event for event in EVENTS if _is_whole(text, event)]
            assert ids(lines)[: len(whole)] == [event["eventID"] for event in whole]
            is_between = text.rstrip().endswith(b"}") and text.startswith(b'{"eventV')
            assert is_between or not report.is_sound


def _is_whole(text: bytes, event: dict[str, Any]) -> bool:
    return compact(event) in text or b"\n    " + b"\n    ".join(pretty(event).splitlines()) in text


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_data_that_are_cut_short_or_damaged(pack: Any) -> None:
    content = pack(b"".join(records([event]) for event in EVENTS * 400))
    lines, report = read(content[: len(content) // 2])
    assert set(ids(lines)) <= set(WANTED)
    assert "cut short" in str(report.error)
    damaged = bytearray(content)
    damaged[-6] ^= 0xFF  # within the checksum
    _, report = read(bytes(damaged))
    assert "damaged" in str(report.error)


def test_what_follows_gzip_data_is_reported() -> None:
    lines, report = read(gzip.compress(records(EVENTS)) + b"garbage")
    assert ids(lines) == WANTED
    assert "not gzip follows" in str(report.error)


@PIECES
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"Records":[%b,]}' % EVENT, "an extra comma"),
        (b'{"Records":[,%b]}' % EVENT, "an extra comma"),
        (b'{"Records":[%b %b]}' % (EVENT, EVENT), "a comma is missing"),
        (b"[%b" % EVENT, "cut short"),
        (b'{"Records":[%b]' % EVENT, "cut short"),
        (b'{"Records":[%b]]}' % EVENT, "damaged"),
        (b"%b}" % EVENT, "an unexpected bracket or comma"),
        (b"%b,\n%b,\n" % (EVENT, EVENT), "an unexpected bracket or comma"),
        (b'{"Records":[%b]{"Records":[%b]}' % (EVENT, EVENT), "damaged"),
    ],
)
def test_a_malformed_list_is_reported(content: bytes, problem: str, size: int) -> None:
    """With its position; its events are read."""
    lines, report = read(content, size)
    assert set(ids(lines)) == {EVENTS[0]["eventID"]}
    assert len(ids(lines)) == content.count(EVENT)
    assert problem in str(report.error)
    assert "at byte" in str(report.error)


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.json"))
    return buffer.getvalue()


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("a.json", records(EVENTS))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (archive(), "ZIP"),
        (tar(), "tar"),
        (gzip.compress(tar()), "tar"),
        (b"\x28\xb5\x2f\xfd" + bytes(90), "zstd"),
        (b"PAR1" + bytes(90), "Parquet"),
        (b"\x89PNG\r\n\x1a\n" + bytes(90), "not text"),
        (b"\xff\xfe{\x00\x00\xd8\x22\x00", "not valid UTF-16"),
        (
            gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(b"{}"))))),
            "more than 4 layers of compression",
        ),
    ],
)
def test_data_that_is_not_text_is_reported(content: bytes, named: str) -> None:
    """Once, and no part of it is read as an event."""
    lines, report = read(content)
    assert [line for line in lines if line != b"{"] == []
    assert named in str(report.error)


def test_a_value_past_the_limit_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events before and after it are read. The value is reported with its position, wherever it is."""
    from cloudtrail_elasticsearch.sources.files import split

    monkeypatch.setattr(split.Splitter.__init__, "__defaults__", (5_000,))
    long = compact({**EVENTS[0], "eventID": "long", "x": ["y"] * 3_000})
    events = list(map(compact, EVENTS))
    for size in (100, 1 << 18):
        for content in (
            b"\n".join([events[0], long, *events[1:]]),
            b"".join([events[0], long, *events[1:]]),
            b'{"Records":[%b]}' % b",".join([events[0], long, *events[1:]]),
            b"\n".join([events[0], b"z" * 9_000, *events[1:]]),
            b"\n".join([events[0], b'{"a":"%b' % (b"z" * 9_000), *events[1:]]),
            b"\n".join([*events, b'{"a":"%b' % (b"z" * 9_000)]),
        ):
            lines, report = read(content, size)
            assert [found for found in ids(lines) if found != "long"] == WANTED
            is_held = any(len(line) > 5_000 for line in lines)
            assert is_held or "more than 5000 bytes" in str(report.error)
            assert size > 100 or not is_held


def test_wrappers_have_a_limit() -> None:
    """An event in that many wrappers is read, one in one more is reported."""
    wrapped: Any = EVENTS[0]
    for _ in range(MOST_WRAPPERS):
        wrapped = notified(wrapped)
    assert ids(read(compact(wrapped))[0]) == [EVENTS[0]["eventID"]]
    lines, report = read(compact(notified(wrapped)))
    assert lines == []
    assert "wrappers around it" in str(report.error)


def test_nested_lists_do_not_crash_the_reader() -> None:
    """At any depth: beyond the limit on open lists the rest is one value."""
    for depth in (10, 1_000, 100_000):
        lines, report = read(b"[" * depth + EVENT + b"]" * depth + b"\n" + EVENT)
        assert ids(lines)[-1:] == [EVENTS[0]["eventID"]]
        assert report.is_sound == (depth == 10)


@pytest.mark.promise("bounded")
def test_data_that_unpack_to_too_much_are_reported() -> None:
    """A small record of a stream cannot fill the memory."""
    bomb = b64(gzip.compress(b" " * (65 * 1024 * 1024)))
    lines, report = read(compact({"Records": [{"kinesis": {"data": bomb}}, EVENTS[0]]}))
    assert ids(lines) == [EVENTS[0]["eventID"]]
    assert "unpacks to more than" in str(report.error)


def test_data_that_are_not_base64_are_reported() -> None:
    lines, report = read(compact({"records": [{"recordId": "1", "data": "$$$"}, {"data": b64(EVENT)}]}))
    assert ids(lines) == [EVENTS[0]["eventID"]]
    assert "Firehose" in str(report.error)


@pytest.mark.promise("closed")
def test_no_content_is_quoted() -> None:
    """Neither in an error nor in a count."""
    for content in (
        b"s3cret\n",
        b'{"a":"s3cret',
        b'[{"a":"s3cret"},]',
        b"\x00s3cret",
        b'{"a": s3cret}\n',
        b"s3cret}{",
    ):
        _, report = read(content)
        assert not report.is_sound
        assert "s3cret" not in json.dumps(report.as_json())


def test_many_problems_are_counted() -> None:
    """A file full of problems does not make an endless report."""
    report = FileReport("f")
    for number in range(1000):
        report.add_problem(f"problem {number}")
    assert str(report.error).count(";") == MOST_PROBLEMS
    assert str(report.error).endswith(f"{1000 - MOST_PROBLEMS} more problems")


def test_a_file_made_to_be_reread_takes_linear_time() -> None:
    """Each line opens a list. No line is hidden, and the work is not the square of the number of lines."""
    lines, report = read(b'{"a":[\n' * 20_000)
    assert not report.is_sound
    assert len(lines) <= 20_000


FIRST, SECOND = ({"eventID": f"id-{n}", "eventName": "A", "eventTime": "2026-11-20T10:00:00Z"} for n in (1, 2))


def twice(name: str, first: Any, second: Any, **others: Any) -> bytes:
    """Return an object with a repeated name."""
    around = text_of(others)[1:-1]
    members = [f'"{name}": {text_of(value)}' for value in (first, second)]
    return f"{{{', '.join([around, *members] if around else members)}}}".encode()


AMBIGUOUS = {
    "EventBridge": twice("detail", FIRST, SECOND, **{"detail-type": "x"}),
    "CloudWatch Logs event": twice("message", text_of(FIRST), text_of(SECOND), timestamp=1),
    "lookup-events": twice("CloudTrailEvent", text_of(FIRST), text_of(SECOND)),
    "lookup-events, what is around": twice("Username", "ada", "bob", CloudTrailEvent=text_of(FIRST)),
    "Kinesis": twice("kinesis", {"data": b64(compact(FIRST))}, {"data": b64(compact(SECOND))}, eventID="x"),
    "Firehose": twice("data", b64(compact(FIRST)), b64(compact(SECOND)), recordId="1"),
    "SNS": twice("Message", text_of(FIRST), text_of(SECOND), Type="Notification", TopicArn="t"),
    "SQS": twice("Body", text_of(FIRST), text_of(SECOND), MessageId="m"),
    "search document": twice("_source", FIRST, SECOND, _index="i"),
}


@pytest.mark.parametrize("wrapper", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_a_wrapper_with_a_repeated_name_is_quarantined_whole(wrapper: bytes) -> None:
    """One of the two values would be lost silently."""
    lines, report = read(wrapper + b"\n" + compact(FIRST))
    assert len(lines) == 2
    assert json.loads(lines[0]) == [json.loads(wrapper)]
    assert isinstance(parse_line(lines[0]), Unreadable)
    assert (report.unreadable, report.is_sound) == (1, False)
    assert "has a duplicate name" in str(report.error)


DAMAGED_DOCUMENTS = {
    "a name twice": b'{"overflow": {"a": 1}, "eventName": "A", "eventName": "B"}',
    "unindexed is no list": b'{"unindexed": 7, "eventName": "A"}',
    "an entry is no JSON": b'{"unindexed": [{"json": "x"}], "eventName": "A"}',
    "an entry is no object": b'{"unindexed": [{"json": "7"}], "eventName": "A"}',
    "an entry without a place": b'{"unindexed": [{"json": "{}"}], "eventName": "A"}',
    "a place that is not there": (
        b'{"unindexed": [{"json": "{\\"at\\": [\\"x\\", 2], \\"value\\": 3}"}], "eventName": "A"}'
    ),
    "a place in a scalar": (
        b'{"unindexed": [{"json": "{\\"at\\": [\\"eventName\\", 2], \\"value\\": 3}"}], "eventName": "A"}'
    ),
    "normalization is no object": b'{"normalization": 7, "eventName": "A"}',
    "a change that is none": b'{"normalization": {"changes": [7]}, "eventName": "A"}',
    "lists of two lengths": b'{"overflow": {"a": [1]}, "a": [2, 3], "eventName": "A"}',
}


@pytest.mark.parametrize("document", DAMAGED_DOCUMENTS.values(), ids=DAMAGED_DOCUMENTS)
@pytest.mark.parametrize("around", [b'{"_index": "i", "_source": %b}', b'{"index": {}}\n%b'])
def test_a_damaged_document_costs_no_other(document: bytes, around: bytes) -> None:
    lines, report = read(around % document + b"\n" + compact(FIRST))
    assert lines == [compact(FIRST)]
    assert "a document" in str(report.error)
