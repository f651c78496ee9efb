"""The views, independent of the product: saved searches, charts, and the buckets of charts.

Queries are in Lucene's syntax, which both products pass to the server unchanged. Charts use only CloudTrail's own
names of the envelope: these are keywords under either mapping strategy, and exist with the param ``ecs`` off too.
Only the map needs an ECS field, which enrichment fills.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

TIME: Final = "@timestamp"

ERRORS: Final = "_exists_:errorCode OR _exists_:errorMessage OR responseElements.ConsoleLogin:Failure"
DENIED: Final = "errorCode:(AccessDenied* OR *Unauthorized*)"
SIGN_INS: Final = "eventSource:signin.amazonaws.com AND eventName:ConsoleLogin"
SUCCEEDED: Final = f"{SIGN_INS} AND responseElements.ConsoleLogin:Success"
FAILED: Final = f"{SIGN_INS} AND responseElements.ConsoleLogin:Failure"
WITHOUT_MFA: Final = f"{SUCCEEDED} AND additionalEventData.MFAUsed:No"
ROOT_USE: Final = (
    "userIdentity.type:Root AND NOT _exists_:userIdentity.invokedBy AND NOT eventType:AwsServiceEvent"
)
"""Calls of the root user itself, as the CIS AWS Foundations Benchmark defines them."""

NEW_CREDENTIALS: Final = (
    "eventName:(CreateAccessKey OR CreateLoginProfile OR CreateServiceSpecificCredential OR UploadSSHPublicKey"
    " OR UploadSigningCertificate OR CreateKeyPair OR ImportKeyPair)"
)
"""Calls that make or upload a credential: access keys, passwords, and keys for a service or an instance."""

SECURITY_GROUPS: Final = (
    "eventName:(AuthorizeSecurityGroupIngress OR AuthorizeSecurityGroupEgress OR RevokeSecurityGroupIngress"
    " OR RevokeSecurityGroupEgress OR CreateSecurityGroup OR DeleteSecurityGroup)"
)
"""Changes of security groups, as the CIS AWS Foundations Benchmark defines them."""

EVERYTHING: Final = ""


@dataclass(frozen=True, slots=True)
class OverTime:
    """One bucket per span of time; the length of the span fits the displayed range."""


@dataclass(frozen=True, slots=True)
class Terms:
    """One bucket for each of the most frequent values of a field; `without` labels that of events without it."""

    field: str
    label: str
    size: int = 10
    without: str | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """One bucket for each cell of a grid over the earth in which a field has points; the map chooses its size."""

    field: str


@dataclass(frozen=True, slots=True)
class Filters:
    """One bucket for the results of each of these queries, by its label."""

    queries: tuple[tuple[str, str], ...]


Bucket = OverTime | Terms | Filters | Places


@dataclass(frozen=True, slots=True)
class Search:
    """A saved search: a list in Discover, newest first."""

    id: str
    title: str
    description: str
    query: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """The number of events in each bucket; a later bucket splits an earlier one's."""

    id: str
    title: str
    kind: Literal["numbers", "columns", "bars", "table", "map"]
    query: str
    buckets: tuple[Bucket, ...]


_WHO: Final = ("userIdentity.arn", "sourceIPAddress")
_WHAT: Final = ("eventSource", "eventName", "awsRegion")

ALL_EVENTS: Final = Search(
    "cloudtrail-search-all",
    "CloudTrail: all events",
    "Every event, newest first.",
    EVERYTHING,
    (*_WHAT, *_WHO, "errorCode"),
)
ERRONEOUS: Final = Search(
    "cloudtrail-search-errors",
    "CloudTrail: errors",
    "Failed calls and failed console sign-ins.",
    ERRORS,
    ("errorCode", "errorMessage", *_WHAT, *_WHO),
)
REFUSED: Final = Search(
    "cloudtrail-search-denied",
    "CloudTrail: denied calls",
    "Calls that IAM, or a service's own permissions, denied.",
    DENIED,
    ("errorCode", *_WHAT, *_WHO, "errorMessage"),
)
CONSOLE: Final = Search(
    "cloudtrail-search-sign-ins",
    "CloudTrail: console sign-ins",
    "Successful and failed console sign-ins.",
    SIGN_INS,
    ("responseElements.ConsoleLogin", "additionalEventData.MFAUsed", "userIdentity.type", *_WHO, "awsRegion"),
)
CONSOLE_WITHOUT_MFA: Final = Search(
    "cloudtrail-search-sign-ins-without-mfa",
    "CloudTrail: console sign-ins without MFA",
    "Successful sign-ins without a second factor. They include sign-ins through an identity provider, which may "
    "check a second factor that AWS does not see.",
    WITHOUT_MFA,
    ("userIdentity.type", *_WHO, "awsRegion"),
)
ROOT: Final = Search(
    "cloudtrail-search-root",
    "CloudTrail: root use",
    "Calls of the root user itself, without those of services on its behalf.",
    ROOT_USE,
    (*_WHAT, "sourceIPAddress", "userAgent", "errorCode"),
)
CREDENTIALS: Final = Search(
    "cloudtrail-search-credentials",
    "CloudTrail: new credentials",
    "Calls that make or upload access keys, passwords and key pairs, failed ones included.",
    NEW_CREDENTIALS,
    (*_WHAT, *_WHO, "errorCode"),
)
GROUPS: Final = Search(
    "cloudtrail-search-security-groups",
    "CloudTrail: security group changes",
    "Calls that change security groups or their rules, failed ones included.",
    SECURITY_GROUPS,
    (*_WHAT, *_WHO, "errorCode"),
)

SEARCHES: Final = (ALL_EVENTS, ERRONEOUS, REFUSED, CONSOLE, CONSOLE_WITHOUT_MFA, ROOT, CREDENTIALS, GROUPS)
