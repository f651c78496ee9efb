"""The stand-in for S3, with an unmodified boto3 client."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ResponseStreamingError

from devstack.fake_s3 import REQUESTS, FakeS3, FakeS3Process
from devstack.fake_s3.listing import list_page
from devstack.simulator.trails import FolderBucket, MemoryBucket
from devstack.storage_faults import CONTROL, StorageFaultKind

BUCKET = "stand-in"


def s3_of(server: FakeS3 | FakeS3Process, attempts: int = 1) -> Any:
    """Return a client that makes this many attempts."""
    config = Config(retries={"total_max_attempts": attempts, "mode": "standard"})
    return boto3.client("s3", endpoint_url=server.endpoint_url, region_name="us-east-1", config=config)


@pytest.fixture
def stored() -> MemoryBucket:
    bucket = MemoryBucket()
    for account in range(30):
        for number in range(50):
            bucket.put(f"AWSLogs/{account:02}/{number:03}.json.gz", f"{account}/{number}".encode(), {})
    bucket.put("a b/ü+&<1>.txt", b"odd", {"signature": "00ff"})
    return bucket


@pytest.fixture
def server(stored: MemoryBucket) -> Iterator[FakeS3]:
    with FakeS3({BUCKET: stored}) as running:
        yield running


def listed(s3: Any, **request: Any) -> tuple[list[str], list[str], int]:
    """Return the keys and the common prefixes of all pages, and the number of pages."""
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, **request))
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    prefixes = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", ())]
    return keys, prefixes, len(pages)


def test_an_object_is_put_and_deleted_if_its_condition_holds(server: FakeS3) -> None:
    """As S3 does, so that it can be the staging bucket of a benchmark."""
    s3 = s3_of(server)
    first = s3.put_object(Bucket=BUCKET, Key="a/new", Body=b"one", Metadata={"by": "us"}, IfNoneMatch="*")
    assert s3.get_object(Bucket=BUCKET, Key="a/new")["Metadata"] == {"by": "us"}
    assert "a/new" in listed(s3)[0]
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"0123"'}):
        with pytest.raises(ClientError, match="PreconditionFailed"):
            s3.put_object(Bucket=BUCKET, Key="a/new", Body=b"two", **condition)
    second = s3.put_object(Bucket=BUCKET, Key="a/new", Body=b"two", IfMatch=first["ETag"])
    assert second["ETag"] != first["ETag"]
    s3.delete_object(Bucket=BUCKET, Key="a/new")
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=BUCKET, Key="a/new")
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.put_object(Bucket=BUCKET, Key="a/new", Body=b"two", IfMatch=first["ETag"])


def test_objects_are_deleted_together(server: FakeS3) -> None:
    """Also one that does not exist; every request counts for the access key that signed it."""
    s3 = s3_of(server)
    kept = listed(s3)[0][3:]
    keys = [*listed(s3)[0][:3], "missing"]
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True})
    assert listed(s3)[0] == kept
    assert server.requests.access_keys.keys() == {"testing"}
    assert server.requests.as_json()["delete"] == 1


def test_an_object_is_read_whole_or_in_part(server: FakeS3) -> None:
    """With its metadata, its ETag and odd characters in its key."""
    s3 = s3_of(server)
    answer = s3.get_object(Bucket=BUCKET, Key="a b/ü+&<1>.txt")
    assert (answer["Body"].read(), answer["Metadata"]) == (b"odd", {"signature": "00ff"})
    head = s3.head_object(Bucket=BUCKET, Key="a b/ü+&<1>.txt")
    assert (head["ContentLength"], head["ETag"]) == (3, answer["ETag"])
    for byte_range, expected in (("bytes=1-1", b"d"), ("bytes=1-", b"dd"), ("bytes=-2", b"dd")):
        part = s3.get_object(Bucket=BUCKET, Key="a b/ü+&<1>.txt", Range=byte_range)
        assert part["Body"].read() == expected
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(Bucket=BUCKET, Key="a b/ü+&<1>.txt", Range="bytes=9-")


def test_what_does_not_exist_is_an_error(server: FakeS3) -> None:
    """A key, a bucket, and an operation that the stand-in does not serve."""
    s3 = s3_of(server)
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=BUCKET, Key="none")
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.list_objects_v2(Bucket="none")
    with pytest.raises(ClientError, match="NotImplemented"):
        s3.create_multipart_upload(Bucket=BUCKET, Key="key")
    with pytest.raises(ClientError, match="NotImplemented"):
        s3.list_objects(Bucket=BUCKET)


def test_all_keys_are_listed_in_order(server: FakeS3, stored: MemoryBucket) -> None:
    """Over several pages of any size, from a key on, and below a prefix."""
    s3 = s3_of(server)
    keys, _, pages = listed(s3)
    assert (keys, pages) == (sorted(stored.objects), 2)
    assert listed(s3, PaginationConfig={"PageSize": 7})[0] == keys
    assert listed(s3, StartAfter=keys[99])[0] == keys[100:]
    below = [key for key in keys if key.startswith("AWSLogs/07/")]
    assert listed(s3, Prefix="AWSLogs/07/", PaginationConfig={"PageSize": 20}) == (below, [], 3)
    assert listed(s3, Prefix="none/") == ([], [], 1)
    assert s3.list_objects_v2(Bucket=BUCKET, MaxKeys=1)["Contents"][0]["Size"] == len(b"0/0")


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_folders_are_listed_by_a_delimiter(server: FakeS3, size: int) -> None:
    """As common prefixes, each once, whatever the size of a page is."""
    s3 = s3_of(server)
    page = {"PaginationConfig": {"PageSize": size}}
    assert listed(s3, Delimiter="/", **page)[:2] == ([], ["AWSLogs/", "a b/"])
    accounts = [f"AWSLogs/{account:02}/" for account in range(30)]
    assert listed(s3, Prefix="AWSLogs/", Delimiter="/", **page)[:2] == ([], accounts)
    assert listed(s3, Prefix="AWSLogs/0", Delimiter="/", **page)[:2] == ([], accounts[:10])
    assert len(listed(s3, Prefix="AWSLogs/00/", Delimiter="/", **page)[0]) == 50


def test_a_new_object_is_listed_at_once(server: FakeS3, stored: MemoryBucket) -> None:
    """Objects can arrive and disappear while the server runs."""
    s3 = s3_of(server)
    stored.put("AWSLogs/00/late", b"", {})
    assert "AWSLogs/00/late" in listed(s3, Prefix="AWSLogs/00/")[0]
    stored.delete("AWSLogs/00/late")
    assert "AWSLogs/00/late" not in listed(s3, Prefix="AWSLogs/00/")[0]


def test_the_cost_of_a_page_does_not_depend_on_what_is_below_a_folder() -> None:
    """A listing by folder skips the keys in each folder."""

    class Counting(list[str]):
        reads = 0

        def __getitem__(self, place: Any) -> Any:
            self.reads += 1
            return super().__getitem__(place)

    keys = Counting(f"{folder}/{number:06}" for folder in "abc" for number in range(20_000))
    assert list_page(keys, "", "/", 0, 1000).prefixes == ["a/", "b/", "c/"]
    assert keys.reads < 100


def test_requests_at_once_share_the_latency(server: FakeS3) -> None:
    """Each request has the latency. The counts have the kinds and the most requests at once."""
    server.latency = 0.2
    config = Config(max_pool_connections=16)
    s3 = boto3.client("s3", endpoint_url=server.endpoint_url, region_name="us-east-1", config=config)
    start = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        bodies = list(pool.map(lambda number: body_of(s3, f"AWSLogs/00/{number:03}.json.gz"), range(16)))
    assert time.monotonic() - start >= 0.2
    assert bodies == [f"0/{number}".encode() for number in range(16)]
    listed(s3, Prefix="AWSLogs/00/")
    counts = control(server, "GET", REQUESTS)
    assert (counts["get"], counts["list"]) == (16, 1)
    assert 1 < counts["most_at_once"] <= 16


def body_of(s3: Any, key: str) -> bytes:
    """Return the body of an object."""
    return bytes(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def control(server: FakeS3, method: str, path: str, body: Any = None) -> Any:
    """Return the answer of a control interface."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{server.endpoint_url}{path}", data, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (StorageFaultKind.SLOW_DOWN, "SlowDown"),
        (StorageFaultKind.INTERNAL_ERROR, "InternalError"),
        (StorageFaultKind.DECRYPTION_DENIED, "kms:Decrypt"),
        (StorageFaultKind.RESET, ConnectionClosedError),
        (StorageFaultKind.TRUNCATED_BODY, ResponseStreamingError),
    ],
)
def test_a_fault_strikes_as_often_as_asked(
    server: FakeS3, kind: StorageFaultKind, error: str | type[Exception]
) -> None:
    """Only objects below the prefix; afterwards the object is read as before."""
    s3, key = s3_of(server), "AWSLogs/01/001.json.gz"
    server.faults.add(kind, BUCKET, prefix="AWSLogs/01/", count=2)
    assert body_of(s3, "AWSLogs/02/001.json.gz") == b"2/1"
    for _ in range(2):
        if isinstance(error, str):
            with pytest.raises(ClientError, match=error):
                body_of(s3, key)
        else:
            with pytest.raises(error):
                body_of(s3, key)
    assert body_of(s3, key) == b"1/1"
    assert json.loads(server.faults.listed())[0]["answered"] == 2


def test_a_slow_body_takes_its_time(server: FakeS3) -> None:
    """The body comes in pieces, whole."""
    server.faults.add(StorageFaultKind.SLOW_BODY, seconds=0.3)
    start = time.monotonic()
    assert body_of(s3_of(server), "AWSLogs/01/001.json.gz") == b"1/1"
    assert time.monotonic() - start >= 0.3


def test_boto3_recovers_from_a_broken_connection(server: FakeS3) -> None:
    """With retries, a broken connection costs a retry."""
    server.faults.add(StorageFaultKind.RESET, count=1)
    assert body_of(s3_of(server, attempts=3), "AWSLogs/01/001.json.gz") == b"1/1"


def test_faults_are_controlled_over_http(server: FakeS3) -> None:
    """By the interface that the other S3 has, for a stand-in in another process."""
    fault = {"kind": "slow_down", "bucket": BUCKET, "prefix": "AWSLogs/"}
    assert control(server, "POST", CONTROL, fault) == [{**fault, "answered": 0}]
    assert control(server, "DELETE", CONTROL) == []
    with pytest.raises(urllib.error.HTTPError, match="400"):
        control(server, "POST", CONTROL, {"kind": "fire"})


@pytest.mark.slow
def test_a_process_serves_the_buckets_of_a_folder(tmp_path: Path) -> None:
    """So that the cost of the stand-in is not that of the measured process."""
    FolderBucket(tmp_path / BUCKET).put("AWSLogs/key", b"body", {"signature": "1"})
    with FakeS3Process(tmp_path, latency=0.01) as server:
        answer = s3_of(server).get_object(Bucket=BUCKET, Key="AWSLogs/key")
        assert (answer["Body"].read(), answer["Metadata"]) == (b"body", {"signature": "1"})
        assert server.pid > 0
