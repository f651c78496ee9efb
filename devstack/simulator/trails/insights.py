"""Insights events: the start and the end of a time of unusual activity.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-insights-fields-trails.html
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from devstack.simulator.draw import Draw, digest
from devstack.simulator.regions import REGIONS, SHARES
from devstack.simulator.store import NEWEST, Entry, Position, Record, Span
from devstack.simulator.timeline import DAY
from devstack.simulator.values import iso_time

_UNUSUAL: Final = (
    ("ec2.amazonaws.com", "RunInstances", None),
    ("iam.amazonaws.com", "AttachRolePolicy", None),
    ("s3.amazonaws.com", "DeleteBucket", None),
    ("ssm.amazonaws.com", "UpdateInstanceInformation", None),
    ("kms.amazonaws.com", "Decrypt", "AccessDeniedException"),
    ("ec2.amazonaws.com", "AuthorizeSecurityGroupIngress", "Client.InvalidPermission.Duplicate"),
)


@dataclass(frozen=True, slots=True)
class Insights:
    """An event store of Insights events. `a_day` is the times of unusual activity in the busiest region."""

    seed: int = 1
    a_day: float = 3.0
    shares: Mapping[str, float] = field(default_factory=lambda: SHARES)
    activity: Mapping[str, float] = field(default_factory=dict)
    account_shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def regions(self) -> frozenset[str]:
        """Return the 17 default regions."""
        return frozenset(REGIONS)

    def count(self, span: Span) -> int:
        """Return how many events happen in a span."""
        return sum(1 for _ in self.newest_first(span))

    def newest_first(self, span: Span, before: Position = NEWEST) -> Iterator[Entry]:
        """Yield the events of a span before a position, from the latest to the earliest."""
        for day in range(span.end // DAY, span.start // DAY - 1, -1):
            entries = sorted(self._entries(span.account, span.region, day), key=_position, reverse=True)
            for entry in entries:
                if span.start <= entry.time <= span.end and entry.position < before:
                    yield entry

    def _entries(self, account: str, region: str, day: int) -> Iterator[Entry]:
        draw = Draw(int.from_bytes(digest(self.seed, "insights", account, region, day), "big"))
        shares = self.account_shares.get(account, self.shares)
        expected = self.a_day * shares.get(region, 0.0) * self.activity.get(account, 1.0)
        for _ in range(int(expected) + draw.chance(expected % 1)):
            minutes = draw.between(2, 30)
            start = day * DAY + draw.below(DAY // 60 - minutes) * 60
            details, shared = _details(draw, account, minutes), draw.uuid()
            for state, time in (("Start", start), ("End", start + minutes * 60)):
                fields = {
                    "eventVersion": "1.09",
                    "eventTime": iso_time(time),
                    "awsRegion": region,
                    "eventID": draw.uuid(),
                    "eventType": "AwsCloudTrailInsight",
                    "recipientAccountId": account,
                    "sharedEventID": shared,
                    "insightDetails": {"state": state, **_of_state(details, state)},
                    "eventCategory": "Insight",
                }
                yield Entry(time, str(fields["eventID"]), functools.partial(_record, fields))


def _details(draw: Draw, account: str, minutes: int) -> dict[str, Any]:
    source, name, error = draw.pick(_UNUSUAL)
    usual, unusual = round(draw.real() / 10, 10), float(draw.between(5, 400))
    user = f"arn:aws:sts::{account}:assumed-role/job-{draw.below(20)}"
    return {
        "eventSource": source,
        "eventName": name,
        "insightType": "ApiErrorRateInsight" if error else "ApiCallRateInsight",
        **({"errorCode": error} if error else {}),
        "insightContext": {
            "statistics": {
                "baseline": {"average": usual},
                "insight": {"average": unusual},
                "insightDuration": minutes,
                "baselineDuration": 10_080,
            },
            "attributions": [
                {
                    "attribute": "userIdentityArn",
                    "insight": [{"value": user, "average": unusual}],
                    "baseline": [{"value": user, "average": usual}],
                },
                {"attribute": "userAgent", "insight": [{"value": "job/2.1", "average": unusual}], "baseline": []},
            ],
        },
    }


def _of_state(details: Mapping[str, Any], state: str) -> dict[str, Any]:
    """Return the details without the duration, which the first of both events does not know."""
    if state == "End":
        return dict(details)
    context = details["insightContext"]
    statistics = {name: value for name, value in context["statistics"].items() if name != "insightDuration"}
    return {**details, "insightContext": {**context, "statistics": statistics}}


def _position(entry: Entry) -> Position:
    return entry.position


def _record(fields: Mapping[str, Any]) -> Record:
    return Record(fields, orjson.dumps(fields).decode())
