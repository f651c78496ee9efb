"""S3, STS and EC2 as a process, and what S3 holds over the process's end."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from devstack.aws import AwsServices
from devstack.simulator.regions import REGIONS
from devstack.storage_faults import CONTROL, StorageFaultKind


def s3_of(services: AwsServices, region: str = "us-east-1") -> Any:
    return boto3.client("s3", endpoint_url=services.endpoint_url, region_name=region)


def content(s3: Any, bucket: str) -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {item["Key"]: s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listed}


def test_the_account_has_the_regions_of_a_new_account(aws: str) -> None:
    """DescribeRegions tells those that the CloudTrail simulator serves, and STS tells its account."""
    answer = boto3.client("ec2", endpoint_url=aws).describe_regions(AllRegions=False)
    assert {region["RegionName"] for region in answer["Regions"]} == set(REGIONS)
    assert boto3.client("sts", endpoint_url=aws).get_caller_identity()["Account"] == "123456789012"


def test_an_object_that_exists_is_not_written_over_where_that_is_asked(aws: str, bucket: str) -> None:
    """S3's conditional writes work: only the first of two wins."""
    s3 = boto3.client("s3", endpoint_url=aws)
    s3.put_object(Bucket=bucket, Key="key", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="key", Body=b"second", IfNoneMatch="*")
    assert content(s3, bucket) == {"key": b"first"}


def test_what_s3_holds_is_there_again_after_kill_9(tmp_path: Path) -> None:
    """Buckets of several regions, odd keys, metadata and encryption; what was deleted or refused is not."""
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


def test_a_change_cut_short_in_the_journal_is_dropped(tmp_path: Path) -> None:
    """A kill in the middle of a note loses that request alone, which nobody was told of; later ones are kept."""
    with AwsServices(tmp_path) as services:
        s3_of(services).create_bucket(Bucket="staging")
    with (tmp_path / "s3.journal").open("ab") as journal:
        journal.write(b'{"method":"PUT","target":"/staging/cut')
    with AwsServices(tmp_path) as services:
        s3_of(services).put_object(Bucket="staging", Key="later", Body=b"kept")
    with AwsServices(tmp_path) as services:
        assert content(s3_of(services), "staging") == {"later": b"kept"}


def test_without_a_state_folder_nothing_is_kept() -> None:
    """Two in a row know nothing of each other."""
    with AwsServices() as services:
        s3_of(services).create_bucket(Bucket="staging")
    with AwsServices() as services:
        assert s3_of(services).list_buckets()["Buckets"] == []


def single(services: AwsServices) -> Any:
    """A client that tries once, of a new bucket named ``staging`` that holds ``kept``."""
    once = Config(retries={"total_max_attempts": 1})
    s3 = boto3.client("s3", endpoint_url=services.endpoint_url, region_name="us-east-1", config=once)
    s3.create_bucket(Bucket="staging")
    s3.put_object(Bucket="staging", Key="kept", Body=b"before")
    return s3


def refused(call: Callable[[], Any]) -> tuple[str, int]:
    """The code and the HTTP status with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_full_bucket_takes_no_object_and_gives_those_it_has(tmp_path: Path) -> None:
    """Writes of any size fail and change nothing, also over a restart; reads and other services go on."""
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


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [(StorageFaultKind.SLOW_DOWN, "SlowDown", 503), (StorageFaultKind.INTERNAL_ERROR, "InternalError", 500)],
)
def test_s3_fails_reading_and_writing_until_it_is_mended(kind: StorageFaultKind, code: str, status: int) -> None:
    """Both directions fail, in every bucket; STS answers meanwhile."""
    with AwsServices() as services:
        s3 = single(services)
        services.break_storage(kind)
        assert refused(partial(s3.put_object, Bucket="staging", Key="new", Body=b"")) == (code, status)
        assert refused(partial(s3.get_object, Bucket="staging", Key="kept")) == (code, status)
        assert boto3.client("sts", endpoint_url=services.endpoint_url).get_caller_identity()["Account"]
        services.mend_storage()
        assert services.storage_faults() == []
        assert content(s3, "staging") == {"kept": b"before"}


def test_a_storage_fault_that_cannot_be_is_refused() -> None:
    """The control interface answers 400 to a kind it does not know, and switches nothing on."""
    with AwsServices() as services:
        url = f"{services.endpoint_url}{CONTROL}"
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(url, b'{"kind": "fire"}')
        assert services.storage_faults() == []
