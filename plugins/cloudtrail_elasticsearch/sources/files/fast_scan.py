"""Finds the ends of complete JSON values with msgspec, at nearly a gigabyte a second.

msgspec decodes a value, and then raises an error with the position of the text that follows. Decoding into the
type of an event also checks in the same pass that the value is an event: an object with eventVersion and eventID.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from cloudtrail_elasticsearch.core.encoding import typed


class _Event(msgspec.Struct, gc=False):
    """An event. Records that Lambda gets from streams are not: they have eventVersion and eventID too."""

    version: str = msgspec.field(name="eventVersion")
    id: str = msgspec.field(name="eventID")
    kinesis: None = None
    dynamodb: None = None
    s3: None = None


class _Staged(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    lookup: dict[str, msgspec.Raw]
    event: _Event


_Read: TypeAlias = Callable[[bytes | memoryview], Any]
_read: Final = typed.make_decode(msgspec.Raw)
_read_event: Final = typed.make_decode(_Event)
_read_staged: Final = typed.make_decode(_Staged)
_NOT_READ: Final = (msgspec.MsgspecError, ValueError, RecursionError)
_FOLLOWED: Final = "JSON is malformed: trailing characters (byte "

STAGED: Final = b'{"lookup":'
_COMMA: Final = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+")
_BLANKS: Final = re.compile(rb"[ \t\r\n]*+")


class Events(list[bytes]):
    """Verified events, each on one line and in UTF-8, all staged or all bare; `end` is the position after them."""

    end: int
    is_followed: bool
    """Whether a comma follows the last event, in a list."""


def is_event(text: bytes) -> bool:
    """Return whether a text is certainly one event on one line; False means unknown."""
    try:
        _choose_decoder(text, 0)(text)
    except _NOT_READ:
        return False
    return b"\n" not in text and is_utf8(text)


def scan_lines(text: bytes, at: int) -> Events:
    """Return the events from `at` on, as long as each is on its own line."""
    read = _choose_decoder(text, at)
    events = Events()
    while text.startswith(b"{", at) and (end := text.find(b"\n", at)) >= 0:
        # Without the carriage return of a Windows line end.
        line = text[at:end].rstrip()
        try:
            read(line)
        except _NOT_READ:
            # Not an event on one line: the splitter looks for any other value here.
            break
        # msgspec does not check the strings that it skips.
        if not is_utf8(line):
            break
        events.append(line)
        at = end + 1
    events.end = at
    return events


def scan_row(text: bytes, at: int) -> Events:
    """Return the events from `at` on, as long as only blanks separate them."""
    return _scan_separated(text, at, _BLANKS)


def scan_list(text: bytes, at: int) -> Events:
    """Return the events from `at` on, as long as commas separate them."""
    return _scan_separated(text, at, _COMMA)


def _scan_separated(text: bytes, at: int, between: re.Pattern[bytes]) -> Events:
    read = _choose_decoder(text, at)
    events = Events()
    events.is_followed = True
    while text.startswith(b"{", at) and (end := _find_end(read, text, at)) is not None:
        event = text[at:end].rstrip()
        # msgspec does not check the strings that it skips.
        if not is_utf8(event):
            break
        events.append(join_lines(event))
        found = between.match(text, end)
        at = found.end() if found else end
        if found is None:
            events.is_followed = False
            break
    events.end = at
    return events


def join_lines(text: bytes) -> bytes:
    """Return a JSON text without line ends; JSON allows them only between tokens."""
    return b"".join(map(bytes.strip, text.splitlines())) if b"\n" in text or b"\r" in text else text


def find_value_end(text: bytes, at: int) -> int | None:
    """Return the end of the value at `at`, with the blanks after it; None if msgspec does not find it."""
    return _find_end(_read, text, at)


def is_utf8(text: bytes) -> bool:
    """Return whether a text is UTF-8; msgspec does not check strings that it skips."""
    try:
        return text.isascii() or text.decode() is not None
    except UnicodeDecodeError:
        return False


def _choose_decoder(text: bytes, at: int) -> _Read:
    # The first event decides. A scan ends at an event of the other form, and the splitter starts another scan.
    return _read_staged if text.startswith(STAGED, at) else _read_event


def _find_end(read: _Read, text: bytes, at: int) -> int | None:
    if _OFFSET is None:
        return None
    try:
        # A view, because a copy of the remaining text for each value would cost more than reading it.
        read(memoryview(text)[at:])
    except _NOT_READ as error:
        length = _parse_position(error)
        # The error is about the text that follows, so the value before it is sound.
        return None if length is None else at + length - _OFFSET
    return len(text)


def _parse_position(error: Exception) -> int | None:
    words = str(error)
    return int(words[len(_FOLLOWED) : -1]) if words.startswith(_FOLLOWED) else None


def _measure_offset() -> int | None:
    """Return how far msgspec's reported position is past the next value; None if it reports no position."""
    two = b"{} {}"
    try:
        _read(two)
    except msgspec.DecodeError as error:
        length = _parse_position(error)
        return None if length is None else length - two.rindex(b"{")
    return None


_OFFSET: Final = _measure_offset()
"""The position is parsed from an error's text. If another version changes the text, `Scanner` finds all ends."""
