"""The envelope under the names of the Elastic Common Schema, beside CloudTrail's own.

What is the same value under another name is an alias in the mapping: it is searched, sorted and charted like a
field, and costs no byte in any document. Only what has to be worked out of the event is written into the document.

https://www.elastic.co/docs/reference/ecs/ecs-field-reference
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

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
"""Names of the schema, and the field of CloudTrail's (or of `address`) that each is another name for."""

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


def address(document: dict[str, Any]) -> dict[str, Any]:
    """Return ``source.ip``, where the caller's address is one and not the name of a service."""
    text = document.get("sourceIPAddress")
    return {"source": {"ip": text}} if isinstance(text, str) and is_address(text) else {}


def describe(document: dict[str, Any]) -> dict[str, Any]:
    """Return what the schema says of an event, from its document: what a rule has taken out stays out."""
    identity = document.get("userIdentity")
    if type(identity) is not dict:
        identity = _NOTHING
    account = _text(document, "recipientAccountId") or _text(identity, "accountId")
    found: dict[str, Any] = {
        "ecs": _ECS,
        "event": _FAILURE if _failed(document) else _SUCCESS,
        "cloud": {"provider": "aws", "account": {"id": account}} if account else _CLOUD,
    }
    caller = document.get("sourceIPAddress")
    if type(caller) is str and is_address(caller):
        found["source"] = {"ip": caller}
    name = _text(identity, "userName")
    if not name and "sessionContext" in identity:
        name = _text(_object(_object(identity, "sessionContext"), "sessionIssuer"), "userName")
    if name:
        found["user"] = {"name": name}
    users = _users(document, identity, name)
    if users:
        found["related"] = {"user": users}
    return found


def _users(document: dict[str, Any], identity: dict[str, Any], name: str | None) -> list[str]:
    """Return who is concerned, each once: the caller, the session, and whom the call is about."""
    session = _session(identity)
    parameters = document.get("requestParameters")
    other = _text(parameters, "userName") if type(parameters) is dict and "userName" in parameters else None
    if other is None and (session is None or session == name or name is None):
        one = name or session
        return [one] if one else []
    return sorted({user for user in (name, session, other) if user})


_NOTHING: Final[dict[str, Any]] = {}
_ECS: Final = {"version": VERSION}
_CLOUD: Final = {"provider": "aws"}
_EVENT: Final = {"kind": "event", "module": "aws", "dataset": "aws.cloudtrail"}
_SUCCESS: Final = {**_EVENT, "outcome": "success"}
_FAILURE: Final = {**_EVENT, "outcome": "failure"}


@lru_cache(maxsize=4096)
def is_address(text: str) -> bool:
    """Whether an ip field takes the text: IPv4 or IPv6, without a zone."""
    try:
        return getattr(ip_address(text), "scope_id", None) is None
    except ValueError:
        return False


def _failed(document: dict[str, Any]) -> bool:
    """Whether the call failed; a sign-in tells it in its answer alone.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html
    """
    if document.get("errorCode") or document.get("errorMessage"):
        return True
    return bool(_object(document, "responseElements").get("ConsoleLogin") == "Failure")


def _session(identity: dict[str, Any]) -> str | None:
    """Return the session name of an assumed role: what follows the colon of its principal."""
    principal = _text(identity, "principalId") or ""
    return principal.partition(":")[2] or None


def _object(value: dict[str, Any], name: str) -> dict[str, Any]:
    child = value.get(name)
    return child if isinstance(child, dict) else {}


def _text(value: dict[str, Any], name: str) -> str | None:
    text = value.get(name)
    return text if isinstance(text, str) and text else None
