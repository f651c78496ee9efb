"""The Event of a LookupEvents answer: the members that it adds to a record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from devstack.simulator.store import Entry

_TYPES: Final = {
    "bucketName": "AWS::S3::Bucket",
    "roleName": "AWS::IAM::Role",
    "userName": "AWS::IAM::User",
    "groupName": "AWS::IAM::Group",
    "policyArn": "AWS::IAM::Policy",
    "functionName": "AWS::Lambda::Function",
    "instanceId": "AWS::EC2::Instance",
    "volumeId": "AWS::EC2::Volume",
    "snapshotId": "AWS::EC2::Snapshot",
    "groupId": "AWS::EC2::SecurityGroup",
    "vpcId": "AWS::EC2::VPC",
    "subnetId": "AWS::EC2::Subnet",
    "tableName": "AWS::DynamoDB::Table",
    "dBInstanceIdentifier": "AWS::RDS::DBInstance",
    "autoScalingGroupName": "AWS::AutoScaling::AutoScalingGroup",
    "stackName": "AWS::CloudFormation::Stack",
    "secretId": "AWS::SecretsManager::Secret",
    "topicArn": "AWS::SNS::Topic",
}


def event(entry: Entry) -> dict[str, Any]:
    """Return an event as LookupEvents returns it; members that the record has no value for are left out."""
    record = entry.read()
    fields = record.fields
    # An Insights event names the unusual call in its details.
    call = fields.get("insightDetails", fields)
    answer = {
        "EventId": entry.id,
        "EventName": call.get("eventName"),
        "ReadOnly": _read_only(fields),
        "AccessKeyId": access_key(fields),
        "EventTime": entry.time,
        "EventSource": call.get("eventSource"),
        "Username": username(fields),
        "Resources": resources(fields),
        "CloudTrailEvent": record.text,
    }
    return {name: value for name, value in answer.items() if value is not None}


def matches(answer: Mapping[str, Any], key: str, value: str) -> bool:
    """Return whether an event has a lookup attribute."""
    if key in {"ResourceType", "ResourceName"}:
        return any(resource.get(key) == value for resource in answer["Resources"])
    return bool(answer.get(key) == value)


def username(fields: Mapping[str, Any]) -> str | None:
    """Return the user's name; for a role that of its session, and for the root user `root`."""
    identity = _identity(fields)
    if identity.get("type") == "Root":
        return "root"
    name = identity.get("userName")
    if name is None and identity.get("type") in {"AssumedRole", "FederatedUser"}:
        name = str(identity.get("arn", "")).rpartition("/")[2] or None
    return name if isinstance(name, str) else None


def access_key(fields: Mapping[str, Any]) -> str | None:
    """Return the access key that the call was made with."""
    key = _identity(fields).get("accessKeyId")
    return key if isinstance(key, str) and key else None


def resources(fields: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the resources of a call: the record's own, and those that its parameters name."""
    listed = fields.get("resources")
    own = [_own(item) for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    parameters = fields.get("requestParameters")
    named = _named(parameters) if isinstance(parameters, dict) else ()
    return [*own, *({"ResourceType": kind, "ResourceName": name} for kind, name in named)]


def _own(item: Mapping[str, Any]) -> dict[str, str]:
    pairs = (("ResourceType", item.get("type")), ("ResourceName", item.get("ARN")))
    return {name: value for name, value in pairs if isinstance(value, str)}


def _named(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in parameters.items():
        if isinstance(value, str) and name in _TYPES:
            yield _TYPES[name], value
        elif isinstance(value, dict) and isinstance(items := value.get("items"), list):
            for item in items:
                if isinstance(item, dict):
                    yield from ((_TYPES[key], text) for key, text in item.items() if key in _TYPES and text)


def _read_only(fields: Mapping[str, Any]) -> str | None:
    value = fields.get("readOnly")
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if value in {"true", "false"} else None


def _identity(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    identity = fields.get("userIdentity")
    return identity if isinstance(identity, dict) else {}
