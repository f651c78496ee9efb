"""minimal_policy.json allows exactly the calls of the code."""

import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from devstack.compose.reading import ROOT

from .calls import aws_calls, search_requests

POLICY_TEXT = (ROOT / "minimal_policy.json").read_text()
STATEMENTS: list[dict[str, Any]] = json.loads(POLICY_TEXT)["Statement"]

EXAMPLE = {
    # Longer words first: each is replaced before a word that it contains.
    "BUCKET_ACCOUNT_ID": "444455556666",
    "BUCKET_REGION": "us-east-1",
    "KEY_ACCOUNT_ID": "444455556666",
    "ROLE_NAME": "security/cloudtrail-reader",
    "TRAIL_ACCOUNT_ID": "777788889999",
    "TRAIL_BUCKET": "example-organization-trail",
    "TRAIL_KEY_ID": "5678abcd-12ab-34cd-56ef-1234567890ab",
    "TRAIL_NAME": "organization",
    "TRAIL_PREFIX": "audit",
    "TRAIL_REGION": "us-east-1",
    "ACCOUNT_ID": "111122223333",
    "CLOUDTRAIL_PREFIX": "cloudtrail",
    "CLOUDTRAIL_STAGING_BUCKET": "example-cloudtrail-staging",
    "DOMAIN_NAME": "cloudtrail",
    "KEY_ID": "1234abcd-12ab-34cd-56ef-1234567890ab",
    "REGION": "eu-west-1",
}
"""What a user puts in the place of each word in capitals."""

# S3 answers 404 instead of 403 for a missing object only to callers who may list the bucket:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
READ_OBJECT = {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"}

ACTIONS_OF_CALLS: dict[str, set[str]] = {
    "assume_role": {"sts:AssumeRole"},
    "delete_objects": {"s3:DeleteObject"},
    "describe_regions": {"ec2:DescribeRegions"},
    "get_trail": {"cloudtrail:GetTrail"},
    "get_caller_identity": set(),  # answered without any permission, even against a Deny
    "get_object": READ_OBJECT,
    "head_bucket": {"s3:ListBucket"},
    "head_object": READ_OBJECT,
    "list_accounts": {"organizations:ListAccounts"},
    "list_keys": set(),  # a method of our own with the name of a method of KMS
    "list_objects_v2": {"s3:ListBucket"},
    "list_public_keys": {"cloudtrail:ListPublicKeys"},
    "lookup_events": {"cloudtrail:LookupEvents"},
    "put_object": {"s3:PutObject", "kms:GenerateDataKey"},
    "verify": set(),  # a method of our own with the name of a method of KMS
}
"""Per AWS client method, the actions it takes (the AWS Service Authorization Reference)."""

ACTIONS_OF_REQUESTS: dict[str, set[str]] = {
    "GET": {"es:ESHttpGet"},
    "HEAD": {"es:ESHttpHead"},
    "POST": {"es:ESHttpPost"},
    "PUT": {"es:ESHttpPut"},
}
"""Per HTTP method sent to Amazon OpenSearch Service, the action it takes.

There is none for DELETE, on purpose: entries leave the quarantine through ``_bulk``, a POST.
"""


# parliament 1.6 leaves its data files to the garbage collector, and writes regular expressions without r"".
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:invalid escape sequence"),
]


def allowed_actions() -> set[str]:
    actions = (statement["Action"] for statement in STATEMENTS)
    return {one for action in actions for one in ([action] if isinstance(action, str) else action)}


def filled_in() -> str:
    return re.sub("|".join(EXAMPLE), lambda placeholder: EXAMPLE[placeholder[0]], POLICY_TEXT)


def test_the_linter_finds_nothing(parliament: ModuleType) -> None:
    """When the placeholders are filled in, parliament has no finding of any severity."""
    assert [str(finding) for finding in parliament.analyze_policy_string(filled_in()).findings] == []


def test_the_linter_would_find_a_misspelt_action(parliament: ModuleType) -> None:
    """The linter knows AWS's actions, and reports one that does not exist."""
    misspelt = filled_in().replace("s3:PutObject", "s3:PutObjekt")
    assert parliament.analyze_policy_string(misspelt).findings


def test_every_aws_call_is_known() -> None:
    """This file lists the actions of each AWS client method that the source calls."""
    unknown = {name: places for name, places in aws_calls().items() if name not in ACTIONS_OF_CALLS}
    assert unknown == {}


def test_every_search_request_is_known() -> None:
    """This file lists the action of each HTTP method that the source sends to the server; DELETE has none."""
    unknown = {name: places for name, places in search_requests().items() if name not in ACTIONS_OF_REQUESTS}
    assert unknown == {}


@pytest.mark.promise("closed")
def test_the_policy_allows_exactly_the_actions_of_the_calls() -> None:
    """None is missing, and none is unnecessary."""
    by_call = [ACTIONS_OF_CALLS.get(name, set()) for name in aws_calls()]
    by_request = [ACTIONS_OF_REQUESTS.get(name, set()) for name in search_requests()]
    assert allowed_actions() == set().union(*by_call, *by_request)


def test_the_scan_finds_every_kind_of_call(tmp_path: Path) -> None:
    """A method that is called, paginated, or passed on to be called is found, with its place; others are not."""
    (tmp_path / "source.py").write_text(
        "s3.delete_object(Key='k')\n"
        "ec2.get_paginator('describe_instances')\n"
        "pool.submit(s3.upload_file, path)\n"
        "server.request('DELETE', '/index')\n"
        "events.sort(key=len)\n"
    )
    assert aws_calls(tmp_path) == {
        "delete_object": {"source.py:1"},
        "describe_instances": {"source.py:2"},
        "upload_file": {"source.py:3"},
    }
    assert search_requests(tmp_path) == {"DELETE": {"source.py:4"}}


def test_every_statement_is_explained() -> None:
    """Each has its own name, and docs/deployment.md explains it under that name."""
    names = [statement["Sid"] for statement in STATEMENTS]
    explained = (ROOT / "docs" / "deployment.md").read_text()
    assert len(set(names)) == len(STATEMENTS)
    assert [name for name in names if f"`{name}`" not in explained] == []


@pytest.mark.promise("closed")
def test_only_actions_without_resources_apply_to_all_resources() -> None:
    """`*` is used only if AWS offers no resource, and no action contains a wildcard."""
    on_all = {statement["Action"] for statement in STATEMENTS if statement["Resource"] == "*"}
    assert on_all == {
        "cloudtrail:LookupEvents",
        "cloudtrail:ListPublicKeys",
        "ec2:DescribeRegions",
        "organizations:ListAccounts",
    }
    assert [action for action in allowed_actions() if "*" in action] == []
