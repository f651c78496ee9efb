"""minimal_policy.json allows what the code calls, and nothing else."""

import json
import re
import sys
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from devstack.compose.reading import ROOT

from .calls import aws_calls, search_requests

POLICY_TEXT = (ROOT / "minimal_policy.json").read_text()
STATEMENTS: list[dict[str, Any]] = json.loads(POLICY_TEXT)["Statement"]

EXAMPLE = {
    "ACCOUNT_ID": "111122223333",
    "CLOUDTRAIL_PREFIX": "cloudtrail",
    "CLOUDTRAIL_STAGING_BUCKET": "example-cloudtrail-staging",
    "DOMAIN_NAME": "cloudtrail",
    "KEY_ID": "1234abcd-12ab-34cd-56ef-1234567890ab",
    "REGION": "eu-west-1",
}
"""What a user puts in the place of each word in capitals."""

# A missing object is told apart from a forbidden one (404 from 403) only to those who may list the bucket:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
READ_OBJECT = {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"}

ACTIONS_OF_CALLS: dict[str, set[str]] = {
    "delete_objects": {"s3:DeleteObject"},
    "describe_regions": {"ec2:DescribeRegions"},
    "get_caller_identity": set(),  # answered without any permission, even against a Deny
    "get_object": READ_OBJECT,
    "head_bucket": {"s3:ListBucket"},
    "head_object": READ_OBJECT,
    "list_objects_v2": {"s3:ListBucket"},
    "lookup_events": {"cloudtrail:LookupEvents"},
    "put_object": {"s3:PutObject", "kms:GenerateDataKey"},
    "verify": set(),  # a method of our own, by the name of one of KMS
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


@pytest.fixture
def parliament(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The linter. Of the retired pkg_resources it asks one thing, the path of its own data files."""
    stand_in = ModuleType("pkg_resources")
    vars(stand_in)["resource_filename"] = lambda package, name: str(files(package) / name)
    monkeypatch.setitem(sys.modules, "pkg_resources", stand_in)
    return import_module("parliament")


def test_the_linter_finds_nothing(parliament: ModuleType) -> None:
    """With the placeholders filled in, parliament has no finding of any severity."""
    assert [str(finding) for finding in parliament.analyze_policy_string(filled_in()).findings] == []


def test_the_linter_would_find_a_misspelt_action(parliament: ModuleType) -> None:
    """The linter knows AWS's actions: an action that does not exist is found."""
    misspelt = filled_in().replace("s3:PutObject", "s3:PutObjekt")
    assert parliament.analyze_policy_string(misspelt).findings


def test_every_aws_call_is_known() -> None:
    """Each AWS client method that the source calls has its actions written down in this file."""
    unknown = {name: places for name, places in aws_calls().items() if name not in ACTIONS_OF_CALLS}
    assert unknown == {}


def test_every_search_request_is_known() -> None:
    """Each HTTP method that the source sends to the search server has its action here: DELETE has none."""
    unknown = {name: places for name, places in search_requests().items() if name not in ACTIONS_OF_REQUESTS}
    assert unknown == {}


def test_actions_are_those_of_the_calls() -> None:
    """What the policy allows is what the calls in the source take: none missing, none to spare."""
    by_call = [ACTIONS_OF_CALLS.get(name, set()) for name in aws_calls()]
    by_request = [ACTIONS_OF_REQUESTS.get(name, set()) for name in search_requests()]
    assert allowed_actions() == set().union(*by_call, *by_request)


def test_the_scan_sees_every_way_to_call(tmp_path: Path) -> None:
    """A method called, paginated, or handed on to be called is found, and where; others are not."""
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


def test_statements_say_what_they_are_for() -> None:
    """Each statement has a name of its own, and docs/deployment.md explains it under that name."""
    names = [statement["Sid"] for statement in STATEMENTS]
    explained = (ROOT / "docs" / "deployment.md").read_text()
    assert len(set(names)) == len(STATEMENTS)
    assert [name for name in names if f"`{name}`" not in explained] == []


def test_only_what_cannot_be_narrowed_is_on_every_resource() -> None:
    """`*` stands alone only where AWS offers no resource, and no action holds a wildcard."""
    on_all = {statement["Action"] for statement in STATEMENTS if statement["Resource"] == "*"}
    assert on_all == {"cloudtrail:LookupEvents", "ec2:DescribeRegions"}
    assert [action for action in allowed_actions() if "*" in action] == []
