"""The fields of the Elastic Common Schema that are computed from an event; `ecs_names` has those that are not.

https://www.elastic.co/docs/reference/ecs/ecs-field-reference
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.documents.categories import categorize
from cloudtrail_elasticsearch.core.documents.ecs_names import VERSION
from cloudtrail_elasticsearch.core.documents.events import event_account

ROOT: Final = "Root"
"""The ``userIdentity.type`` of the root user.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

SIGN_IN: Final = "ConsoleLogin"
"""The operation that a sign-in to the console is recorded as."""

_NOTHING: Final[dict[str, Any]] = {}

# Few callers make most calls: the 805 recorded events have 112 callers (ADR-0011).
CALLERS: Final = 1_024
"""The size of the caches of callers and of calls."""


class Caller(msgspec.Struct, frozen=True, gc=False):
    """Who made a call, and on whom: the input of `describe_caller`. An empty text counts as missing."""

    address: str | None
    name: str | None
    principal: str | None
    others: tuple[str, ...] = ()
    """The users that the call acts on."""
    is_root: bool = False
    """Whether the caller is the root user, whom LookupEvents calls ``root``; the record has no name for it."""


class Call(msgspec.Struct, frozen=True, gc=False):
    """The operation and the outcome of a call: the input of `describe_call`. An empty text counts as missing."""

    account: str | None
    service: str | None
    operation: str | None
    has_failed: bool
    kind: str = "event"
    """ECS ``event.kind``."""
    tls: str | None = None
    """The version of TLS, such as ``TLSv1.3``."""


def read_caller(document: dict[str, Any]) -> Caller:
    """Return the caller from a document, not from the event: a value that a rule removed stays out."""
    identity = _object(document, "userIdentity")
    # An assumed role has no userName of its own; its issuer is the role.
    issuer = _object(_object(identity, "sessionContext"), "sessionIssuer")
    return Caller(
        address=_text(document, "sourceIPAddress"),
        name=_text(identity, "userName") or _text(issuer, "userName"),
        principal=_text(identity, "principalId"),
        others=find_users(_object(document, "requestParameters")),
        is_root=identity.get("type") == ROOT,
    )


def read_call(document: dict[str, Any]) -> Call:
    """Return the call from a document, as `read_caller` returns the caller."""
    return Call(
        # The caller's account, as ECS has it: the event comes from there (ADR-0026).
        account=_text(_object(document, "userIdentity"), "accountId") or event_account(document),
        service=_text(document, "eventSource"),
        operation=_text(document, "eventName"),
        has_failed=has_failed(
            document.get("errorCode"),
            document.get("errorMessage"),
            _object(document, "responseElements").get("ConsoleLogin"),
        ),
        kind=event_kind(_text(document, "eventType"), _text(document, "eventCategory")),
        tls=_text(_object(document, "tlsDetails"), "tlsVersion"),
    )


def find_users(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the users that a call acts on, from its parameters."""
    named = (parameters.get("userName"), parameters.get("newUserName"))
    return tuple(name for name in named if name and type(name) is str)


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


def describe_caller(caller: Caller) -> Mapping[str, Any]:
    """Return the ECS fields of a caller.

    ``related.user`` has the name that LookupEvents shows as the call's Username (ADR-0019): the user's, the
    session's of a role, or ``root``.
    """
    found: dict[str, Any] = {"ecs": _ECS, **locate(caller)}
    name = caller.name
    # After the colon, the principal of an assumed role has the name of the session.
    session = caller.principal.partition(":")[2] if caller.principal else None
    # The identity center and many identity providers name a session by the person's address.
    address = next((text for text in (session, name) if text and "@" in text), None)
    if name or address:
        found["user"] = {key: value for key, value in (("name", name), ("email", address)) if value}
    root = "root" if caller.is_root else None
    person = session.partition("@")[0] if session and "@" in session else None
    users = {user for user in (name, session, person, root, *caller.others) if user}
    if users:
        # Sorted, because the order of a set differs between processes, and equal events need equal documents.
        found["related"] = {"user": sorted(users)}
    return found


def describe_call(call: Call) -> Mapping[str, Any]:
    """Return the ECS fields of a call."""
    cloud: dict[str, Any] = {"provider": "aws"}
    if call.account:
        cloud["account"] = {"id": call.account}
    if call.service:
        cloud["service"] = {"name": call.service.partition(".")[0]}
    found: dict[str, Any] = {"cloud": cloud}
    protocol, _, version = (call.tls or "").partition("v")
    if version:
        found["tls"] = {"version": version, "version_protocol": protocol.lower()}
    return found | {"event": _event(call)}


def describe_sign_in(operation: Any, additional: Any) -> Mapping[str, Any]:
    """Return the fields of a console sign-in: whether it used MFA and a mobile device; of other calls none.

    :param additional: ``additionalEventData``
    """
    if operation != SIGN_IN or not isinstance(additional, dict):
        return _NOTHING
    # CloudTrail writes Yes and No; Elastic's integration has booleans.
    flags = {
        name: additional[key] != "No"
        for key, name in (("MFAUsed", "mfa_used"), ("MobileVersion", "mobile_version"))
        if type(additional.get(key)) is str
    }
    return {"aws": {"cloudtrail": {"console_login": {"additional_eventdata": flags}}}} if flags else _NOTHING


def _event(call: Call) -> Mapping[str, Any]:
    """Return the fields of ``event``; only a call has an outcome.

    https://www.elastic.co/docs/reference/ecs/ecs-allowed-values-event-outcome
    """
    category = categorize(call.operation)
    event: dict[str, Any] = {"kind": call.kind, "module": "aws", "dataset": "aws.cloudtrail"}
    if category.category:
        event["category"] = [*category.category]
    event["type"] = [*category.types]
    if call.kind == "event":
        event["outcome"] = "failure" if call.has_failed else "success"
    return event


def locate(caller: Caller) -> Mapping[str, Any]:
    """Return ``source.ip`` if the caller's address is an IP address, not the name of a service."""
    address = caller.address
    return {"source": {"ip": address}} if address and is_address(address) else {}


_KINDS: Final = {
    "AwsCloudTrailInsight": "alert",
    "Insight": "alert",
    "AwsAggregatedEvent": "metric",
    "Aggregated": "metric",
}
"""``event.kind`` by ``eventType`` or ``eventCategory``, for records that are not calls."""

_ECS: Final = {"version": VERSION}


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
