"""The envelope under the names of the Elastic Common Schema, beside CloudTrail's own.

A field with the same value as one of CloudTrail's is an alias in the mapping: it is searched, sorted and charted
like a field, and adds no byte to a document. Only fields that are computed from the event are in the document.

https://www.elastic.co/docs/reference/ecs/ecs-field-reference
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.documents.events import event_account

VERSION: Final = "8.11.0"

ALIASES: Final = {
    "error.code": "errorCode",
    "error.message": "errorMessage",
    "event.action": "eventName",
    "event.id": "eventID",
    "event.provider": "eventSource",
    "cloud.region": "awsRegion",
    "related.ip": "source.ip",
    "source.address": "sourceIPAddress",
    "user.id": "userIdentity.principalId",
    "user_agent.original": "userAgent",
}
"""ECS names, and for each the field of CloudTrail (or of `locate`) that it is an alias of."""

KEYWORDS: Final = (
    "cloud.account.id",
    "cloud.provider",
    "ecs.version",
    "event.dataset",
    "event.kind",
    "event.module",
    "event.outcome",
    "related.user",
    "user.name",
)
"""The fields that `describe` fills."""

ROOT: Final = "Root"
"""The ``userIdentity.type`` of the root user.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

OBJECTS: Final = frozenset(name.partition(".")[0] for name in (*ALIASES, *KEYWORDS))
"""Top-level ECS names; an event's own values under these names go to ``overflow``."""


# Few callers make most calls: the 805 recorded events have 112 callers (ADR-0011).
CALLERS: Final = 1_024
"""The size of the caller cache."""


class Caller(msgspec.Struct, frozen=True, gc=False):
    """Who made a call, on whom, and how it ended: the input of `describe`. An empty text counts as missing."""

    account: str | None
    address: str | None
    name: str | None
    principal: str | None
    other: str | None
    """The user that the call acts on."""
    has_failed: bool
    kind: str = "event"
    """ECS ``event.kind``."""
    is_root: bool = False
    """Whether the caller is the root user, whom LookupEvents calls ``root``; the record has no name for it."""


def caller(document: dict[str, Any]) -> Caller:
    """Return the caller from a document, not from the event: a value that a rule removed stays out."""
    identity = _object(document, "userIdentity")
    # An assumed role has no userName of its own; its issuer is the role.
    issuer = _object(_object(identity, "sessionContext"), "sessionIssuer")
    return Caller(
        account=event_account(document),
        address=_text(document, "sourceIPAddress"),
        name=_text(identity, "userName") or _text(issuer, "userName"),
        principal=_text(identity, "principalId"),
        other=_text(_object(document, "requestParameters"), "userName"),
        has_failed=has_failed(
            document.get("errorCode"),
            document.get("errorMessage"),
            _object(document, "responseElements").get("ConsoleLogin"),
        ),
        kind=event_kind(_text(document, "eventType"), _text(document, "eventCategory")),
        is_root=identity.get("type") == ROOT,
    )


def event_kind(event_type: str | None, category: str | None) -> str:
    """Return ``event.kind``: an Insights event is an alert, an aggregated event a metric, others are events.

    https://www.elastic.co/docs/reference/ecs/ecs-allowed-values-event-kind
    """
    return _KINDS.get(event_type or "") or _KINDS.get(category or "") or "event"


def has_failed(code: Any, message: Any, sign_in: Any) -> bool:
    """Whether a call failed; a console sign-in has its result in ``responseElements`` only.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html
    """
    return bool(code or message or sign_in == "Failure")


def describe(caller: Caller) -> Mapping[str, Any]:
    """Return the ECS fields of a call.

    ``related.user`` has the name that LookupEvents shows as the call's Username (ADR-0019): the user's, the
    session's of a role, or ``root``.
    """
    found: dict[str, Any] = {
        "ecs": _ECS,
        "event": _event(caller),
        "cloud": {"provider": "aws", "account": {"id": caller.account}} if caller.account else _CLOUD,
        **locate(caller),
    }
    name = caller.name
    if name:
        found["user"] = {"name": name}
    # After the colon, the principal of an assumed role has the name of the session.
    session = caller.principal.partition(":")[2] if caller.principal else None
    root = "root" if caller.is_root else None
    users = {user for user in (name, session, root, caller.other) if user}
    if users:
        # Sorted, because the order of a set differs between processes, and equal events need equal documents.
        found["related"] = {"user": sorted(users)}
    return found


def _event(caller: Caller) -> Mapping[str, str]:
    """Return the fields of ``event``; only a call has an outcome.

    https://www.elastic.co/docs/reference/ecs/ecs-allowed-values-event-outcome
    """
    if caller.kind != "event":
        return {**_EVENT, "kind": caller.kind}
    return _FAILURE if caller.has_failed else _SUCCESS


def locate(caller: Caller) -> Mapping[str, Any]:
    """Return ``source.ip`` if the caller's address is an IP address, not the name of a service."""
    address = caller.address
    return {"source": {"ip": address}} if address and is_address(address) else {}


_NOTHING: Final[dict[str, Any]] = {}
_KINDS: Final = {
    "AwsCloudTrailInsight": "alert",
    "Insight": "alert",
    "AwsAggregatedEvent": "metric",
    "Aggregated": "metric",
}
"""``event.kind`` by ``eventType`` or ``eventCategory``, for records that are not calls."""

_ECS: Final = {"version": VERSION}
_CLOUD: Final = {"provider": "aws"}
_EVENT: Final = {"kind": "event", "module": "aws", "dataset": "aws.cloudtrail"}
_SUCCESS: Final = {**_EVENT, "outcome": "success"}
_FAILURE: Final = {**_EVENT, "outcome": "failure"}


# Nearly all addresses are IPv4, and this is faster than `ip_address`.
_is_usual_address: Final = re.compile(
    r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)", re.ASCII
).fullmatch


def is_address(text: str) -> bool:
    """Whether an ip field takes the text: IPv4 or IPv6, without a zone."""
    return _is_usual_address(text) is not None or _is_other_address(text)


# The names of services repeat, and `ip_address` raises an error for each of them.
@lru_cache(maxsize=4096)
def _is_other_address(text: str) -> bool:
    try:
        # An ip field rejects an IPv6 address with a zone (`fe80::1%eth0`).
        return getattr(ip_address(text), "scope_id", None) is None
    except ValueError:
        return False


def _object(value: dict[str, Any], name: str) -> dict[str, Any]:
    child = value.get(name)
    return child if type(child) is dict else _NOTHING


def _text(value: dict[str, Any], name: str) -> str | None:
    text = value.get(name)
    return text if type(text) is str else None
