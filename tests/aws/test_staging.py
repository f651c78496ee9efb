"""Staging in a real S3 protocol: what is written is what is read, and damage is found before it is loaded."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    ConfigurationError,
    StagingError,
    TransientError,
)
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.staging import LoadRecord, Manifest, Part, Staging

START = datetime(2026, 11, 20, tzinfo=UTC)
WINDOW = Window("123456789012", "eu-west-1", START, START + timedelta(days=1))


@pytest.fixture
def s3(aws: str) -> Any:
    return boto3.client("s3", endpoint_url=aws, region_name="us-east-1")


@pytest.fixture
def staging(s3: Any, bucket: str) -> Staging:
    return Staging(s3, bucket, "trail")


def manifest(*parts: Part, window: Window = WINDOW) -> Manifest:
    return Manifest(
        account=window.account,
        region=window.region,
        start=window.start,
        end=window.end,
        parts=parts,
        looked_up=sum(part.events for part in parts),
        duplicates=0,
        calls=1,
        staged_at=START,
    )


def test_objects_stand_where_the_design_says(staging: Staging, s3: Any, bucket: str) -> None:
    """Keys name account, region and date, as partitions that query engines understand."""
    part = staging.write_part(WINDOW, 0, [b"{}"])
    staging.write_manifest(manifest(part))
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    folder = "trail/account=123456789012/region=eu-west-1/date=2026-11-20"
    assert keys == [f"{folder}/manifest.json", f"{folder}/part-00000.ndjson.gz"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(lines=st.lists(st.binary(max_size=50).map(lambda raw: raw.hex().encode()), max_size=20))
def test_a_parts_lines_are_read_as_they_were_written(staging: Staging, lines: list[bytes]) -> None:
    """Byte for byte and in order; the same lines always make the same object."""
    part = staging.write_part(WINDOW, 1, lines)
    assert list(staging.lines(part)) == lines
    assert staging.write_part(WINDOW, 1, lines) == part


def test_a_manifest_and_a_load_record_are_read_as_they_were_written(staging: Staging) -> None:
    """And where there is none, none is found."""
    assert staging.manifest(WINDOW) is None
    assert staging.load_record(WINDOW) is None
    written = manifest(staging.write_part(WINDOW, 0, [b"{}"]))
    record = LoadRecord("fingerprint", START)
    staging.write_manifest(written)
    staging.write_load_record(WINDOW, record)
    assert staging.manifest(WINDOW) == written
    assert staging.load_record(WINDOW) == record


DAMAGES: dict[str, tuple[Callable[[bytes], bytes | None], str]] = {
    "missing": (lambda body: None, "it is missing"),
    "cut short": (lambda body: body[:-7], "bytes, not"),
    "altered": (lambda body: body[:12] + bytes([body[12] ^ 1]) + body[13:], "checksum differs"),
    "another of the same size": (lambda body: bytes(len(body)), "checksum differs"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_found_before_a_line_of_it_is_used(
    staging: Staging, s3: Any, bucket: str, damage: str
) -> None:
    """The error names the object, what is wrong with it and what to do."""
    change, words = DAMAGES[damage]
    part = staging.write_part(WINDOW, 0, [b'{"eventID":"1"}', b'{"eventID":"2"}'])
    body = change(s3.get_object(Bucket=bucket, Key=part.key)["Body"].read())
    if body is None:
        s3.delete_object(Bucket=bucket, Key=part.key)
    else:
        s3.put_object(Bucket=bucket, Key=part.key, Body=body)
    with pytest.raises(StagingError, match=f"{part.key}.*{words}.*force"):
        next(iter(staging.lines(part)))


def test_a_manifest_that_counts_wrong_is_found(staging: Staging) -> None:
    """The number of events in a part is checked, too."""
    part = staging.write_part(WINDOW, 0, [b"{}"])
    wrong = Part(part.key, 2, part.bytes, part.sha256)
    with pytest.raises(StagingError, match="1 events, not 2"):
        list(staging.lines(wrong))


def test_a_manifest_that_is_none_is_named(staging: Staging, s3: Any, bucket: str) -> None:
    """Cut short, or of another window: the sentence says so."""
    key = f"{staging.folder(WINDOW)}/manifest.json"
    s3.put_object(Bucket=bucket, Key=key, Body=b'{"account": "1')
    with pytest.raises(StagingError, match=r"manifest\.json is not what this loader wrote"):
        staging.manifest(WINDOW)
    other = Window(WINDOW.account, "us-east-1", WINDOW.start, WINDOW.end)
    staging.write_manifest(manifest(window=other))
    body = s3.get_object(Bucket=bucket, Key=f"{staging.folder(other)}/manifest.json")["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    with pytest.raises(StagingError, match="is that of us-east-1 2026-11-20"):
        staging.manifest(WINDOW)


def test_a_bucket_that_does_not_exist_is_named(s3: Any) -> None:
    """The sentence names it, and where to name another one."""
    with pytest.raises(ConfigurationError, match=r"no-such-bucket does not exist.*Create it"):
        Staging(s3, "no-such-bucket").write_part(WINDOW, 0, [b"{}"])


def test_missing_credentials_are_told(aws: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials anywhere is one sentence."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    client = boto3.session.Session().client("s3", endpoint_url=aws, region_name="us-east-1")
    with pytest.raises(ConfigurationError, match="there are no AWS credentials"):
        Staging(client, bucket).manifest(WINDOW)


def test_an_unreachable_s3_passes() -> None:
    """A lost connection is worth another attempt."""
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:9",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=Config(retries={"max_attempts": 0}),
    )
    with pytest.raises(TransientError, match="AWS cannot be reached"):
        Staging(client, "bucket").manifest(WINDOW)


def test_a_denied_write_names_the_permission() -> None:
    """What AWS denies is told with the permission that is missing."""
    from botocore.stub import Stubber

    client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
    with Stubber(client) as stubber:
        stubber.add_client_error("put_object", "AccessDenied", "no", 403)
        with pytest.raises(AccessDeniedError, match="permission s3:PutObject is missing"):
            Staging(client, "bucket").write_part(WINDOW, 0, [b"{}"])


def test_parts_are_plain_gzip(staging: Staging, s3: Any, bucket: str) -> None:
    """Any tool reads them: newline-delimited JSON, gzipped."""
    part = staging.write_part(WINDOW, 0, [b'{"a":1}', b'{"a":2}'])
    assert gzip.decompress(s3.get_object(Bucket=bucket, Key=part.key)["Body"].read()) == b'{"a":1}\n{"a":2}\n'
