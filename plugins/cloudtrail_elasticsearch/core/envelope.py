"""The envelope: what CloudTrail itself fills in an event, as a type of msgspec's that is made of what is declared.

In it nothing has a place but the usual values of declared fields, so that an event that can be made one fits, but
for its open objects; and msgspec finds out as fast as it decodes at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Final

import msgspec

from cloudtrail_elasticsearch.core import ecs
from cloudtrail_elasticsearch.core.events import USUAL_TIME
from cloudtrail_elasticsearch.core.shape import OPEN_OBJECTS, Kind, Node, Shape

_IN_ORDER: Final = """
    eventVersion
    userIdentity type principalId arn accountId accessKeyId userName
    sessionContext sessionIssuer webIdFederationData attributes creationDate mfaAuthenticated invokedBy
    eventTime eventSource eventName awsRegion sourceIPAddress userAgent errorCode errorMessage
    requestParameters responseElements additionalEventData
    requestID eventID readOnly resources eventType apiVersion managementEvent recipientAccountId
    sharedEventID vpcEndpointId eventCategory tlsDetails tlsVersion cipherSuite clientProvidedHostHeader
"""
"""The order in which CloudTrail writes names: each is found at once where it is expected."""

_TIME: Final = "eventTime"

_LISTED: Final = "resources"
"""The object of which CloudTrail writes lists."""


def open_objects(shape: Shape) -> dict[str, Node]:
    """Return what is declared of the open objects, by name."""
    children = shape.root.children
    return {
        name: children[name]
        for name in OPEN_OBJECTS
        if name in children and children[name].kind in {Kind.OBJECT, Kind.FLAT}
    }


def record_type(shape: Shape, opened: Any) -> Any:
    """Return the type of a whole record.

    :param opened: the type of its open objects; where a rule changes one, only null has a place
    """
    types = dict.fromkeys(open_objects(shape), opened)
    return _struct([(name, _kind(name, child, types), None) for name, child in _declared(shape.root)])


def closed_type(shape: Shape) -> Any:
    """Return the type of the part of a record that is not open; whatever else is in the record is passed over.

    Its time is read, in any spelling of RFC 3339: which one it is has to be looked at.
    """
    closed = {name: child for name, child in _declared(shape.root) if name not in OPEN_OBJECTS}
    types = {name: _kind(name, child) for name, child in closed.items()}
    if str not in closed[_TIME].touched:
        types[_TIME] = Annotated[datetime, msgspec.Meta(tz=True)] | None
    return _struct([(name, kind, None) for name, kind in types.items()], forbid_unknown_fields=False)


def caller(envelope: Any, opened: dict[str, Any]) -> ecs.Caller:
    """Return what `ecs.caller` does of the document; `opened` are its open objects, as they are indexed."""
    identity = envelope.userIdentity
    account = envelope.recipientAccountId
    name = principal = None
    if identity is not None:
        account = account or identity.accountId
        name, principal, context = identity.userName, identity.principalId, identity.sessionContext
        if not name and context is not None and context.sessionIssuer is not None:
            name = context.sessionIssuer.userName
    sign_in = other = None
    if "responseElements" in opened:
        sign_in = _member(opened["responseElements"], "ConsoleLogin")
    if "requestParameters" in opened:
        other = _member(opened["requestParameters"], "userName")
    return ecs.Caller(
        account,
        envelope.sourceIPAddress,
        name,
        principal,
        other if type(other) is str else None,
        ecs.has_failed(envelope.errorCode, envelope.errorMessage, sign_in),
    )


def _member(value: Any, name: str) -> Any:
    """Return a member of an open object, read either way."""
    return value.get(name) if type(value) is dict else getattr(value, name, None)


def _declared(node: Node) -> list[tuple[str, Node]]:
    """Return what is declared in an object, in the order in which it is written."""
    order = _IN_ORDER.split()
    names = sorted(node.children, key=lambda name: order.index(name) if name in order else len(order))
    return [
        (name, node.children[name])
        for name in names
        if name.isidentifier() and node.children[name].kind is not Kind.UNMAPPED
    ]


def _struct(fields: Iterable[tuple[str, Any, Any]], *, forbid_unknown_fields: bool = True) -> Any:
    return msgspec.defstruct("Envelope", fields, forbid_unknown_fields=forbid_unknown_fields, gc=False)


def _object(node: Node) -> Any:
    return _struct([(name, _kind(name, child), None) for name, child in _declared(node)])


def _kind(name: str, node: Node, opened: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """Return the type of the usual values of a field, among which are none that a rule on it changes."""
    if name in opened:
        return None if dict in node.touched else opened[name]
    match node.kind:
        case Kind.OBJECT if name == _LISTED:
            return None if {list, dict} & node.touched else list[_object(node)] | None  # type: ignore[misc]
        case Kind.OBJECT:
            return None if dict in node.touched else _object(node) | None
        case Kind.KEYWORD:
            return None if str in node.touched else str | None
        case Kind.BOOLEAN:
            return None if bool in node.touched else bool | None
        case Kind.DATE:
            usual = Annotated[str, msgspec.Meta(pattern=f"^{USUAL_TIME}$")]
            return None if str in node.touched else usual | None
        case Kind.FLAT | Kind.UNMAPPED:
            raise AssertionError("only open objects are flat, and what is not mapped has no type")
