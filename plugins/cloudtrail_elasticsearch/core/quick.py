"""The quick path: most events become their documents without being taken apart.

Nearly every event fits its declared fields, but perhaps for what its service put into the open objects. Then the
record's own text, byte for byte, is the document, with what the loader adds behind it; an open object that does
not fit is cut out of the text and its placed part put in. Whether the envelope fits is found by decoding it into
a type made of what is declared, in which nothing else has a place; msgspec does that as fast as it decodes at all.

A document of the quick path is equal to the one that `Normalizer.document` makes. Where that is not certain there
is none: the event has to be looked at.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Union

import msgspec

from cloudtrail_elasticsearch.core import codec, ecs
from cloudtrail_elasticsearch.core.events import USUAL_TIME, UUID, is_plain_line
from cloudtrail_elasticsearch.core.normalize import MISSING, Placing
from cloudtrail_elasticsearch.core.shape import OPEN_OBJECTS, Kind, Node, Shape

_STAGED: Final = b'{"lookup":'
_EVENT: Final = b',"event":'
_COMMA: Final = ord(",")

_ORDER: Final = {
    name: place
    for place, name in enumerate(
        """
        eventVersion
        userIdentity type principalId arn accountId accessKeyId userName
        sessionContext sessionIssuer webIdFederationData attributes creationDate mfaAuthenticated invokedBy
        eventTime eventSource eventName awsRegion sourceIPAddress userAgent errorCode errorMessage
        requestParameters responseElements additionalEventData
        requestID eventID readOnly resources eventType apiVersion managementEvent recipientAccountId
        sharedEventID vpcEndpointId eventCategory tlsDetails tlsVersion cipherSuite clientProvidedHostHeader
        """.split()
    )
}
"""The order in which CloudTrail writes names: each is found at once where it is expected."""



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
        children = shape.root.children
        self._open = {
            name: children[name]
            for name in OPEN_OBJECTS
            if name in children and children[name].kind in {Kind.OBJECT, Kind.FLAT}
        }
        declared = _type(shape.root, self._open)
        staged = msgspec.defstruct(
            "Staged", [("lookup", _Lookup), ("event", declared)], forbid_unknown_fields=True
        )
        raw = [(name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for name in self._open]
        self._decode = _decoder(declared)
        self._decode_staged = _decoder(staged)
        self._decode_texts = _decoder(msgspec.defstruct("Texts", raw))
        self._takes_lookup = not any(node.rules for _, node in shape.lookup.walk())
        self._describe = ecs.describe if shape.ecs else ecs.locate

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
        if not (type(identifier) is str and UUID(identifier) and time):
            raise _UnsureError
        opened: dict[str, Any] = {}
        placing = None
        rest: dict[str, Any] = {}
        for name, node in self._open.items():
            value = getattr(event, name)
            if not value:
                continue
            placing = placing or Placing(is_plain=True)
            opened[name], other = placing.member(name, value, node)
            if other is not MISSING:
                rest[name] = other
            if opened[name] is not value:
                text = self._splice(text, name, opened[name])
        told = self._describe(_caller(event, opened))
        told["@timestamp"] = time
        told |= around
        if placing is not None:
            told |= placing.told(rest or MISSING, set())
        return QuickDocument(identifier, time[:10], b"%b,%b" % (text[:-1], codec.encode(told)[1:]))

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

    def _splice(self, text: bytes, name: str, placed: Any) -> bytes:
        """Return a record's text with another value for an open object, or without it."""
        quoted = b'"%b"' % name.encode()
        found = b":%b" % getattr(self._decode_texts(text), name)
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


def _caller(event: Any, opened: dict[str, Any]) -> ecs.Caller:
    """Return what `ecs.caller` does of the document."""
    identity = event.userIdentity
    account = name = principal = None
    if isinstance(identity, msgspec.Struct):
        known: Any = identity
        account, name, principal = _text(known.accountId), _text(known.userName), _text(known.principalId)
        context = known.sessionContext
        issuer = context.sessionIssuer if isinstance(context, msgspec.Struct) else None  # type: ignore[attr-defined]
        if not name and isinstance(issuer, msgspec.Struct):
            name = _text(issuer.userName)  # type: ignore[attr-defined]
    parameters, answer = opened.get("requestParameters"), opened.get("responseElements")
    sign_in = answer.get("ConsoleLogin") if type(answer) is dict else None
    has_failed = ecs.has_failed(event.errorCode, event.errorMessage, sign_in)
    other = _text(parameters.get("userName")) if type(parameters) is dict else None
    recipient, address = _text(event.recipientAccountId), _text(event.sourceIPAddress)
    return ecs.Caller(recipient or account, address, name, principal, other, has_failed)


def _text(value: Any) -> str | None:
    return value if type(value) is str else None


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


def _type(node: Node, open_objects: dict[str, Node]) -> Any:
    """Return the type of an object in which only what fits has a place; what is open is looked at afterwards."""
    fields: list[tuple[str, Any, Any]] = []
    for name in sorted(node.children, key=lambda name: _ORDER.get(name, len(_ORDER))):
        child = node.children[name]
        if name in open_objects:
            fields.append((name, _any_of({dict: dict[str, Any]}, {dict} - child.touched), None))
        elif name.isidentifier() and child.kind not in {Kind.FLAT, Kind.UNMAPPED}:
            fields.append((name, _kind(child), None))
    return msgspec.defstruct("Declared", fields, forbid_unknown_fields=True, gc=False)


def _kind(node: Node) -> Any:
    """Return the type of the values that a field takes as they are, whatever rules stand on it.

    No number is among them: one may be written in a way that the servers read otherwise than Python does.
    """
    untouched = {str, bool, list, dict} - node.touched
    match node.kind:
        case Kind.OBJECT:
            inner = _type(node, {})
            return _any_of({dict: inner, list: list[inner | None]}, untouched)
        case Kind.KEYWORD:
            scalar = _any_of({str: str, bool: bool}, untouched)
            return _any_of({str: str, bool: bool, list: list[scalar]}, untouched)
        case Kind.BOOLEAN:
            return _any_of({bool: bool}, untouched)
        case Kind.DATE:
            return _any_of({str: Annotated[str, msgspec.Meta(pattern=f"^{USUAL_TIME}$")]}, untouched)
        case Kind.FLAT | Kind.UNMAPPED:
            raise AssertionError("what has no scalar of its own has no place in the type")


def _any_of(kinds: dict[type, Any], untouched: set[type]) -> Any:
    """Return the union of those kinds whose values are untouched by rules, and of null."""
    return Union[*(kind for each, kind in kinds.items() if each in untouched), None]
