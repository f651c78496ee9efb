"""The record as a msgspec type, made from the schema.

The type has a place only for the usual values of declared fields, and for open objects that a flat field takes. If
a record decodes into it, its envelope fits the schema, and the check costs no more than decoding. ADR-0011
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from cloudtrail_elasticsearch.core.documents import ecs
from cloudtrail_elasticsearch.core.documents.declared_fields import OPEN_OBJECTS, Kind
from cloudtrail_elasticsearch.core.documents.flat_field import SAFE_NAME
from cloudtrail_elasticsearch.core.documents.schema import Node, Schema
from cloudtrail_elasticsearch.core.documents.times import USUAL_TIME
from cloudtrail_elasticsearch.core.encoding.codec import Json

_IN_ORDER: Final = """
    eventVersion
    userIdentity type principalId arn accountId accessKeyId userName
    sessionContext sessionIssuer webIdFederationData attributes creationDate mfaAuthenticated invokedBy
    eventTime eventSource eventName awsRegion sourceIPAddress userAgent errorCode errorMessage
    requestParameters responseElements additionalEventData
    requestID eventID readOnly resources eventType apiVersion managementEvent recipientAccountId
    sharedEventID vpcEndpointId eventCategory tlsDetails tlsVersion cipherSuite clientProvidedHostHeader
"""
"""The order in which CloudTrail writes names: msgspec finds a name at once if it comes in the expected order."""

_LISTED: Final = "resources"
"""The object that CloudTrail writes as a list of objects."""

_LEVELS: Final = 10
"""The most levels of objects and lists in an open object. Deeper ones take the walk, so decoding is never deep."""


def open_objects(schema: Schema) -> dict[str, Node]:
    """Return the nodes of the open objects by name, in the order in which CloudTrail writes them."""
    return {
        name: node
        for name, node in _declared(schema.root)
        if name in OPEN_OBJECTS and node.kind in {Kind.OBJECT, Kind.FLAT}
    }


def record_type(schema: Schema) -> Any:
    """Return the type of a record; an open object that a rule changes can only be null.

    A missing field is `msgspec.UNSET`, not null, so that a record that is encoded again has the same fields.
    """
    return _struct(schema.root, open_objects(schema))


def read_caller(record: Any, opened: Mapping[str, Mapping[str, Json]]) -> ecs.CallerKey:
    """Return the caller of a decoded record, as `ecs.read_caller` returns it for the document.

    :param opened: the indexed part of each open object
    """
    identity, parameters = record.userIdentity, opened.get("requestParameters")
    others = ecs.find_users(parameters) if parameters else ()
    if not identity:
        return None, None, others, False
    # UNSET, null and an empty text are false, so all of them count as missing.
    name, context = identity.userName, identity.sessionContext
    if not name and context and context.sessionIssuer:
        name = context.sessionIssuer.userName
    return name or None, identity.principalId or None, others, identity.type == ecs.ROOT


def read_call(record: Any, opened: Mapping[str, Mapping[str, Json]]) -> ecs.CallKey:
    """Return the call of a decoded record, as `ecs.read_call` returns it for the document."""
    identity, tls, response = record.userIdentity, record.tlsDetails, opened.get("responseElements")
    return (
        (identity and identity.accountId) or record.recipientAccountId or record.accountId or None,
        record.eventSource or None,
        record.eventName or None,
        ecs.has_failed(record.errorCode, record.errorMessage, response and response.get(ecs.SIGN_IN)),
        record.eventType or None,
        record.eventCategory or None,
        (tls and tls.tlsVersion) or None,
    )


def _declared(node: Node) -> list[tuple[str, Node]]:
    """Return the declared members of an object, in CloudTrail's order."""
    order = _IN_ORDER.split()
    names = sorted(node.children, key=lambda name: order.index(name) if name in order else len(order))
    return [
        (name, node.children[name])
        for name in names
        # msgspec's fields are identifiers; an event with any other declared name takes the walk.
        if name.isidentifier() and node.children[name].kind is not Kind.UNMAPPED
    ]


def _struct(node: Node, opened: Collection[str] = ()) -> Any:
    """Return the type of an object with declared members; `opened` are the names of open objects in it."""
    fields = [(name, _field_type(name, child, opened) | UnsetType, UNSET) for name, child in _declared(node)]
    # Decoded records have no cycles, so the garbage collector need not track them.
    # A name without a declared field ends the decoding, so that the event takes the walk.
    return msgspec.defstruct("Envelope", fields, forbid_unknown_fields=True, gc=False)


def _flat_object(levels: int) -> Any:
    """Return a type for the objects that `is_flat` accepts, except those with fractions; the caller checks texts.

    A list in a list takes the walk, because a type for every order of objects and lists would be very large.
    """
    name, scalar = Annotated[str, msgspec.Meta(max_length=SAFE_NAME)], str | int | bool | None
    below = one_below = dict[name, scalar]  # type: ignore[valid-type]
    for _ in range(levels - 1):
        below, one_below = dict[name, scalar | below | list[scalar | one_below]], below  # type: ignore[valid-type]
    return below


def _field_type(name: str, node: Node, opened: Collection[str]) -> Any:
    """Return the type of a field's usual values. If a rule can change one of them, only null is left."""
    null = type(None)
    if name in opened:
        return null if dict in node.touched else _flat_object(_LEVELS) | None
    match node.kind:
        case Kind.OBJECT if name == _LISTED:
            return null if {list, dict} & node.touched else list[_struct(node)] | None  # type: ignore[misc]
        case Kind.OBJECT:
            return null if dict in node.touched else _struct(node) | None
        case Kind.KEYWORD:
            # A keyword field takes numbers and booleans, too; the walk places these.
            return null if str in node.touched else str | None
        case Kind.BOOLEAN:
            return null if bool in node.touched else bool | None
        case Kind.DATE:
            # `\Z`, because `$` also matches before a final line end.
            usual = Annotated[str, msgspec.Meta(pattern=rf"^{USUAL_TIME}\Z")]
            return null if str in node.touched else usual | None
        case Kind.NUMBER:
            return null  # a number needs the walk: a double does not hold every number exactly
        case Kind.FLAT | Kind.UNMAPPED:
            raise AssertionError("only open objects are flat, and an unmapped node has no type")
