"""S3, STS and EC2 as a process, and the objects of S3 after a restart."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ResponseStreamingError

from devstack.aws import AwsServices
from devstack.bulk_objects import BulkBucket
from devstack.simulator.regions import REGIONS
from devstack.storage_faults import CONTROL, StorageFaultKind

pytestmark = pytest.mark.slow


def s3_of(services: AwsServices, region: str = "us-east-1") -> Any:
    return boto3.client("s3", endpoint_url=services.endpoint_url, region_name=region)


def content(s3: Any, bucket: str) -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {item["Key"]: s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listed}


def test_the_account_has_the_regions_of_a_new_account(aws: str) -> None:
    """DescribeRegions returns the regions of the CloudTrail simulator, and STS returns its account."""
    answer = boto3.client("ec2", endpoint_url=aws).describe_regions(AllRegions=False)
    assert {region["RegionName"] for region in answer["Regions"]} == set(REGIONS)
    assert boto3.client("sts", endpoint_url=aws).get_caller_identity()["Account"] == "123456789012"


def test_a_conditional_write_does_not_replace_an_object(aws: str, bucket: str) -> None:
    """Only the first of two writes succeeds."""
    s3 = boto3.client("s3", endpoint_url=aws)
    s3.put_object(Bucket=bucket, Key="key", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="key", Body=b"second", IfNoneMatch="*")
    assert content(s3, bucket) == {"key": b"first"}


def test_s3_has_its_objects_again_after_kill_9(tmp_path: Path) -> None:
    """Buckets of several regions, odd keys, metadata and encryption; but no deleted or rejected object."""
    objects = {
        "cloudtrail/account=1/region=us-east-1/date=2026-11-20/part-00000.ndjson.gz": bytes(range(256)) * 200,
        "a b/ü=1/x%2Fy+z&?#": b"odd",
        "a//b": b"",
        "x/../y": b"dots",
    }
    with AwsServices(tmp_path) as services:
        s3 = s3_of(services)
        s3.create_bucket(Bucket="staging")
        s3_of(services, "eu-west-1").create_bucket(
            Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        for key, body in objects.items():
            s3.put_object(Bucket="staging", Key=key, Body=body, Metadata={"m": "v"}, ServerSideEncryption="AES256")
        for key in ("one", "two", "three"):
            s3.put_object(Bucket="staging", Key=key, Body=b"to be deleted")
        s3.delete_object(Bucket="staging", Key="one")
        s3.delete_objects(Bucket="staging", Delete={"Objects": [{"Key": "two"}, {"Key": "three"}]})
        with pytest.raises(ClientError, match="PreconditionFailed"):
            s3.put_object(Bucket="staging", Key="a//b", Body=b"refused", IfNoneMatch="*")
        services.kill()
    with AwsServices(tmp_path) as services:
        s3 = s3_of(services)
        assert content(s3, "staging") == objects
        head = s3.head_object(Bucket="staging", Key="a//b")
        assert (head["Metadata"], head["ServerSideEncryption"]) == ({"m": "v"}, "AES256")
        assert s3.get_bucket_location(Bucket="elsewhere")["LocationConstraint"] == "eu-west-1"


def test_an_incomplete_change_in_the_journal_is_dropped(tmp_path: Path) -> None:
    """A kill during a write loses only that request, which has no answer yet. Later requests are kept."""
    with AwsServices(tmp_path) as services:
        s3_of(services).create_bucket(Bucket="staging")
    with (tmp_path / "s3.journal").open("ab") as journal:
        journal.write(b'{"method":"PUT","target":"/staging/cut')
    with AwsServices(tmp_path) as services:
        s3_of(services).put_object(Bucket="staging", Key="later", Body=b"kept")
    with AwsServices(tmp_path) as services:
        assert content(s3_of(services), "staging") == {"later": b"kept"}


def test_without_a_state_folder_nothing_is_kept() -> None:
    """A second process does not have the objects of the first."""
    with AwsServices() as services:
        s3_of(services).create_bucket(Bucket="staging")
    with AwsServices() as services:
        assert s3_of(services).list_buckets()["Buckets"] == []


def single(services: AwsServices) -> Any:
    """Return a client without retries, and a new bucket ``staging`` with the object ``kept``."""
    once = Config(retries={"total_max_attempts": 1})
    s3 = boto3.client("s3", endpoint_url=services.endpoint_url, region_name="us-east-1", config=once)
    s3.create_bucket(Bucket="staging")
    s3.put_object(Bucket="staging", Key="kept", Body=b"before")
    return s3


def refused(call: Callable[[], Any]) -> tuple[str, int]:
    """Return the code and the HTTP status of a rejected call."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_full_bucket_rejects_writes_and_allows_reads(tmp_path: Path) -> None:
    """Writes of any size fail and change nothing, also after a restart. Other services work."""
    with AwsServices(tmp_path) as services:
        s3 = single(services)
        services.break_storage(StorageFaultKind.FULL_BUCKET, "staging")
        for body in (b"small", bytes(3_000_000)):
            put = partial(s3.put_object, Bucket="staging", Key="kept", Body=body)
            assert refused(put) == ("InsufficientStorage", 507)
        assert content(s3, "staging") == {"kept": b"before"}
        s3.create_bucket(Bucket="another")
        assert services.storage_faults() == [{"kind": "full_bucket", "bucket": "staging", "answered": 2}]
        services.mend_storage()
        s3.put_object(Bucket="staging", Key="new", Body=b"after")
    with AwsServices(tmp_path) as services:
        assert content(s3_of(services), "staging") == {"kept": b"before", "new": b"after"}


def test_s3_fails_reading_and_writing_until_it_is_mended() -> None:
    """Both fail in every bucket. STS answers meanwhile."""
    faults = (
        (StorageFaultKind.SLOW_DOWN, "SlowDown", 503),
        (StorageFaultKind.INTERNAL_ERROR, "InternalError", 500),
    )
    with AwsServices() as services:
        s3 = single(services)
        for kind, code, status in faults:
            services.break_storage(kind)
            assert refused(partial(s3.put_object, Bucket="staging", Key="new", Body=b"")) == (code, status)
            assert refused(partial(s3.get_object, Bucket="staging", Key="kept")) == (code, status)
            assert boto3.client("sts", endpoint_url=services.endpoint_url).get_caller_identity()["Account"]
            services.mend_storage()
            assert services.storage_faults() == []
            assert content(s3, "staging") == {"kept": b"before"}
        refuses_an_unknown_fault(services)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (StorageFaultKind.DECRYPTION_DENIED, ClientError),
        (StorageFaultKind.RESET, ConnectionClosedError),
        (StorageFaultKind.TRUNCATED_BODY, ResponseStreamingError),
        (StorageFaultKind.SLOW_BODY, None),
    ],
)
def test_reads_of_objects_fail_as_often_as_asked(
    storage: AwsServices, kind: StorageFaultKind, error: type[Exception] | None
) -> None:
    """Only reads of objects below the prefix; a missing right to decrypt matters to encrypted objects only."""
    s3 = reader(storage)
    storage.break_storage(kind, "staging", prefix="secret/", count=1)
    assert s3.list_objects_v2(Bucket="staging")["KeyCount"] == 2
    start = time.monotonic()
    if error is None:
        assert body_of(s3, "secret/kept") == b"before" * 100
        assert time.monotonic() - start >= 2
    else:
        with pytest.raises(error):
            body_of(s3, "secret/kept")
    assert body_of(s3, "secret/kept") == b"before" * 100
    (fault,) = storage.storage_faults()
    assert fault["answered"] == 1
    storage.break_storage(StorageFaultKind.DECRYPTION_DENIED)
    assert body_of(s3, "plain") == b"plain"
    storage.mend_storage()


@pytest.fixture(scope="module")
def storage() -> Iterator[AwsServices]:
    with AwsServices() as services:
        s3 = s3_of(services)
        s3.create_bucket(Bucket="staging")
        s3.put_object(Bucket="staging", Key="secret/kept", Body=b"before" * 100, ServerSideEncryption="aws:kms")
        s3.put_object(Bucket="staging", Key="plain", Body=b"plain")
        yield services


def reader(services: AwsServices) -> Any:
    """Return a client without retries."""
    once = Config(retries={"total_max_attempts": 1})
    return boto3.client("s3", endpoint_url=services.endpoint_url, region_name="us-east-1", config=once)


def body_of(s3: Any, key: str) -> bytes:
    """Return the body of an object."""
    return bytes(s3.get_object(Bucket="staging", Key=key)["Body"].read())


def test_objects_of_one_request_are_kept_over_a_restart(tmp_path: Path) -> None:
    """Like those of S3's own requests."""
    with AwsServices(tmp_path) as services:
        s3_of(services).create_bucket(Bucket="staging")
        with BulkBucket(services.endpoint_url, "staging") as bulk:
            bulk.put("one", b"1", {"signature": "00"})
            bulk.put("two", b"2", {})
        services.kill()
    with AwsServices(tmp_path) as services:
        assert content(s3_of(services), "staging") == {"one": b"1", "two": b"2"}
        assert s3_of(services).head_object(Bucket="staging", Key="one")["Metadata"] == {"signature": "00"}


def refuses_an_unknown_fault(services: AwsServices) -> None:
    """Check that the control interface answers 400 to an unknown kind and activates nothing."""
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(f"{services.endpoint_url}{CONTROL}", b'{"kind": "fire"}')
    assert services.storage_faults() == []
