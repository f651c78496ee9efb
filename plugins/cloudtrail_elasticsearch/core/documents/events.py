"""Events: the content of one line of a staged part, and an event's id and time.

Over 300 lines, because every shape of a line and its id and time are decided in one place.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.documents.times import format_second, parse_time, read_second
from cloudtrail_elasticsearch.core.encoding import codec, typed
from cloudtrail_elasticsearch.core.encoding.codec import MAX_LEVELS, Verbatim

SHORT_TEXT: Final = 4_096
"""Characters of an ASCII text that always fits into a term, however it is encoded and whatever its path."""

_HEX: Final = "[0-9a-fA-F]"
# Not `uuid.UUID`, which also accepts braces, prefixes and missing hyphens.
UUID: Final = re.compile(f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}").fullmatch

EVENT_NAMES: Final = ("eventID", "eventId", "eventName", "eventTime", "timeWindow")
"""Every CloudTrail record has a value under one of these names; aggregated events under the second and the last.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aggregated-events.html
"""

_LOOKUP_NAMES: Final = ("EventId", "EventName", "EventTime")
"""LookupEvents returns a value under one of these names beside every event."""

_AROUND: Final = frozenset({"lookup", "event"})  # the names of a staged line


class Event(msgspec.Struct, frozen=True):
    """A CloudTrail record, and the fields that LookupEvents returned beside it (none if it came from a file).

    The document follows from the record alone, so that it is the same whichever the source (ADR-0019).
    """

    record: dict[str, Any]
    lookup: dict[str, Any]
    has_short_texts: bool = False
    """Whether its line is known to have short texts only, so that the walk need not check each."""
    earlier: tuple[tuple[str, Verbatim], ...] = ()
    """Repeated names of the record, each with the text of an earlier value; `record` has the last one."""


@dataclass(frozen=True, slots=True)
class LookedUpEvent:
    """An event as it is staged: its line, id and time."""

    id: str
    time: datetime | None
    """None if neither LookupEvents nor the record has a time that can be read."""
    line: bytes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line without an event: the whole line is quarantined, with the reason."""

    text: str
    reason: str


def parse_line(line: bytes | str) -> Event | Unreadable:
    """Read a line: a staged one (``{"lookup": …, "event": …}``) or a bare CloudTrail record.

    An object is an event if it has a value for one of `EVENT_NAMES`, or if LookupEvents returned it as one.
    """
    event = parse_object(line)
    if isinstance(event, Unreadable) or _has_one(event.record, EVENT_NAMES):
        return event
    if _has_one(event.lookup, _LOOKUP_NAMES):
        return event
    return Unreadable(_text(line), f"not a CloudTrail event: it has none of {', '.join(EVENT_NAMES)}")


def _has_one(value: dict[str, Any], names: tuple[str, ...]) -> bool:
    return any(value.get(name) is not None for name in names)


def parse_object(line: bytes | str) -> Event | Unreadable:
    """Read a line as `parse_line` does, but accept an object that is not an event."""
    try:
        value = codec.decode(line)
    except ValueError as error:
        return Unreadable(_text(line), f"not JSON: {error}")
    if _is_staged(value):
        return _parse_staged(line, value)
    event = _read_record(value, {}, line)
    if event is None:
        return Unreadable(_text(line), f"not a JSON object but {type(value).__name__}")
    # A staged line that repeats `lookup` or `event` is decoded as a `Verbatim`, so the test above missed it.
    if event.earlier and event.record.keys() == _AROUND:
        return Unreadable(_text(line), f"the name {event.earlier[0][0]} occurs twice outside the event")
    return event


def _is_staged(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == _AROUND and isinstance(value["lookup"], dict | Verbatim)


def _parse_staged(line: bytes | str, value: dict[str, Any]) -> Event | Unreadable:
    """Read a decoded staged line; its record may be one level deeper, so that it is the same event as alone."""
    if codec.is_deep(line):
        # A bare record is at level 1, and here at level 2.
        value = codec.decode(line, MAX_LEVELS + 1)
    lookup = value["lookup"]
    # If it repeats a name, it stayed text. The event is whole without it.
    event = _read_record(value["event"], {} if isinstance(lookup, Verbatim) else lookup, line)
    return event or Unreadable(_text(line), "CloudTrailEvent is not a JSON object")


def _read_record(value: Any, lookup: dict[str, Any], line: bytes | str) -> Event | None:
    """Return the event whose record is this value; None if it is no object."""
    are_short = isinstance(line, bytes) and has_short_texts(line)
    if isinstance(value, dict):
        return Event(value, lookup, are_short)
    if not isinstance(value, Verbatim) or not value.is_object:
        return None
    # The object stayed text, so one of its own names is repeated.
    members = value.read_members()
    # As in usual decoders, the last value of a repeated name is the record's.
    last = {name: place for place, (name, _) in enumerate(members)}
    # A member is one level below the record.
    record = {name: codec.decode(members[place][1], MAX_LEVELS - 1) for name, place in last.items()}
    earlier = tuple((name, Verbatim(text)) for place, (name, text) in enumerate(members) if last[name] != place)
    return Event(record, lookup, are_short, earlier)


def has_short_texts(line: bytes) -> bool:
    """Whether every text and name in a line is ASCII, and short enough for any field; a no is not certain."""
    if not line.isascii():
        return False
    is_short = len(line) <= SHORT_TEXT
    # An escape can stand for a character beyond ASCII. An escaped quote would split a long text below.
    # `find`, because `in` first tries the bytes as a number, which takes twice as long.
    if line.find(b"\\") >= 0 and (b"\\u" in line or (not is_short and b'\\"' in line)):
        return False
    # Without escaped quotes, the longest text is at most as long as the longest piece between two quotes.
    return is_short or max(map(len, line.split(b'"'))) <= SHORT_TEXT


def staged_event(line: bytes) -> LookedUpEvent:
    """Read a staged line. The id or the time comes from the record if LookupEvents returned none that is valid.

    :raises ValueError: it is not a staged line
    """
    # msgspec decodes recursively, so a deep line needs the codec.
    if codec.is_deep(line):
        return _identified(line)
    try:
        lookup = _decode_line(line).lookup
    except msgspec.MsgspecError:
        return _identified(line)
    # A time without a zone names no instant.
    if not UUID(lookup.EventId) or lookup.EventTime.tzinfo is None:
        return _identified(line)
    return LookedUpEvent(lookup.EventId, lookup.EventTime, line)


def _identified(line: bytes) -> LookedUpEvent:
    """Read a staged line as a whole: it is deep, or the record has the EventId or the EventTime instead."""
    value = codec.decode(line)
    if not _is_staged(value) or not isinstance(value["lookup"], dict):
        raise ValueError("not a staged event")
    lookup, event = value["lookup"], _parse_staged(line, value)
    own = lookup.get("EventId")
    # LookupEvents' id is used although it is no UUID, if there is no record to make a better id from.
    if isinstance(own, str) and own and (UUID(own) or isinstance(event, Unreadable)):
        identifier = own
    else:
        identifier = content_id(line) if isinstance(event, Unreadable) else document_id(event)
    time = parse_time(lookup.get("EventTime"))
    if time is None and isinstance(event, Event):
        time = event_time(event)
    return LookedUpEvent(identifier, time, line)


# Only the needed members: msgspec skips the others without building values.
class _Lookup(msgspec.Struct):
    EventId: str
    EventTime: datetime


class _Line(msgspec.Struct):
    lookup: _Lookup


class _Named(msgspec.Struct):
    id: str = msgspec.field(name="eventID")
    time: str = msgspec.field(name="eventTime", default="")


# With any other name around the event, the line is a bare record and not a staged line.
class _NamedLine(msgspec.Struct, forbid_unknown_fields=True):
    lookup: msgspec.Raw
    event: msgspec.Raw


STAGED: Final = b'{"lookup":{'
"""The beginning of a staged line, as the loader writes it."""

_decode_named_line = typed.make_decode(_NamedLine)
_decode_named = typed.make_decode(_Named)
_decode_line = typed.make_decode(_Line)
_encode = msgspec.json.Encoder().encode


def _text(line: bytes | str) -> str:
    # Bytes that are not UTF-8 become escapes, because the quarantine stores text.
    return line if isinstance(line, str) else line.decode("utf-8", "backslashreplace")


def document_id(event: Event) -> str:
    """Return the event's UUID, or a hash of its content if it has none.

    The UUID is the first valid one of eventID and an aggregated event's eventId. Equal events get equal ids,
    whatever the order of their keys and whichever the source, so a re-run writes the same documents (ADR-0019).
    LookupEvents' EventId is the id only of an object that has none of `EVENT_NAMES`.
    """
    own = event.record.get("eventID")
    # `type` instead of `isinstance`: decoded JSON has no subclasses, and it is faster.
    if type(own) is str and UUID(own):
        return own
    for candidate in (event.record.get("eventId"), _only_lookup(event).get("EventId")):
        if isinstance(candidate, str) and UUID(candidate):
            return candidate
    # Records that differ only in an earlier value are two events, so their ids must differ.
    earlier = [[name, value.text] for name, value in event.earlier]
    whole = [event.record, earlier] if earlier else event.record
    return content_id(codec.canonical(whole))


def line_place(line: bytes) -> tuple[str, str | None]:
    """Return the id of a line's document, and the event's time in UTC, to the second (``2026-11-20T01:02:03Z``).

    If the line holds no event, the id is that of its quarantine entry. The time is None if the event has none.
    They equal `document_id` and `event_time` of the event, but a usual line is not decoded as a whole.
    """
    own = _read_named(line)
    if own is not None:
        second = read_second(own.time)
        # Without a valid eventTime, the time follows from other members of the event, which needs all of it.
        if second is not None:
            return own.id, second
    event = parse_line(line)
    if isinstance(event, Unreadable):
        return content_id(line), None
    time = event_time(event)
    return document_id(event), None if time is None else format_second(time)


def _read_named(line: bytes) -> _Named | None:
    """Return the id and time of a record or of a staged line of the loader; None if it has no eventID."""
    # msgspec skips values without checking that they are UTF-8.
    if not line.isascii() or codec.is_deep(line):
        return None
    try:
        own = _read_named_staged(line) if line.startswith(STAGED) else _decode_named(line)
    except msgspec.MsgspecError:
        return None
    # Without a UUID, the id is made from the whole event.
    return own if own is not None and UUID(own.id) else None


def _read_named_staged(line: bytes) -> _Named | None:
    staged = _decode_named_line(line)
    # Equal bytes prove that no name around the event is repeated.
    return _decode_named(staged.event) if _encode(staged) == line else None


def content_id(content: bytes) -> str:
    """Return an id for content without an eventID."""
    return f"sha256-{hashlib.sha256(content).hexdigest()}"


def event_time(event: Event) -> datetime | None:
    """Return when the event happened, in UTC, or None if it has no time.

    It is the first valid time of eventTime, the start of an aggregated event's time window and ``@timestamp``.
    LookupEvents' EventTime is the time only of an object that has none of `EVENT_NAMES` (ADR-0019).
    """
    record = event.record
    time = parse_time(record.get("eventTime"))
    if time is None:
        start = read_object(record, "timeWindow").get("windowStart")
        others = (start, record.get("@timestamp"), _only_lookup(event).get("EventTime"))
        time = next(filter(None, map(parse_time, others)), None)
    return time


def event_account(record: dict[str, Any]) -> str | None:
    """Return the account that received the event; None if the record does not name it.

    It is in recipientAccountId, in aggregated events in accountId, and in old events in userIdentity.accountId.
    """
    account = record.get("recipientAccountId")
    if account and type(account) is str:
        return account
    account = record.get("accountId")
    if account and type(account) is str:
        return account
    account = read_object(record, "userIdentity").get("accountId")
    return account if account and type(account) is str else None


def _only_lookup(event: Event) -> dict[str, Any]:
    """Return LookupEvents' members if they alone make the record an event; otherwise nothing.

    A trail's file has no such members, so they must not change the id or the index of an event that it can hold.
    """
    return {} if _has_one(event.record, EVENT_NAMES) else event.lookup


def read_object(value: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the object of a member; an empty one if it is missing or no object."""
    child = value.get(name)
    return child if type(child) is dict else {}
