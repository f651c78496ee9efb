"""Write `events.ndjson`: generated events of many services (``python -m tests.data``)."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson

from devstack.simulator.generator import event_for, operations
from devstack.simulator.mix import CONSOLE_LOGIN

FILE: Final = Path(__file__).with_name("events.ndjson")

_POPULAR: Final = (
    CONSOLE_LOGIN,
    ("dynamodb", "CreateTable"),
    ("ec2", "AuthorizeSecurityGroupIngress"),
    ("ec2", "DescribeInstances"),
    ("ec2", "RunInstances"),
    ("iam", "CreateRole"),
    ("iam", "PutUserPolicy"),
    ("kms", "Decrypt"),
    ("rds", "CreateDBInstance"),
    ("s3", "PutBucketPolicy"),
    ("sts", "AssumeRole"),
)
_OTHERS: Final = 90
_FIRST: Final = datetime(2026, 11, 1, tzinfo=UTC)


def sample() -> list[dict[str, Any]]:
    """Return two events of each popular operation and one each of other services, in the order of time."""
    draw = random.Random(1)
    of_services: dict[str, list[str]] = {}
    for service, operation in sorted(operations()):
        of_services.setdefault(service, []).append(operation)
    others = [
        (service, draw.choice(of_services[service])) for service in draw.sample(sorted(of_services), _OTHERS)
    ]
    chosen = [*_POPULAR, *_POPULAR, *others]
    times = sorted(draw.randrange(20 * 86_400) for _ in chosen)
    draw.shuffle(chosen)
    return [
        event_for(service, operation, number, time=_FIRST + timedelta(seconds=second))
        for number, ((service, operation), second) in enumerate(zip(chosen, times, strict=True))
    ]


if __name__ == "__main__":
    FILE.write_bytes(b"".join(orjson.dumps(event) + b"\n" for event in sample()))
