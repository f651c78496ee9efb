"""The AWS hook: clients of one connection."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.own_events import USER_AGENT
from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook

WINDOW = Window.from_dict(
    {
        "account": "123456789012",
        "region": "eu-central-1",
        "start": "2026-11-20T00:00:00+00:00",
        "end": "2026-11-21T00:00:00+00:00",
        "name": "",
    }
)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> CloudTrailHook:
    extra = {
        "region_name": "eu-west-1",
        "config_kwargs": {"proxies": {"https": "http://proxy.example.com:3128"}, "retries": {"max_attempts": 3}},
        "service_config": {"s3": {"endpoint_url": "https://s3.example.com"}},
    }
    connection = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    return CloudTrailHook(aws_conn_id="aws_default")


def test_clients_have_the_settings_of_the_connection(hook: CloudTrailHook) -> None:
    """Its proxies, endpoints and region. CloudTrail's client has the window's region, and leaves retries to us."""
    cloudtrail, s3 = hook.open_account().open_lookup(WINDOW)._client, hook.s3()
    assert cloudtrail.meta.region_name == "eu-central-1"
    assert cloudtrail.meta.config.retries["total_max_attempts"] == 1
    assert s3.meta.region_name == "eu-west-1"
    assert s3.meta.endpoint_url == "https://s3.example.com"
    assert s3.meta.config.retries["total_max_attempts"] == 4
    for client in (cloudtrail, s3):
        assert client.meta.config.proxies == {"https": "http://proxy.example.com:3128"}
        assert USER_AGENT in client.meta.config.user_agent


@pytest.mark.parametrize(("configured", "expected"), [({}, 64), ({"max_pool_connections": 100}, 100)])
def test_the_threads_of_a_batch_keep_their_connections_to_s3(
    configured: dict[str, int], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore's 10 are too few for the windows of a batch: each further one would be opened for one request."""
    extra = {"region_name": "eu-west-1", "config_kwargs": configured}
    connection = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    assert CloudTrailHook(aws_conn_id="aws_default").s3().meta.config.max_pool_connections == expected


def test_staging_writes_without_optional_checksums(aws: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request signs the SHA-256 of the body, so a CRC is not needed."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://testing:testing@/")
    sent: list[Any] = []
    s3 = CloudTrailHook(aws_conn_id="aws_default").s3()
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(request.headers))
    s3.put_object(Bucket=bucket, Key="part", Body=b"content")
    (headers,) = sent
    assert not [name for name in headers if name.lower().startswith("x-amz-checksum")]
    assert headers["X-Amz-Content-SHA256"].decode() == hashlib.sha256(b"content").hexdigest()


def test_a_connection_that_chooses_checksums_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket with Object Lock rejects an object without one."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    extra = {"config_kwargs": {"request_checksum_calculation": "when_supported"}}
    connection = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    config = CloudTrailHook(aws_conn_id="aws_default").s3().meta.config
    assert config.request_checksum_calculation == "when_supported"
    assert config.response_checksum_validation == "when_required"


def test_clients_share_a_session(hook: CloudTrailHook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials are requested once, so a role is assumed once."""
    asked = []
    get_session = CloudTrailHook.get_session

    def counted(self: CloudTrailHook, region_name: str | None = None) -> Any:
        asked.append(region_name)
        return get_session(self, region_name)

    monkeypatch.setattr(CloudTrailHook, "get_session", counted)
    hook.open_account().open_lookup(WINDOW)
    hook.s3()
    assert asked == ["eu-west-1"]


ROLE = "arn:aws:iam::444455556666:role/read-the-trail"


@pytest.fixture
def signed_with(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The credentials of each request for an object of a trail's bucket."""
    import botocore.auth

    used: list[Any] = []

    class Signer(botocore.auth.S3SigV4Auth):  # type: ignore[misc]
        def __init__(self, credentials: Any, *arguments: Any) -> None:
            used.append(credentials)
            super().__init__(credentials, *arguments)

    monkeypatch.setattr(botocore.auth, "S3SigV4Auth", Signer)
    return used


@pytest.mark.promise("closed")
def test_a_trail_in_another_account_is_read_with_the_role_of_its_connection(
    aws: str, bucket: str, signed_with: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The role is assumed once, and signs every request; other clients keep the worker's own credentials."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", aws)
    own = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": {"region_name": "us-east-1"}}
    other = own | {"extra": {"region_name": "us-east-1", "role_arn": ROLE}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(own))
    monkeypatch.setenv("AIRFLOW_CONN_CLOUDTRAIL_TRAIL", json.dumps(other))
    s3 = CloudTrailHook(aws_conn_id="aws_default").s3()
    s3.put_object(Bucket=bucket, Key="AWSLogs/file", Body=b"content")
    opened = CloudTrailHook(aws_conn_id="cloudtrail_trail").open_trail_bucket(bucket, "AWSLogs/")
    signed_with.clear()
    assert list(opened.list_keys("AWSLogs/")) == ["AWSLogs/file"]
    found = opened.get("AWSLogs/file", 7)
    assert found is not None
    assert found.body == b"content"
    assert len(signed_with) == 2
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html: ASIA begins a temporary key.
    assert all(used.access_key.startswith("ASIA") and used.token for used in signed_with)
    assert len({used.access_key for used in signed_with}) == 1
    assert s3._request_signer._credentials.access_key == "testing"
