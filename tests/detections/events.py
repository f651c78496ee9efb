"""Events of our own for the rules of our own, each with an id that says what it is."""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]


def make_event(identifier: str, name: str, source: str = "ec2.amazonaws.com", **members: Any) -> Record:
    return {
        "eventVersion": "1.11",
        "eventID": identifier,
        "eventTime": "2026-11-20T10:00:00Z",
        "eventName": name,
        "eventSource": source,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "console.amazonaws.com",
        "userIdentity": {"type": "IAMUser", "userName": "ada", "arn": "arn:aws:iam::111122223333:user/ada"},
        "recipientAccountId": "111122223333",
        **members,
    }


def _role(name: str) -> Record:
    return {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:grace",
        "arn": f"arn:aws:sts::111122223333:assumed-role/{name}/grace",
        "sessionContext": {"sessionIssuer": {"type": "Role", "userName": name}},
    }


def _opened(*networks: str) -> Record:
    ranges = [{"cidrIp": network} for network in networks]
    return {"groupId": "sg-1", "ipPermissions": {"items": [{"ipRanges": {"items": ranges}}]}}


IAM = "iam.amazonaws.com"
SIGN_IN = "signin.amazonaws.com"
TRAIL = "cloudtrail.amazonaws.com"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
EVERYWHERE = "0.0.0.0/0"
CONTAINER = "aws-cli/2.31 md/awscrt exec-env/AWS_ECS_FARGATE"
CLOUDSHELL = "aws-cli/2.31 exec-env/CloudShell"

EVENTS = [
    make_event("root-sign-in", "ConsoleLogin", SIGN_IN, userIdentity={"type": "Root"}),
    make_event("sign-in", "ConsoleLogin", SIGN_IN, responseElements={"ConsoleLogin": "Success"}),
    make_event("failed-sign-in", "ConsoleLogin", SIGN_IN, responseElements={"ConsoleLogin": "Failure"}),
    make_event("key-of-another", "CreateAccessKey", IAM, requestParameters={"userName": "bob"}),
    make_event("key-of-oneself", "CreateAccessKey", IAM, requestParameters=None),
    make_event("trail-stopped", "StopLogging", TRAIL),
    make_event("trail-deleted", "DeleteTrail", TRAIL),
    make_event("trail-not-deleted", "DeleteTrail", TRAIL, errorCode="AccessDenied"),
    make_event("trail-read", "GetTrail", TRAIL),
    make_event(
        "open-to-all", "AuthorizeSecurityGroupIngress", requestParameters=_opened("10.0.0.0/8", EVERYWHERE)
    ),
    make_event("open-to-some", "AuthorizeSecurityGroupIngress", requestParameters=_opened("10.0.0.0/8")),
    make_event("denied-read", "DescribeInstances", errorCode="Client.UnauthorizedOperation"),
    make_event("denied-list", "ListUsers", IAM, errorCode="AccessDeniedException"),
    make_event("denied-change", "RunInstances", errorCode="Client.UnauthorizedOperation"),
    make_event("read", "DescribeInstances"),
    make_event("in-container", "GetObject", userAgent=CONTAINER),
    make_event("not-in-container", "GetObject", userAgent="aws-cli/2.31"),
    make_event("administrator", "RunInstances", userIdentity=_role("admin-network")),
    make_event("other-role", "RunInstances", userIdentity=_role("deploy-admin-1")),
    make_event("policy-of-role", "AttachRolePolicy", IAM, requestParameters={"policyArn": ADMINISTRATOR}),
    make_event(
        "policy-of-group",
        "AttachGroupPolicy",
        IAM,
        requestParameters={"policyArn": ADMINISTRATOR, "groupName": "admins"},
    ),
    make_event("added-to-group", "AddUserToGroup", IAM, requestParameters={"groupName": "admins"}),
    make_event("not-added-to-group", "AddUserToGroup", IAM, errorCode="NoSuchEntityException"),
    make_event("change-by-cloudshell", "RunInstances", userAgent=CLOUDSHELL),
    make_event("read-by-cloudshell", "DescribeInstances", userAgent=CLOUDSHELL),
    make_event("far-away", "RunInstances", awsRegion="ap-southeast-2"),
    make_event("in-europe", "RunInstances", awsRegion="eu-west-1"),
    make_event("from-network", "RunInstances", sourceIPAddress="198.51.100.9"),
    make_event(
        "deploy-from-network",
        "RunInstances",
        sourceIPAddress="198.51.100.9",
        userIdentity={"type": "IAMUser", "userName": "deploy"},
    ),
    make_event(
        "build-from-network",
        "RunInstances",
        sourceIPAddress="198.51.100.9",
        userIdentity={"type": "IAMUser", "userName": "build:7"},
    ),
    make_event("service", "RunInstances", sourceIPAddress="autoscaling.amazonaws.com"),
    make_event(
        "strong-cipher", "ListKeys", "kms.amazonaws.com", tlsDetails={"cipherSuite": "TLS_AES_128_GCM_SHA256"}
    ),
    make_event("unusual-parameter", "TagThing", requestParameters={"neverDeclared": "yes"}),
]

EXPECTED = {
    "root_console_sign_in": {"root-sign-in"},
    "access_key_for_another_user": {"key-of-another"},
    "trail_stopped": {"trail-stopped", "trail-deleted"},
    "security_group_open_to_all": {"open-to-all"},
    "denied_reconnaissance": {"denied-read", "denied-list"},
    "command_line_in_container": {"in-container"},
    "session_of_administrator": {"administrator"},
    "policy_of_administrator_attached": {"policy-of-role"},
    "group_membership_changed": {"added-to-group"},
    "console_sign_in_failed": {"failed-sign-in"},
    "cloudshell_changes": {"change-by-cloudshell"},
    "unusual_region": {"far-away"},
    "named_network": {"from-network"},
}
"""The events that each rule in ``rules/`` is about."""
