"""Network activity events: calls through a VPC endpoint, as its owner sees them.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-network-events-with-cloudtrail.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from devstack.simulator import callers
from devstack.simulator.envelope import EVENT_VERSION
from devstack.simulator.generated import GeneratedEvents, draw_of, event_id
from devstack.simulator.timeline import Timeline
from devstack.simulator.values import Scene, iso_time

_CALLS: Final = (
    ("kms", "Decrypt"),
    ("kms", "GenerateDataKey"),
    ("kms", "ListKeys"),
    ("secretsmanager", "GetSecretValue"),
    ("ec2", "DescribeInstances"),
    ("cloudtrail", "LookupEvents"),
    ("s3", "GetObject"),
    ("s3", "PutObject"),
)
_DENIED: Final = {
    "errorCode": "VpceAccessDenied",
    "errorMessage": "The request was denied due to a VPC endpoint policy",
}


@dataclass(frozen=True, slots=True)
class NetworkActivity(GeneratedEvents):
    """An event store of generated network activity events. The endpoint's policy denies one call in ten."""

    kind: ClassVar[str] = "network"

    def _make(self, account: str, region: str, timeline: Timeline, index: int) -> dict[str, Any]:
        name = event_id(timeline.key, index)
        draw = draw_of(name)
        scene = Scene(draw, account, region, timeline.time(index))
        service, operation = draw.pick(_CALLS)
        denied = _DENIED if draw.chance(0.1) else {}
        return {
            "eventVersion": EVENT_VERSION,
            "userIdentity": callers.caller(scene).identity,
            "eventTime": iso_time(scene.time),
            "eventSource": f"{service}.amazonaws.com",
            "eventName": operation,
            "awsRegion": region,
            "sourceIPAddress": f"10.0.{draw.below(256)}.{draw.between(1, 254)}",
            **denied,
            "requestID": draw.uuid(),
            "eventID": name,
            "eventType": "AwsVpceEvent",
            "recipientAccountId": account,
            "sharedEventID": draw.uuid(),
            "vpcEndpointId": f"vpce-0{draw.hex(16)}",
            "vpcEndpointAccountId": account,
            "eventCategory": "NetworkActivity",
        }
