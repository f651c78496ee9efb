"""One log file: its events, its hash, and damage."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import tracemalloc
import uuid
import zlib

import pytest

from cloudtrail_elasticsearch.sources.trail.log_file import LogFileContent

KEY = "k.json.gz"


def event(number: int) -> bytes:
    identifier = str(uuid.UUID(int=number))
    return json.dumps({"eventVersion": "1.08", "eventID": identifier, "eventName": "X"}).encode()


EVENTS = [event(number) for number in range(2000)]
TEXT = b'{"Records":[' + b",".join(EVENTS) + b"]}"
SHA256 = hashlib.sha256(TEXT).hexdigest()


def test_the_events_are_the_lines_and_the_hash_is_that_of_the_content() -> None:
    content = LogFileContent(KEY, gzip.compress(TEXT))
    assert list(content.lines()) == EVENTS
    assert (content.sha256, content.problem) == (SHA256, None)


def test_an_empty_log_file_is_sound() -> None:
    content = LogFileContent(KEY, gzip.compress(b'{"Records":[]}'))
    assert list(content.lines()) == []
    assert content.problem is None


def test_records_are_split_without_a_change_of_a_byte() -> None:
    """Spaces, escapes and long numbers inside of an event stay as they are."""
    odd = b'{ "eventVersion":"1.08","eventID":"a" , "x": 1.000000000000000000000000001, "y":"\\u00e9\xc3\xa9" }'
    content = LogFileContent(KEY, gzip.compress(b'{"Records": [ ' + odd + b" ]}"))
    assert list(content.lines()) == [odd]


def test_aggregated_events_are_lines_too() -> None:
    """They have eventId, and no eventID and eventTime."""
    summary = b'{"eventVersion":"1.0","eventId":"%b","timeWindow":{}}' % str(uuid.UUID(int=7)).encode()
    content = LogFileContent(KEY, gzip.compress(b'{"Records":[%b,%b]}' % (summary, EVENTS[0])))
    assert list(content.lines()) == [summary, EVENTS[0]]
    assert content.problem is None


@pytest.mark.promise("nothing-lost")
def test_the_events_before_a_cut_are_read_and_the_damage_is_reported() -> None:
    packed = gzip.compress(TEXT)
    content = LogFileContent(KEY, packed[: len(packed) // 2])
    lines = list(content.lines())
    assert 100 < len(lines) < 2000
    assert lines[:-1] == EVENTS[: len(lines) - 1]
    assert content.sha256 is None
    assert content.problem is not None
    assert "gzip data is cut short" in content.problem


def test_the_events_of_a_second_member_are_read_but_no_hash_covers_it() -> None:
    content = LogFileContent(KEY, gzip.compress(TEXT) + gzip.compress(b'{"Records":[%b]}' % event(9999)))
    assert list(content.lines()) == [*EVENTS, event(9999)]
    assert content.sha256 is None


@pytest.mark.parametrize("tail", [b"\0", b"more"])
def test_bytes_after_the_end_have_no_hash(tail: bytes) -> None:
    content = LogFileContent(KEY, gzip.compress(TEXT) + tail)
    assert list(content.lines()) == EVENTS
    assert content.sha256 is None


def test_a_log_file_that_was_unpacked_in_place_is_read_without_a_hash() -> None:
    content = LogFileContent(KEY, TEXT)
    assert list(content.lines()) == EVENTS
    assert (content.sha256, content.problem) == (None, None)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"not gzip", "1 of its values are not events: they are quarantined"),
        (gzip.compress(b'{"Records":[{"eventVersion":"1","eventID":"a"}'), "a list is not closed"),
        (b"\x1f\x8b broken", "gzip data is"),
        (gzip.compress(b'{"digestStartTime":"x","logFiles":[]}'), "objects that are not events.*digest files"),
        (b"", "it is empty: restore"),
        (gzip.compress(b""), "it is empty: restore"),
    ],
)
def test_damage_is_reported_without_its_content(body: bytes, words: str) -> None:
    content = LogFileContent(KEY, body)
    list(content.lines())
    assert content.problem is not None
    assert re.search(words, content.problem)
    assert "broken" not in content.problem


def test_an_object_without_content_is_damaged_for_the_hash_too() -> None:
    """Without digests, nothing else would show that its events are lost."""
    content = LogFileContent(KEY, b"")
    content.hash()
    assert content.problem is not None
    assert "it is empty" in content.problem


@pytest.mark.promise("bounded")
def test_a_small_object_that_unpacks_to_much_needs_little_memory() -> None:
    """100 MB of blanks, in 100 kB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = packer.compress(b'{"Records":[')
    for _ in range(100):
        body += packer.compress(b" " * 1_000_000)
    content = LogFileContent(KEY, body + packer.compress(b"]}") + packer.flush())
    tracemalloc.start()
    assert list(content.lines()) == []
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 10 * 1024 * 1024
    assert content.sha256 is not None


def test_a_hash_without_events_reports_damage() -> None:
    packed = gzip.compress(TEXT)
    sound, cut = LogFileContent(KEY, packed), LogFileContent(KEY, packed[:-20])
    sound.hash()
    cut.hash()
    assert (sound.sha256, sound.problem) == (SHA256, None)
    assert cut.sha256 is None
    assert cut.problem is not None
