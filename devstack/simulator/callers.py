"""Callers: the identities of an account, their addresses and their clients.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from __future__ import annotations

import bisect
import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from devstack.simulator.draw import Draw, digest
from devstack.simulator.values import Scene, ip, iso_time


@dataclass(frozen=True, slots=True)
class Caller:
    """The members of an event that describe the caller. A call over the network has its own TLS connection."""

    identity: dict[str, Any]
    address: str
    user_agent: str
    over_network: bool = True
    from_console: bool = False


_ROLES: Final = (
    "AWSReservedSSO_AdministratorAccess_1f2e3d4c5b6a7988", "ci-deployer", "eks-node-group", "airflow-worker",
    "datadog-integration", "lambda-orders", "lambda-reports", "ecs-task-search", "terraform", "backup-operator",
    "GitHubActions", "inventory-reader",
)  # fmt: skip
_PEOPLE: Final = ("alice", "bob", "carol", "dave", "erin", "frank")
_USERS: Final = ("jenkins", "legacy-uploader", "alice", "monitoring", "s3-sync")
_OTHER_ACCOUNTS: Final = ("464622532012", "210987654321", "555566667777")
_SERVICES: Final = (
    "ec2.amazonaws.com", "lambda.amazonaws.com", "ecs-tasks.amazonaws.com", "config.amazonaws.com",
    "autoscaling.amazonaws.com", "cloudtrail.amazonaws.com", "elasticloadbalancing.amazonaws.com",
    "resource-explorer-2.amazonaws.com", "ssm.amazonaws.com", "guardduty.amazonaws.com",
)  # fmt: skip
_ON_BEHALF: Final = (
    "cloudformation.amazonaws.com",
    "autoscaling.amazonaws.com",
    "eks.amazonaws.com",
    "AWS Internal",
)
_SESSIONS: Final = ("botocore-session", "aws-go-sdk", "eks-pod", "deploy")
_BROWSERS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
)
_PROGRAMS: Final = (
    "Boto3/1.40.12 md/Botocore#1.40.12 ua/2.1 os/linux#6.1.0 md/arch#x86_64 lang/python#3.12.4",
    "aws-cli/2.27.41 md/awscrt#0.26.1 ua/2.1 os/macos#24.5.0 md/arch#arm64 lang/python#3.13.4 md/prompt#off",
    "APN/1.0 HashiCorp/1.0 Terraform/1.12.2 (+https://www.terraform.io) terraform-provider-aws/6.4.0",
    "aws-sdk-go-v2/1.36.5 ua/2.1 os/linux lang/go#1.24.4 md/GOOS#linux md/GOARCH#amd64",
    "aws-sdk-java/2.31.77 md/io#sync md/http#Apache ua/2.1 os/Linux#5.10 lang/java#21.0.7",
    "[aws-sdk-nodejs/2.1692.0 linux/v20.19.3 callback]",
)


def caller(scene: Scene) -> Caller:
    """Return the caller of an event."""
    return _KINDS[bisect.bisect(_UP_TO, scene.draw.real() * _UP_TO[-1])](scene)


def person_at_console(scene: Scene) -> Caller:
    """Return a person in a browser: an IAM user, or the root user once in ten."""
    identity = root(scene).identity if scene.draw.chance(0.1) else _user(scene)
    return Caller(identity, ip(scene), scene.draw.pick(_BROWSERS), from_console=True)


def root(scene: Scene) -> Caller:
    """Return the account's root user."""
    account = scene.account
    identity = {
        "type": "Root",
        "principalId": account,
        "arn": f"arn:aws:iam::{account}:root",
        "accountId": account,
        "accessKeyId": "ASIA" + scene.draw.upper(16),
        "sessionContext": {"attributes": _attributes(scene, mfa=True)},
    }
    return Caller(identity, ip(scene), _BROWSERS[0], from_console=True)


def service(scene: Scene) -> Caller:
    """Return an AWS service that calls on its own behalf."""
    name = scene.draw.pick(_SERVICES)
    return Caller({"type": "AWSService", "invokedBy": name}, name, name, over_network=False)


def service_in_account(scene: Scene) -> dict[str, Any]:
    """Return the identity of a service event, which has no caller."""
    return {"accountId": scene.account, "invokedBy": "AWS Internal"}


def _program(scene: Scene) -> Caller:
    role = scene.draw.pick(_ROLES[1:])
    return Caller(_assumed(scene, role, _session(scene.draw)), ip(scene), scene.draw.pick(_PROGRAMS))


def _person(scene: Scene) -> Caller:
    name = f"{scene.draw.pick(_PEOPLE)}@example.com"
    console = scene.draw.chance(0.6)
    agent = scene.draw.pick(_BROWSERS if console else _PROGRAMS)
    return Caller(_assumed(scene, _ROLES[0], name), ip(scene), agent, from_console=console)


def _on_behalf(scene: Scene) -> Caller:
    by = scene.draw.pick(_ON_BEHALF)
    identity = {**_assumed(scene, scene.draw.pick(_ROLES), _session(scene.draw)), "invokedBy": by}
    return Caller(identity, by, by, over_network=False)


def _iam_user(scene: Scene) -> Caller:
    return Caller(_user(scene), ip(scene), scene.draw.pick(_PROGRAMS))


def _other_account(scene: Scene) -> Caller:
    account = scene.draw.pick(_OTHER_ACCOUNTS)
    identity = {
        "type": "AWSAccount",
        "principalId": _principal("AROA", account, "partner") + ":partner",
        "accountId": account,
    }
    return Caller(identity, ip(scene), scene.draw.pick(_PROGRAMS))


def _federated(scene: Scene) -> Caller:
    account, name = scene.account, scene.draw.pick(_PEOPLE)
    identity = {
        "type": "FederatedUser",
        "principalId": f"{account}:{name}",
        "arn": f"arn:aws:sts::{account}:federated-user/{name}",
        "accountId": account,
        "accessKeyId": "ASIA" + scene.draw.upper(16),
        "sessionContext": {"sessionIssuer": _user(scene), "attributes": _attributes(scene, mfa=False)},
    }
    return Caller(identity, ip(scene), scene.draw.pick(_PROGRAMS))


_WEIGHTED: Final[tuple[tuple[int, Callable[[Scene], Caller]], ...]] = (
    (52, _program),
    (12, _person),
    (10, _on_behalf),
    (10, _iam_user),
    (13, service),
    (1, root),
    (1, _other_account),
    (1, _federated),
)
_KINDS: Final = tuple(kind for _, kind in _WEIGHTED)
_UP_TO: Final = tuple(itertools.accumulate(weight for weight, _ in _WEIGHTED))


def _session(draw: Draw) -> str:
    if draw.chance(0.4):
        return f"i-0{draw.hex(16)}"
    return f"{draw.pick(_SESSIONS)}-{draw.between(1_700_000_000, 1_799_999_999)}"


def _assumed(scene: Scene, role: str, session: str) -> dict[str, Any]:
    account = scene.account
    principal = _principal("AROA", account, role)
    path = f"aws-reserved/sso.amazonaws.com/{role}" if role.startswith("AWSReserved") else role
    issuer = {
        "type": "Role",
        "principalId": principal,
        "arn": f"arn:aws:iam::{account}:role/{path}",
        "accountId": account,
        "userName": role,
    }
    context: dict[str, Any] = {
        "sessionIssuer": issuer,
        "webIdFederationData": {},
        "attributes": _attributes(scene, mfa=False),
    }
    if role == "eks-node-group":
        context["ec2RoleDelivery"] = "2.0"
    return {
        "type": "AssumedRole",
        "principalId": f"{principal}:{session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        "accountId": account,
        "accessKeyId": "ASIA" + scene.draw.upper(16),
        "sessionContext": context,
    }


def _user(scene: Scene) -> dict[str, Any]:
    account, name = scene.account, scene.draw.pick(_USERS)
    return {
        "type": "IAMUser",
        "principalId": _principal("AIDA", account, name),
        "arn": f"arn:aws:iam::{account}:user/{name}",
        "accountId": account,
        "accessKeyId": _principal("AKIA", account, name),
        "userName": name,
    }


def _attributes(scene: Scene, *, mfa: bool) -> dict[str, str]:
    return {
        "creationDate": iso_time(scene.time - scene.draw.below(3600)),
        "mfaAuthenticated": "true" if mfa else "false",
    }


@functools.lru_cache(maxsize=4096)
def _principal(prefix: str, account: str, name: str) -> str:
    return prefix + Draw(int.from_bytes(digest(prefix, account, name), "big")).upper(17)
