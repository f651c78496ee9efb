"""The places that a trail is written to: memory, a folder, S3, and S3 in bulk."""

from __future__ import annotations

import urllib.error
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from devstack.bulk_objects import BulkBucket
from devstack.simulator.trails import FolderBucket, MemoryBucket, S3Bucket, write_trail
from devstack.simulator.trails.stores import Bucket
from tests.simulator.trails import small_plan

OBJECTS = {
    "logs/a b/ü+1.json.gz": (bytes(range(256)), {"signature": "00ff", "signature-algorithm": "SHA256withRSA"}),
    "logs/empty": (b"", {}),
}


@pytest.fixture(params=["memory", "folder", pytest.param("s3", marks=pytest.mark.slow)])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bucket]:
    if request.param == "memory":
        yield MemoryBucket()
    elif request.param == "folder":
        yield FolderBucket(tmp_path)
    else:
        with ExitStack() as stack:
            yield stack.enter_context(S3Bucket(s3(request), request.getfixturevalue("bucket")))


def s3(request: pytest.FixtureRequest) -> Any:
    """Return a client of the shared S3."""
    import boto3

    return boto3.client("s3", endpoint_url=request.getfixturevalue("aws"))


def test_objects_come_back_as_they_were_put(stored: Bucket) -> None:
    """Body and metadata; an object is replaced and deleted; a missing one is a KeyError."""
    put_all(stored)
    assert sorted(stored.keys()) == sorted(OBJECTS)
    assert {key: tuple(stored.get(key)) for key in OBJECTS} == OBJECTS
    stored.put("logs/empty", b"new", {"signature": "1"})
    wait(stored)
    assert tuple(stored.get("logs/empty")) == (b"new", {"signature": "1"})
    stored.delete("logs/empty")
    stored.delete("logs/empty")
    with pytest.raises(KeyError):
        stored.get("logs/empty")


def put_all(stored: Bucket) -> None:
    for key, (body, metadata) in OBJECTS.items():
        stored.put(key, body, metadata)
    wait(stored)


def wait(stored: Bucket) -> None:
    """Wait for the puts that S3 does at once."""
    if isinstance(stored, S3Bucket):
        stored.__exit__(None, None, None)


def test_a_trail_is_the_same_in_memory_and_in_a_folder(tmp_path: Path) -> None:
    """The folder can be served or loaded like a bucket."""
    memory, folder = MemoryBucket(), FolderBucket(tmp_path)
    plan = small_plan(hours=2)
    assert write_trail(plan, memory) == write_trail(plan, folder)
    assert {key: folder.get(key) for key in folder.keys()} == memory.objects  # noqa: SIM118


@pytest.mark.slow
def test_a_rejected_put_is_an_error_at_the_end(request: pytest.FixtureRequest, aws: str) -> None:
    """A bucket that does not exist."""
    client = s3(request)
    with pytest.raises(client.exceptions.NoSuchBucket), S3Bucket(client, "no-such-bucket") as stored:
        stored.put("key", b"", {})
    with pytest.raises(urllib.error.HTTPError), BulkBucket(aws, "no-such-bucket") as bulk:
        bulk.put("key", b"", {})


@pytest.mark.slow
def test_bulk_puts_are_like_single_ones(request: pytest.FixtureRequest, aws: str, bucket: str) -> None:
    """Body, metadata and encryption."""
    client = s3(request)
    puts: Callable[..., BulkBucket] = BulkBucket
    with puts(aws, bucket, kms_key="arn:aws:kms:us-east-1:123456789012:key/1") as bulk:
        for key, (body, metadata) in OBJECTS.items():
            bulk.put(key, body, metadata)
        bulk.put("logs/CloudTrail-Digest/1", b"digest", {})
    for key, (body, metadata) in OBJECTS.items():
        answer = client.get_object(Bucket=bucket, Key=key)
        assert (answer["Body"].read(), answer["Metadata"]) == (body, metadata)
        assert answer["ServerSideEncryption"] == "aws:kms"
    assert "SSEKMSKeyId" not in client.head_object(Bucket=bucket, Key="logs/CloudTrail-Digest/1")
