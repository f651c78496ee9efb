"""A whole CloudTrail record around a call, and the records without a call: sign-ins and service events.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

from typing import Any, Final

from devstack.simulator import callers
from devstack.simulator.callers import Caller
from devstack.simulator.calls import Call
from devstack.simulator.values import Scene, iso_time

EVENT_VERSION: Final = "1.11"

_ERRORS: Final = 0.05
_CIPHERS: Final = ("TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256")
_DENIED: Final = {"ec2": "Client.UnauthorizedOperation"}
_THROTTLED: Final = {"ec2": "Client.RequestLimitExceeded"}


def record(scene: Scene, call: Call, event_id: str) -> dict[str, Any]:
    """Return the record of a call."""
    caller = callers.caller(scene)
    event = _head(scene, caller, call.event_source, call.event_name)
    error = _error(scene, call, caller)
    event.update(error)
    event["requestParameters"] = call.request(scene)
    event["responseElements"] = None if error else call.response(scene)
    additional = _additional(scene, call)
    if additional is not None:
        event["additionalEventData"] = additional
    event["requestID"] = scene.draw.uuid()
    event["eventID"] = event_id
    event["readOnly"] = call.read_only
    resources = _resources(scene, call, event["requestParameters"])
    if resources:
        event["resources"] = resources
    event["eventType"] = "AwsApiCall"
    if call.api_version:
        event["apiVersion"] = call.api_version
    _tail(event, scene, "Data" if call.is_data_event else "Management")
    _connection(event, scene, caller, call)
    return event


def sign_in(scene: Scene, event_id: str) -> dict[str, Any]:
    """Return the record of a person's sign-in to the console; one in eight fails."""
    caller = callers.person_at_console(scene)
    caller.identity.pop("accessKeyId", None)
    caller.identity.pop("sessionContext", None)
    failed = scene.draw.chance(0.125)
    event = _head(scene, caller, "signin.amazonaws.com", "ConsoleLogin")
    if failed:
        event["errorMessage"] = "Failed authentication"
    event["requestParameters"] = None
    event["responseElements"] = {"ConsoleLogin": "Failure" if failed else "Success"}
    event["additionalEventData"] = {
        "LoginTo": "https://console.aws.amazon.com/console/home?hashArgs=%23&isauthcode=true",
        "MobileVersion": "No",
        "MFAUsed": scene.draw.pick(("Yes", "No")),
    }
    event["eventID"] = event_id
    event["readOnly"] = False
    event["eventType"] = "AwsConsoleSignIn"
    _tail(event, scene, "Management")
    event["tlsDetails"] = _tls(scene, "signin.aws.amazon.com")
    return event


def service_event(scene: Scene, event_id: str) -> dict[str, Any]:
    """Return the record of something that a service did by itself: a key rotation."""
    key = f"arn:aws:kms:{scene.region}:{scene.account}:key/{scene.draw.uuid()}"
    caller = Caller(callers.service_in_account(scene), "AWS Internal", "AWS Internal", over_network=False)
    event = _head(scene, caller, "kms.amazonaws.com", "RotateKey")
    event["requestParameters"] = None
    event["responseElements"] = None
    event["eventID"] = event_id
    event["readOnly"] = False
    event["resources"] = [{"accountId": scene.account, "type": "AWS::KMS::Key", "ARN": key}]
    event["eventType"] = "AwsServiceEvent"
    event["serviceEventDetails"] = {"rotationType": "AUTOMATIC", "keyId": key.rpartition("/")[2]}
    _tail(event, scene, "Management")
    return event


def _head(scene: Scene, caller: Caller, source: str, name: str) -> dict[str, Any]:
    return {
        "eventVersion": EVENT_VERSION,
        "userIdentity": caller.identity,
        "eventTime": iso_time(scene.time),
        "eventSource": source,
        "eventName": name,
        "awsRegion": scene.region,
        "sourceIPAddress": caller.address,
        "userAgent": caller.user_agent,
    }


def _tail(event: dict[str, Any], scene: Scene, category: str) -> None:
    event["managementEvent"] = category == "Management"
    event["recipientAccountId"] = scene.account
    if event["userIdentity"].get("type") in {"AWSService", "AWSAccount"}:
        event["sharedEventID"] = scene.draw.uuid()
    event["eventCategory"] = category


def _connection(event: dict[str, Any], scene: Scene, caller: Caller, call: Call) -> None:
    if not caller.over_network:
        return
    if scene.draw.chance(0.04):
        event["vpcEndpointId"] = f"vpce-0{scene.draw.hex(16)}"
        event["vpcEndpointAccountId"] = scene.account
    prefix = call.event_source.removesuffix(".amazonaws.com")
    event["tlsDetails"] = _tls(scene, f"{prefix}.{scene.region}.amazonaws.com")
    if caller.from_console:
        event["sessionCredentialFromConsole"] = "true"


def _tls(scene: Scene, host: str) -> dict[str, str]:
    new = scene.draw.chance(0.8)
    return {
        "tlsVersion": "TLSv1.3" if new else "TLSv1.2",
        "cipherSuite": _CIPHERS[0] if new else _CIPHERS[1],
        "clientProvidedHostHeader": host,
    }


def _error(scene: Scene, call: Call, caller: Caller) -> dict[str, str]:
    if not scene.draw.chance(_ERRORS):
        return {}
    way = scene.draw.real()
    if way < 0.5:
        who = caller.identity.get("arn", caller.address)
        action = f"{call.event_source.partition('.')[0]}:{call.operation}"
        message = f"User: {who} is not authorized to perform: {action} because no identity-based policy allows it"
        return {"errorCode": _DENIED.get(call.service, "AccessDenied"), "errorMessage": message}
    if way < 0.65 or not call.errors:
        return {"errorCode": _THROTTLED.get(call.service, "ThrottlingException"), "errorMessage": "Rate exceeded"}
    return {"errorCode": scene.draw.pick(call.errors), "errorMessage": "The request could not be completed"}


def _additional(scene: Scene, call: Call) -> Any:
    draw = scene.draw
    if call.service == "s3":
        return {
            "SignatureVersion": "SigV4",
            "CipherSuite": _CIPHERS[0],
            "bytesTransferredIn": draw.below(300),
            "AuthenticationMethod": "AuthHeader",
            "x-amz-id-2": draw.base64(75) + "=",
            "bytesTransferredOut": draw.below(2000),
        }
    if call.operation == "RetireGrant":
        return f"Grant ID: {draw.hex(64)}"
    if call.service == "route53" and not call.read_only:
        return {"Note": "Do not use to reconstruct hosted zone"}
    if call.service == "kms" and draw.chance(0.5):
        return {"keyMaterialId": draw.hex(64)}
    return None


def _resources(scene: Scene, call: Call, request: Any) -> list[dict[str, str]] | None:
    parameters = request if isinstance(request, dict) else {}
    account = scene.account
    if call.service == "sts" and isinstance(role := parameters.get("roleArn"), str):
        return [{"accountId": account, "type": "AWS::IAM::Role", "ARN": role}]
    if call.service == "kms" and isinstance(key := parameters.get("keyId"), str):
        arn = key if key.startswith("arn:") else f"arn:aws:kms:{scene.region}:{account}:key/{key}"
        return [{"accountId": account, "type": "AWS::KMS::Key", "ARN": arn}]
    if call.service == "s3" and isinstance(bucket := parameters.get("bucketName"), str):
        return [{"accountId": account, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"}]
    return None
