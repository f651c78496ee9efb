"""Data events: calls on the objects of S3, invocations of Lambda functions, items of DynamoDB tables.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from devstack.simulator import envelope
from devstack.simulator.calls import service_calls
from devstack.simulator.generated import GeneratedEvents, draw_of, event_id
from devstack.simulator.timeline import Timeline
from devstack.simulator.values import Scene

_WEIGHTED: Final = (
    (60, ("s3", "GetObject")),
    (20, ("s3", "PutObject")),
    (15, ("s3", "HeadObject")),
    (4, ("s3", "DeleteObject")),
    (25, ("lambda", "Invoke")),
    (8, ("dynamodb", "GetItem")),
    (4, ("dynamodb", "PutItem")),
)
_UP_TO: Final = tuple(itertools.accumulate(weight for weight, _ in _WEIGHTED))


@dataclass(frozen=True, slots=True)
class DataEvents(GeneratedEvents):
    """An event store of generated data events."""

    kind: ClassVar[str] = "data"

    def _make(self, account: str, region: str, timeline: Timeline, index: int) -> dict[str, Any]:
        name = event_id(timeline.key, index)
        scene = Scene(draw_of(name), account, region, timeline.time(index))
        service, operation = _WEIGHTED[bisect.bisect(_UP_TO, scene.draw.real() * _UP_TO[-1])][1]
        record = envelope.record(scene, service_calls(service).call(operation), name)
        record["resources"] = _resources(scene, service, record["requestParameters"])
        return record


def _resources(scene: Scene, service: str, request: Mapping[str, Any]) -> list[dict[str, str]]:
    account, region = scene.account, scene.region
    if service == "s3":
        bucket = f"arn:aws:s3:::{request['bucketName']}"
        return [
            {"type": "AWS::S3::Object", "ARN": f"{bucket}/{request['key']}"},
            {"accountId": account, "type": "AWS::S3::Bucket", "ARN": bucket},
        ]
    if service == "lambda":
        arn = f"arn:aws:lambda:{region}:{account}:function:{request['functionName']}"
        return [{"accountId": account, "type": "AWS::Lambda::Function", "ARN": arn}]
    arn = f"arn:aws:dynamodb:{region}:{account}:table/{request['tableName']}"
    return [{"accountId": account, "type": "AWS::DynamoDB::Table", "ARN": arn}]
