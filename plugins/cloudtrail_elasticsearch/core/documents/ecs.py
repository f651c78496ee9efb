"""The fields of the Elastic Common Schema that are computed from an event; `ecs_names` has those that are not.

https://www.elastic.co/docs/reference/ecs/ecs-field-reference
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final, TypeAlias

from cloudtrail_elasticsearch.core.documents.categories import categorize
from cloudtrail_elasticsearch.core.documents.ecs_names import VERSION
from cloudtrail_elasticsearch.core.documents.events import event_account, read_object

ROOT: Final = "Root"
"""The ``userIdentity.type`` of the root user.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

SIGN_IN: Final = "ConsoleLogin"
"""The operation that a sign-in to the console is recorded as."""

CallerKey: TypeAlias = tuple[str | None, str | None, tuple[str, ...], bool]
"""The parameters of `describe_caller`."""

CallKey: TypeAlias = tuple[str | None, str | None, str | None, bool, str | None, str | None, str | None]
"""The parameters of `describe_call`."""


def read_caller(document: dict[str, Any]) -> CallerKey:
    """Return the caller from a document, not from the event: a value that a rule removed stays out."""
    identity = read_object(document, "userIdentity")
    # An assumed role has no userName of its own; its issuer is the role.
    issuer = read_object(read_object(identity, "sessionContext"), "sessionIssuer")
    return (
        read_text(identity, "userName") or read_text(issuer, "userName"),
        read_text(identity, "principalId"),
        find_users(read_object(document, "requestParameters")),
        identity.get("type") == ROOT,
    )


def read_call(document: dict[str, Any]) -> CallKey:
    """Return the call from a document, as `read_caller` returns the caller."""
    sign_in = read_object(document, "responseElements").get(SIGN_IN)
    return (
        # The caller's account, as ECS has it: the event comes from there (ADR-0026).
        read_text(read_object(document, "userIdentity"), "accountId") or event_account(document),
        read_text(document, "eventSource"),
        read_text(document, "eventName"),
        has_failed(document.get("errorCode"), document.get("errorMessage"), sign_in),
        read_text(document, "eventType"),
        read_text(document, "eventCategory"),
        read_text(read_object(document, "tlsDetails"), "tlsVersion"),
    )


def find_users(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the users that a call acts on, from its parameters."""
    name, other = parameters.get("userName"), parameters.get("newUserName")
    # Most calls have neither.
    if not name and not other:
        return ()
    return tuple([each for each in (name, other) if each and type(each) is str])


def has_failed(code: Any, message: Any, sign_in: Any) -> bool:
    """Whether a call failed; a console sign-in has its result in ``responseElements`` only.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html
    """
    return bool(code or message or sign_in == "Failure")


def describe_address(address: str | None) -> dict[str, Any]:
    """Return ``source.ip`` if the caller's address is an IP address, not the name of a service."""
    return {"source": {"ip": address}} if address and is_address(address) else {}


def describe_caller(
    name: str | None, principal: str | None, others: tuple[str, ...], is_root: bool
) -> Mapping[str, Any]:
    """Return the ECS fields of a caller. An empty text counts as missing.

    ``related.user`` has the name that LookupEvents shows as the call's Username (ADR-0019): the user's, the
    session's of a role, or ``root``.

    :param others: the users that the call acts on
    :param is_root: whether the caller is the root user, for whom the record has no name
    """
    # After the colon, the principal of an assumed role has the name of the session.
    session = principal.partition(":")[2] if principal else ""
    users = {name, session, *others}
    if is_root:
        users.add("root")
    user: dict[str, str] = {"name": name} if name else {}
    if "@" in session:
        # The identity center and many identity providers name a session by the person's address.
        user["email"] = session
        users.add(session.partition("@")[0])
    elif name and "@" in name:
        user["email"] = name
    found: dict[str, Any] = {"user": user} if user else {}
    # Sorted, because the order of a set differs between processes, and equal events need equal documents.
    if related := sorted(filter(None, users)):
        found["related"] = {"user": related}
    return found


def describe_call(
    account: str | None,
    service: str | None,
    operation: str | None,
    has_failed: bool,
    event_type: str | None,
    category: str | None,
    tls: str | None,
) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return the ECS fields of a call, and those of ``event`` apart. An empty text counts as missing.

    :param tls: the version of TLS, such as ``TLSv1.3``
    """
    cloud: dict[str, Any] = {"provider": "aws"}
    if account:
        cloud["account"] = {"id": account}
    if service:
        cloud["service"] = {"name": service.partition(".")[0]}
    found: dict[str, Any] = {"cloud": cloud}
    protocol, _, version = (tls or "").partition("v")
    if version:
        found["tls"] = {"version": version, "version_protocol": protocol.lower()}
    kind = _KINDS.get(event_type or "") or _KINDS.get(category or "") or "event"
    return found, {"event": _describe_event(operation, has_failed, kind)}


def describe_sign_in(additional: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a console sign-in: whether it used MFA and a mobile device.

    :param additional: ``additionalEventData``
    """
    # CloudTrail writes Yes and No; Elastic's integration has booleans.
    flags = {
        name: additional[key] != "No"
        for key, name in (("MFAUsed", "mfa_used"), ("MobileVersion", "mobile_version"))
        if type(additional.get(key)) is str
    }
    return {"aws": {"cloudtrail": {"console_login": {"additional_eventdata": flags}}}} if flags else {}


def _describe_event(operation: str | None, has_failed: bool, kind: str) -> Mapping[str, Any]:
    """Return the fields of ``event``; only a call has an outcome.

    https://www.elastic.co/docs/reference/ecs/ecs-allowed-values-event-outcome
    """
    event = {"kind": kind, "module": "aws", "dataset": "aws.cloudtrail", **categorize(operation)}
    if kind == "event":
        event["outcome"] = "failure" if has_failed else "success"
    return event


_KINDS: Final = {
    "AwsCloudTrailInsight": "alert",
    "Insight": "alert",
    "AwsAggregatedEvent": "metric",
    "Aggregated": "metric",
}
"""``event.kind`` by ``eventType`` or ``eventCategory``, for records that are not calls.

An Insights event is an alert, and an aggregated event a metric.

https://www.elastic.co/docs/reference/ecs/ecs-allowed-values-event-kind
"""

FIXED: Final = {"ecs": {"version": VERSION}}
"""The fields that all documents with ECS fields have."""


# Nearly all addresses are IPv4, and this is faster than `ip_address`.
is_usual_address: Final = re.compile(
    r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)", re.ASCII
).fullmatch


def is_address(text: str) -> bool:
    """Whether an ip field takes the text: IPv4 or IPv6, without a zone."""
    if is_usual_address(text):
        return True
    try:
        # An ip field rejects an IPv6 address with a zone (`fe80::1%eth0`).
        return getattr(ip_address(text), "scope_id", None) is None
    except ValueError:
        return False


def read_text(value: dict[str, Any], name: str) -> str | None:
    """Return the text of a member; None if it is missing or no text."""
    text = value.get(name)
    return text if type(text) is str else None
