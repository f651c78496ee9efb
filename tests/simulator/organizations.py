"""Helpers of the tests of accounts: an organization, and boto3 clients of each service and session."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from devstack.simulator import DEFAULT_ACCOUNT, Member, Role, Simulator
from tests.simulator.lookups import REGION

OTHER = "111122223333"
QUIET = "444455556666"
ROLE = "security/audit"
ROLE_ARN = f"arn:aws:iam::{OTHER}:role/{ROLE}"
SESSION = "cloudtrail-elasticsearch"

MEMBERS = (
    Member(OTHER, "Orders", "orders@example.com", roles=(Role(ROLE),), regions=("us-east-1", "eu-west-1")),
    Member(QUIET, "Archive", roles=(Role(ROLE, external_id="id-1"),), activity=0.01, shares={"eu-west-1": 1.0}),
    Member("777788889999", "Closed", state="SUSPENDED", roles=(Role(ROLE),)),
)


def client_of(
    simulator: Simulator, service: str, credentials: dict[str, Any] | None = None, region: str = REGION
) -> Any:
    """Return a boto3 client that makes one attempt, with the worker's key or the credentials of a session."""
    keys = credentials or {"AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "secret"}
    return boto3.client(
        service,
        endpoint_url=simulator.endpoint_url,
        region_name=region,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys.get("SessionToken"),
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
    )


def assume(simulator: Simulator, arn: str = ROLE_ARN, **more: Any) -> dict[str, Any]:
    """Return the credentials of a new session of a role."""
    answer = client_of(simulator, "sts").assume_role(RoleArn=arn, **{"RoleSessionName": SESSION, **more})
    return dict(answer["Credentials"])


def error_of(call: Any, **request: Any) -> tuple[str, str, int]:
    """Return the code, message and HTTP status of the error that a call raises."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    answer = caught.value.response
    status = int(answer["ResponseMetadata"]["HTTPStatusCode"])
    return str(answer["Error"]["Code"]), str(answer["Error"]["Message"]), status


def control(simulator: Simulator, method: str, path: str, body: Any = None) -> Any:
    """Return the answer of the control interface."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{simulator.endpoint_url}/_control/{path}", data, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


WORKER_ARN = f"arn:aws:iam::{DEFAULT_ACCOUNT}:user/loader"
