"""Events: what one line of a staged part holds, and who and when an event is."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core import codec

PLAIN_BYTES: Final = 4_096
"""A text of so many bytes does not reach the longest term, however it is encoded and whatever its path."""

USUAL_TIME: Final = (
    r"[1-9]\d{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ"
)
"""A time as CloudTrail writes it, to the second and in UTC; but for the 29th of February."""

_HEX: Final = "[0-9a-fA-F]"
UUID: Final = re.compile(f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}").fullmatch

_is_usual_time: Final = re.compile(USUAL_TIME, re.ASCII).fullmatch
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")


class Event(msgspec.Struct, frozen=True):
    """A CloudTrail record, with what LookupEvents wrote around it (empty where it came from a file)."""

    record: dict[str, Any]
    lookup: dict[str, Any]
    is_plain: bool = False
    """Whether no text or name in it is long, or beyond ASCII: so each is known to fit into any field for texts."""


@dataclass(frozen=True, slots=True)
class LookedUpEvent:
    """An event as it is staged: its line, and by what it is told from others."""

    id: str
    time: datetime
    line: bytes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that holds no event: it is quarantined whole, with the reason."""

    text: str
    reason: str


def parse_line(line: bytes | str) -> Event | Unreadable:
    """Read a line: a staged one (``{"lookup": …, "event": …}``) or a bare CloudTrail record."""
    try:
        value = codec.decode(line)
    except ValueError as error:
        return Unreadable(_text(line), f"not JSON: {error}")
    if not isinstance(value, dict):
        return Unreadable(_text(line), f"not a JSON object but {type(value).__name__}")
    is_plain = isinstance(line, bytes) and is_plain_line(line)
    if len(value) == 2 and "event" in value and isinstance(value.get("lookup"), dict):
        if isinstance(value["event"], dict):
            return Event(value["event"], value["lookup"], is_plain)
        return Unreadable(_text(line), "CloudTrailEvent is not a JSON object")
    return Event(value, {}, is_plain)


def is_plain_line(line: bytes) -> bool:
    """Whether no text in a line is long, or beyond ASCII; a no is not certain."""
    if not line.isascii() or (b"\\" in line and (b"\\u" in line or (len(line) > PLAIN_BYTES and b'\\"' in line))):
        return False
    return len(line) <= PLAIN_BYTES or max(map(len, line.split(b'"'))) <= PLAIN_BYTES


def staged_event(line: bytes) -> LookedUpEvent:
    """Read a staged line back.

    :raises msgspec.MsgspecError: it is none
    """
    lookup = _decode_line(line).lookup
    return LookedUpEvent(lookup.EventId, lookup.EventTime, line)


class _Lookup(msgspec.Struct):
    EventId: str
    EventTime: datetime


class _Line(msgspec.Struct):
    lookup: _Lookup


class _Named(msgspec.Struct):
    id: str = msgspec.field(name="eventID")


class _NamedLine(msgspec.Struct, forbid_unknown_fields=True):
    lookup: dict[str, msgspec.Raw]
    event: _Named


_decode_named = msgspec.json.Decoder(_NamedLine).decode
_decode_line = msgspec.json.Decoder(_Line).decode


def _text(line: bytes | str) -> str:
    return line if isinstance(line, str) else line.decode("utf-8", "backslashreplace")


def document_id(event: Event) -> str:
    """Return the eventID, or, where it is missing or was blanked out, a name made from the content.

    Equal events always get equal ids, whatever the order of their keys, so a re-run writes the same documents.
    """
    own = event.record.get("eventID")
    if type(own) is str and UUID(own):
        return own
    for candidate in (own, event.lookup.get("EventId")):
        if isinstance(candidate, str) and UUID(candidate):
            return candidate
    return content_id(codec.canonical(event.record))


def line_id(line: bytes) -> str:
    """Return the name of a line's document, or, where it holds no event, the name it has in quarantine."""
    if line.isascii():  # what no text can be read from would not be noticed otherwise
        try:
            own = _decode_named(line).event.id
        except (msgspec.MsgspecError, RecursionError):
            own = ""
        if UUID(own):
            return own
    event = parse_line(line)
    return document_id(event) if isinstance(event, Event) else content_id(line)


def content_id(content: bytes) -> str:
    """Return a name for what has no eventID."""
    return f"sha256-{hashlib.sha256(content).hexdigest()}"


def event_time(event: Event) -> datetime | None:
    """Return when the event happened, in UTC: its eventTime, else ``@timestamp``, else what LookupEvents says."""
    for candidate in (
        event.record.get("eventTime"),
        event.record.get("@timestamp"),
        event.lookup.get("EventTime"),
    ):
        time = parse_time(candidate)
        if time is not None:
            return time
    return None


def is_usual_time(value: Any) -> bool:
    """Whether a value is a time as CloudTrail writes it, to the second and in UTC; a no means to look closer."""
    return type(value) is str and _is_usual_time(value) is not None


def parse_time(value: Any) -> datetime | None:
    """Return the UTC time that an ISO 8601 text with a zone stands for; None for anything else."""
    if is_usual_time(value):
        return datetime.fromisoformat(value)
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
