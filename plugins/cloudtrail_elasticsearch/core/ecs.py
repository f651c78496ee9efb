"""The envelope under the names of the Elastic Common Schema, beside CloudTrail's own.

What is the same value under another name is an alias in the mapping: it is searched, sorted and charted like a
field, and costs no byte in any document. Only what has to be worked out of the event is written into the document.

https://www.elastic.co/docs/reference/ecs/ecs-field-reference
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

import msgspec

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
"""Names of the schema, and the field of CloudTrail's (or of `locate`) that each is another name for."""

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

OBJECTS: Final = frozenset(name.partition(".")[0] for name in (*ALIASES, *KEYWORDS))
"""Top-level names of the schema; an event's own values under them stand in ``overflow``."""


CALLERS: Final = 1_024
"""Of so many callers it is worth to remember what is said of their calls."""


class Caller(msgspec.Struct, frozen=True, gc=False):
    """Who made a call, on whom, and how it ended: what `describe` is about. An empty text is none."""

    account: str | None
    address: str | None
    name: str | None
    principal: str | None
    other: str | None
    """The user that the call is about."""
    has_failed: bool


def caller(document: dict[str, Any]) -> Caller:
    """Return who made a call, from its document: what a rule has taken out stays out."""
    identity = _object(document, "userIdentity")
    issuer = _object(_object(identity, "sessionContext"), "sessionIssuer")
    return Caller(
        account=_text(document, "recipientAccountId") or _text(identity, "accountId"),
        address=_text(document, "sourceIPAddress"),
        name=_text(identity, "userName") or _text(issuer, "userName"),
        principal=_text(identity, "principalId"),
        other=_text(_object(document, "requestParameters"), "userName"),
        has_failed=has_failed(
            document.get("errorCode"),
            document.get("errorMessage"),
            _object(document, "responseElements").get("ConsoleLogin"),
        ),
    )


def has_failed(code: Any, message: Any, sign_in: Any) -> bool:
    """Whether a call failed; a sign-in tells it in its answer alone.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html
    """
    return bool(code or message or sign_in == "Failure")


def describe(caller: Caller) -> Mapping[str, Any]:
    """Return what the schema says of a call."""
    found: dict[str, Any] = {
        "ecs": _ECS,
        "event": _FAILURE if caller.has_failed else _SUCCESS,
        "cloud": {"provider": "aws", "account": {"id": caller.account}} if caller.account else _CLOUD,
        **locate(caller),
    }
    name = caller.name
    if name:
        found["user"] = {"name": name}
    session = caller.principal.partition(":")[2] if caller.principal else None
    users = {user for user in (name, session, caller.other) if user}
    if users:
        found["related"] = {"user": sorted(users)}
    return found


def locate(caller: Caller) -> Mapping[str, Any]:
    """Return ``source.ip``, where the caller's address is one and not the name of a service."""
    address = caller.address
    return {"source": {"ip": address}} if address and is_address(address) else {}


_NOTHING: Final[dict[str, Any]] = {}
_ECS: Final = {"version": VERSION}
_CLOUD: Final = {"provider": "aws"}
_EVENT: Final = {"kind": "event", "module": "aws", "dataset": "aws.cloudtrail"}
_SUCCESS: Final = {**_EVENT, "outcome": "success"}
_FAILURE: Final = {**_EVENT, "outcome": "failure"}


_is_usual_address: Final = re.compile(
    r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)", re.ASCII
).fullmatch


def is_address(text: str) -> bool:
    """Whether an ip field takes the text: IPv4 or IPv6, without a zone."""
    return _is_usual_address(text) is not None or _is_other_address(text)


@lru_cache(maxsize=4096)
def _is_other_address(text: str) -> bool:
    try:
        return getattr(ip_address(text), "scope_id", None) is None
    except ValueError:
        return False


def _object(value: dict[str, Any], name: str) -> dict[str, Any]:
    child = value.get(name)
    return child if type(child) is dict else _NOTHING


def _text(value: dict[str, Any], name: str) -> str | None:
    text = value.get(name)
    return text if type(text) is str else None
