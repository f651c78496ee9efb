"""The quick path: most events become their documents without being taken apart.

Nearly every event fits its declared fields, but perhaps for what its service put into the open objects. Then the
record's own text, byte for byte, is the document, with what the loader adds behind it; an open object that does
not fit is cut out of the text and its placed part put in. Whether the envelope fits is found by decoding it into
a type made of what is declared, in which nothing else has a place; msgspec does that as fast as it decodes at all.

A document of the quick path is equal to the one that `Normalizer.document` makes. Where that is not certain there
is none: the event has to be looked at.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core import codec, ecs
from cloudtrail_elasticsearch.core.envelope import caller, open_objects, record_type
from cloudtrail_elasticsearch.core.events import UUID, is_plain_line
from cloudtrail_elasticsearch.core.familiar import Familiar
from cloudtrail_elasticsearch.core.normalize import MISSING, Placing
from cloudtrail_elasticsearch.core.shape import Shape

_STAGED: Final = b'{"lookup":'
_EVENT: Final = b',"event":'
_WITHOUT_VALUES: Final = (b"null", b"{}")
_COMMA: Final = ord(",")

_OPERATIONS: Final = 4_096
"""So many operations are known at once."""


class _UnsureError(Exception):
    """The event has to be looked at."""


class QuickDocument(msgspec.Struct, frozen=True):
    """A document, ready to be sent."""

    id: str
    day: str
    """When the event happened, as ``2026-11-20``."""
    source: bytes


class _Resource(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    ResourceName: str | None = None
    ResourceType: str | None = None


class _Lookup(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What LookupEvents writes around an event; nothing in it is called ``event``, so the first one is the event.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Event.html
    """

    EventId: str | None = None
    EventName: str | None = None
    ReadOnly: str | None = None
    AccessKeyId: str | None = None
    EventTime: str | None = None
    EventSource: str | None = None
    Username: str | None = None
    Resources: list[_Resource] | None = None


class QuickPath:
    """Renders the lines of events of which it is certain."""

    def __init__(self, shape: Shape) -> None:
        self._open = open_objects(shape)
        declared = record_type(shape, msgspec.Raw | msgspec.UnsetType)
        staged = msgspec.defstruct(
            "Staged", [("lookup", _Lookup), ("event", declared)], forbid_unknown_fields=True
        )
        self._decode = _decoder(declared)
        self._decode_staged = _decoder(staged)
        self._decode_object = _decoder(dict[str, Any])
        self._familiar: dict[tuple[str | None, ...], Familiar] = {}
        self._takes_lookup = not any(node.rules for _, node in shape.lookup.walk())
        self._describe = ecs.describe if shape.ecs else ecs.locate
        self._described = lru_cache(maxsize=ecs.CALLERS)(self._written)

    def document(self, line: bytes) -> QuickDocument | None:
        """Return a line's document, or None where the event has to be looked at."""
        if not is_plain_line(line):
            return None
        try:
            return self._document(line)
        except (_UnsureError, msgspec.MsgspecError):
            return None

    def _document(self, line: bytes) -> QuickDocument:
        text, event, around = self._read(line)
        identifier, time = event.eventID, event.eventTime
        if not (identifier and UUID(identifier) and time):
            raise _UnsureError
        opened: dict[str, Any] = {}
        placing = None
        rest: dict[str, Any] = {}
        for name, node in self._open.items():
            raw = getattr(event, name)
            if type(raw) is not msgspec.Raw:
                continue
            written = bytes(raw)
            if written in _WITHOUT_VALUES:
                continue
            familiar = self._of_operation(event, name)
            value = familiar.decode(written)
            if value is None:
                whole = self._decode_object(written)
                placing = placing or Placing(is_plain=True)
                value, other = placing.member(name, whole, node)
                if other is not MISSING:
                    rest[name] = other
                if value is not whole:
                    text = _spliced(text, name, written, value)
                elif other is MISSING:
                    familiar.learn(whole)
            opened[name] = value
        described = self._described(caller(event, opened))
        told = {"@timestamp": time, **around}
        if placing is not None:
            told |= placing.told(rest or MISSING, frozenset())
        return QuickDocument(identifier, time[:10], b"%b,%b%b" % (text[:-1], described, codec.encode(told)[1:]))

    def _read(self, line: bytes) -> tuple[bytes, Any, dict[str, Any]]:
        """Return a record's text, the record decoded, and what LookupEvents says beside it.

        :raises MsgspecError: something in it has no place in what is declared
        """
        if not line.startswith(_STAGED):
            return line, self._decode(line), {}
        if not self._takes_lookup or not line.endswith(b"}}"):
            raise _UnsureError
        staged = self._decode_staged(line)
        begins = line.find(_EVENT)
        if begins < 0:
            raise _UnsureError
        return line[begins + len(_EVENT) : -1], staged.event, _around(staged.lookup)

    def _written(self, caller: ecs.Caller) -> bytes:
        """Return what is said of a call, as it is written before something else."""
        told = self._describe(caller)
        return b"%b," % codec.encode(told)[1:-1] if told else b""

    def _of_operation(self, event: Any, name: str) -> Familiar:
        """Return what is familiar of an open object of an event's operation."""
        operation = (name, event.eventSource, event.eventName)
        familiar = self._familiar.get(operation)
        if familiar is None:
            if len(self._familiar) >= _OPERATIONS:
                self._familiar.clear()
            familiar = self._familiar[operation] = Familiar(self._open[name])
        return familiar


def _spliced(text: bytes, name: str, written: bytes, placed: Any) -> bytes:
    """Return a record's text with another value for an open object, as it is written there, or without it."""
    quoted = b'"%b"' % name.encode()
    found = b":%b" % written
    begins = text.find(quoted)
    value = begins + len(quoted)
    ends = value + len(found)
    if not text.startswith(found, value) or text.find(quoted, ends) >= 0:
        raise _UnsureError
    if placed is not MISSING:
        return b"%b:%b%b" % (text[:value], codec.encode(placed), text[ends:])
    if text[ends] != _COMMA:
        raise _UnsureError
    return text[:begins] + text[ends + 1 :]


def _around(lookup: _Lookup) -> dict[str, Any]:
    """Return what LookupEvents says beside the event, as it is indexed."""
    found: dict[str, Any] = {}
    if lookup.Username is not None:
        found["username"] = lookup.Username
    if lookup.Resources is not None:
        found["resources"] = [
            {"name": resource.ResourceName, "type": resource.ResourceType} for resource in lookup.Resources
        ]
    return {"lookup": found} if found else {}


def _decoder(kind: Any) -> Any:
    return msgspec.json.Decoder(kind, float_hook=_no_fraction).decode


def _no_fraction(_: str) -> Any:
    raise _UnsureError
