"""The files that let a trail's bucket start runs: they fit each other, and the linter finds nothing."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import boto3
import pytest

from devstack.compose.reading import ROOT

FOLDER = ROOT / "docs" / "examples" / "trail-notifications"

pytestmark = [
    # parliament's own.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:invalid escape sequence"),
]


def read(name: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / name).read_text()))


def statement(name: str) -> dict[str, Any]:
    (only,) = read(name)["Statement"]
    return dict(only)


def test_all_files_name_the_same_queue() -> None:
    (configuration,) = read("notification.json")["QueueConfigurations"]
    queues = {configuration["QueueArn"]} | {
        statement(name)["Resource"] for name in ("queue-policy.json", "permissions.json")
    }
    assert len(queues) == 1


@pytest.mark.promise("closed")
def test_the_triggerer_may_only_read_and_delete_messages(parliament: ModuleType) -> None:
    """These are the calls of the provider's trigger, and the linter knows them."""
    assert statement("permissions.json")["Action"] == ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
    text = (FOLDER / "permissions.json").read_text()
    assert [str(finding) for finding in parliament.analyze_policy_string(text).findings] == []
    assert parliament.analyze_policy_string(text.replace("ReceiveMessage", "ReceiveMesage")).findings


@pytest.mark.promise("closed")
def test_only_s3_may_send_for_one_bucket_of_one_account() -> None:
    """Otherwise, anyone's bucket could start runs."""
    allowed = statement("queue-policy.json")
    assert allowed["Principal"] == {"Service": "s3.amazonaws.com"}
    assert allowed["Action"] == "sqs:SendMessage"
    assert set(allowed["Condition"]) == {"ArnEquals", "StringEquals"}


def test_botocore_accepts_the_configuration() -> None:
    """A misspelt member would be an error of the command in docs/trails.md."""
    from botocore.validate import ParamValidator

    shape = boto3.client("s3").meta.service_model.operation_model("PutBucketNotificationConfiguration").input_shape
    given = {"Bucket": "trail", "NotificationConfiguration": read("notification.json")}
    assert not ParamValidator().validate(given, shape).has_errors()
