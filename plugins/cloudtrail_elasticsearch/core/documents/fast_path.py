"""The fast path: most events become documents without a walk through the whole event. ADR-0011

Nearly every envelope fits the schema as it is. Then the record's own text, byte for byte, is the document,
followed by the loader's fields. An open object that does not fit is replaced in the text by its declared part.

The fast path makes the same document as `Normalizer.document`, or none: it returns None for an event that needs
the walk. No document of the fast path has a repeated name, at any depth: every text that is passed on was decoded,
and the decoded value, encoded again, was complete.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.documents import ecs
from cloudtrail_elasticsearch.core.documents.cached_ecs import CachedEcs
from cloudtrail_elasticsearch.core.documents.events import STAGED, UUID, has_short_texts
from cloudtrail_elasticsearch.core.documents.parts import MISSING, Part
from cloudtrail_elasticsearch.core.documents.placing import Placing, takes_whole
from cloudtrail_elasticsearch.core.documents.schema import Schema
from cloudtrail_elasticsearch.core.documents.texts import TEXTS, make_texts
from cloudtrail_elasticsearch.core.documents.typed_envelope import (
    open_objects,
    read_call,
    read_caller,
    record_type,
)
from cloudtrail_elasticsearch.core.encoding import codec, typed

_EVENT: Final = b',"event":'
_COMMA: Final = ord(",")

# msgspec decodes -0 to 0, so the walk would write another text.
_find_negative_zero: Final = re.compile(rb"[:,\[\s]-0[,\]}\s]").search
_encode: Final = msgspec.json.Encoder().encode


class _NeedsWalkError(Exception):
    """The fast path cannot make this event's document."""


class FastDocument(msgspec.Struct, frozen=True, gc=False):
    """An encoded document."""

    id: str
    day: str
    """When the event happened, as ``2026-11-20``."""
    source: bytes


class FastPath:
    """Makes documents from lines; returns none for an event that needs the walk."""

    def __init__(self, schema: Schema) -> None:
        self._open = tuple(open_objects(schema).items())
        record = record_type(schema)
        staged: Any = msgspec.defstruct(
            "Staged", [("lookup", msgspec.Raw), ("event", record)], forbid_unknown_fields=True
        )
        self._decode = typed.make_decode(record)
        self._decode_staged = typed.make_decode(staged)
        self._has_ecs = schema.ecs
        self._has_texts = schema.texts
        # The cached values are encoded members, so that a hit encodes nothing.
        self._ecs = CachedEcs(schema, _members)
        self._has_databases = self._ecs.enrichment.databases is not None
        self._has_user_agents = self._ecs.enrichment.user_agents is not None
        self._located = _members({**self._ecs.fixed, "source": {"ip": "%b"}})

    def document(self, line: bytes) -> FastDocument | None:
        """Return a line's document; None if the event needs the walk."""
        # The loader's fields replace the last brace.
        if not has_short_texts(line) or not line.endswith(b"}"):
            return None
        try:
            return self._document(line)
        # LookupEvents' fields are only skipped, so the types do not limit their depth.
        except (_NeedsWalkError, msgspec.MsgspecError, RecursionError):
            return None

    def _document(self, line: bytes) -> FastDocument:
        text, record = self._read(line)
        identifier, time = record.eventID, record.eventTime
        if not (identifier and time and UUID(identifier)):
            raise _NeedsWalkError
        opened: dict[str, dict[str, Any]] = {}
        whole: dict[str, dict[str, Any]] = {}
        # `document` has checked the texts of the whole line, and the decoder all open objects.
        placing: Placing | None = None
        overflow: dict[str, Any] = {}
        place = 0
        for name, node in self._open:
            value = getattr(record, name)
            if not value:
                continue  # missing, null or {}: it stays as it is
            whole[name] = value
            if takes_whole(node, value):
                opened[name] = value
                continue
            placing = placing or Placing(has_short_texts=True, is_flat=True)
            placed, rest = placing.place_member(name, value, node)
            if rest is not MISSING:
                overflow[name] = rest
            # The walk returns the very same object if it changes nothing.
            if placed is not value:
                text, place = _replace(text, name, value, placed, place)
            if type(placed) is dict:
                opened[name] = placed
        members, event = self._ecs_members(record, opened)
        # The time has its usual form, so it is the same in JSON.
        parts = [text[:-1], members, b',"@timestamp":"', time.encode(), b'"']
        if placing is not None:
            parts.append(_members(placing.added_fields(overflow or MISSING)))
        if self._has_texts:
            parts.append(_text_member(placing, whole))
        # At the end, because the time of sending is appended to it (ADR-0023).
        parts.append(event + b"}")
        return FastDocument(identifier, time[:10], b"".join(parts))

    def _read(self, line: bytes) -> tuple[bytes, Any]:
        """Return a record's text and the decoded record.

        :raises MsgspecError: a value does not fit the schema
        """
        if not line.startswith(STAGED):
            record = self._decode(line)
            _check_complete(line, record)
            return line, record
        staged = self._decode_staged(line)
        _check_complete(line, staged)
        # The first brace of LookupEvents' fields ends `STAGED`.
        begin = len(STAGED) - 1 + len(staged.lookup)
        if not line.startswith(_EVENT, begin) or not line.endswith(b"}}"):
            raise _NeedsWalkError  # blanks
        return line[begin + len(_EVENT) : -1], staged.event

    def _ecs_members(self, record: Any, opened: dict[str, dict[str, Any]]) -> tuple[bytes, bytes]:
        """Return the ECS fields as members of an object that has others before them, with ``event`` apart."""
        found, address = self._ecs, record.sourceIPAddress
        # Addresses rarely recur, so a cache would cost more than it saves. JSON escapes none of their characters.
        if address and not self._has_databases and ecs.is_usual_address(address):
            members = self._located % address.encode()
        else:
            members = found.describe_address(address or None)
        if not self._has_ecs:
            return members, b""
        members += found.describe_caller(*read_caller(record, opened))
        if self._has_user_agents:
            members += found.describe_user_agent(record.userAgent or None)
        call, event = found.describe_call(*read_call(record, opened))
        if record.eventName == ecs.SIGN_IN:
            call += _members(ecs.describe_sign_in(opened.get("additionalEventData", {})))
        return members + call, event


def _members(fields: Mapping[str, Any]) -> bytes:
    """Return fields as members of an object that has others before them."""
    return b",%b" % codec.encode(fields)[1:-1] if fields else b""


def _text_member(placing: Placing | None, event: Mapping[str, Any]) -> bytes:
    """Return the texts of the open objects as a member of an object that has others before it."""
    if placing is not None and (placing.changes or placing.unindexed):
        raise _NeedsWalkError  # the texts have the event's own values, which the walk restores
    texts = make_texts(event)
    return _members({TEXTS: texts}) if texts else b""


def _check_complete(text: bytes, value: Any) -> None:
    """Raise if a name is repeated in a text, at any depth, that was decoded to this value.

    Decoding loses the earlier value of a repeated name, and the two quotes of the name with it. An encoded value
    is never longer than its text, so equal lengths prove that nothing was lost, and are faster to check.
    """
    written = _encode(value)
    if len(written) == len(text):
        return
    # The text has blanks, escapes that are not needed, or numbers that the walk writes in another way. With a line
    # end, it would not be one line of a bulk request.
    if written.count(b'"') != text.count(b'"') or _find_negative_zero(text) or b"\n" in text:
        raise _NeedsWalkError


def _replace(text: bytes, name: str, value: dict[str, Any], placed: Part, after: int) -> tuple[bytes, int]:
    """Return a record's text with the declared part of an open object in its place, or without the object.

    :param after: the place of the object that was replaced before this one
    :returns: the text, and the place of the object in it
    """
    quoted = b'"%b"' % name.encode()
    member = b"%b:%b" % (quoted, codec.encode(value))
    begin = text.find(quoted)
    end = begin + len(member)
    # The name may be a value or a nested name, too, and the text may have blanks; then the place is not certain.
    if not text.startswith(member, begin) or text.find(quoted, end) >= 0:
        raise _NeedsWalkError
    # The walk lists changes in the order of the record, and the fast path in CloudTrail's.
    if begin < after:
        raise _NeedsWalkError
    if placed is not MISSING:
        return b"%b%b:%b%b" % (text[:begin], quoted, codec.encode(placed), text[end:]), begin
    # The last member has its comma before it, and that comma would have to be removed instead.
    if text[end] != _COMMA:
        raise _NeedsWalkError
    return text[:begin] + text[end + 1 :], begin
