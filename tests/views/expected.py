"""The expected results of the views, computed in Python from the events, without a query, mapping or document."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from devstack.views import definitions
from devstack.views.definitions import Bucket, Filters, OverTime, Places, Terms


@dataclass(frozen=True)
class Happened:
    """An event with its document's id and its time."""

    id: str
    time: datetime
    record: dict[str, Any]

    def text(self, path: str) -> str | None:
        value: Any = self.record
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, str) else None


def _failed(event: Happened) -> bool:
    answered = event.text("responseElements.ConsoleLogin")
    return event.text("errorCode") is not None or event.text("errorMessage") is not None or answered == "Failure"


def _denied(event: Happened) -> bool:
    code = event.text("errorCode") or ""
    return code.startswith("AccessDenied") or "Unauthorized" in code


def _signs_in(event: Happened, answer: str | None = None) -> bool:
    names = event.text("eventSource"), event.text("eventName")
    return names == ("signin.amazonaws.com", "ConsoleLogin") and answer in {
        None,
        event.text("responseElements.ConsoleLogin"),
    }


def _by_root(event: Happened) -> bool:
    return (
        event.text("userIdentity.type") == "Root"
        and event.text("userIdentity.invokedBy") is None
        and event.text("eventType") != "AwsServiceEvent"
    )


_CREDENTIAL_CALLS = {
    *("CreateAccessKey", "CreateLoginProfile", "CreateServiceSpecificCredential", "UploadSSHPublicKey"),
    *("UploadSigningCertificate", "CreateKeyPair", "ImportKeyPair"),
}
_GROUP_CALLS = {
    *("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupIngress"),
    *("RevokeSecurityGroupEgress", "CreateSecurityGroup", "DeleteSecurityGroup"),
}

IS_FOUND: dict[str, Callable[[Happened], bool]] = {
    definitions.EVERYTHING: lambda _: True,
    "*": lambda _: True,
    definitions.ERRORS: _failed,
    definitions.DENIED: _denied,
    definitions.SIGN_INS: _signs_in,
    definitions.SUCCEEDED: lambda event: _signs_in(event, "Success"),
    definitions.FAILED: lambda event: _signs_in(event, "Failure"),
    definitions.WITHOUT_MFA: lambda event: (
        _signs_in(event, "Success") and event.text("additionalEventData.MFAUsed") == "No"
    ),
    definitions.ROOT_USE: _by_root,
    definitions.NEW_CREDENTIALS: lambda event: event.text("eventName") in _CREDENTIAL_CALLS,
    definitions.SECURITY_GROUPS: lambda event: event.text("eventName") in _GROUP_CALLS,
}


def found(query: str, events: Sequence[Happened]) -> list[Happened]:
    """Return the events that a query must find."""
    return list(filter(IS_FOUND[query], events))


def check(aggregations: dict[str, Any], buckets: Sequence[Bucket], events: Sequence[Happened]) -> None:
    """Compare an answer's buckets with the expected ones, and their inner buckets too."""
    bucket, *others = buckets
    expected = parted(bucket, events)
    answered = by_key(aggregations["buckets"]["buckets"])
    counts = {key: len(inside) for key, inside in expected.items()}
    assert {key: each["doc_count"] for key, each in answered.items()} == {key: counts[key] for key in answered}
    size = bucket.size if isinstance(bucket, Terms) else len(counts)
    assert len(answered) == min(size, len(counts))
    left_out = [count for key, count in counts.items() if key not in answered]
    assert max(left_out, default=0) <= min((counts[key] for key in answered), default=0)
    for key, each in answered.items():
        if others:
            check(each, others, expected[key])


def parted(bucket: Bucket, events: Sequence[Happened]) -> dict[str, list[Happened]]:
    """Group events by the key of their bucket."""
    if isinstance(bucket, Filters):
        return {label: found(query, events) for label, query in bucket.queries}
    if isinstance(bucket, Places):
        return {}  # because the test loads these events without enrichment
    groups: dict[str, list[Happened]] = defaultdict(list)
    for event in events:
        key = f"{event.time:%Y-%m}" if isinstance(bucket, OverTime) else _term(bucket, event)
        if key is not None:
            groups[key].append(event)
    return groups


def _term(bucket: Terms, event: Happened) -> str | None:
    return event.text(bucket.field) or ("__missing__" if bucket.without else None)


def by_key(buckets: dict[str, Any] | list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return an answer's buckets by key: a filter's label, a term, a month."""
    if isinstance(buckets, dict):
        return buckets
    return {
        str(each.get("key_as_string", each["key"]))[: 7 if "key_as_string" in each else None]: each
        for each in buckets
    }
