"""The bucket of a trail: reads, listings, retries, and the errors that a user must understand."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    ConfigurationError,
    CredentialsError,
    FileError,
    LoaderError,
    TransientError,
)
from cloudtrail_elasticsearch.core.side_by_side import run_side_by_side
from cloudtrail_elasticsearch.sources.trail.bucket import AHEAD, READERS, TrailBucket, open_bucket
from devstack.fake_s3 import FakeS3
from devstack.simulator.trails import MemoryBucket
from devstack.storage_faults import StorageFaultKind
from tests.sources.trail.local_trail import QUICK

KEY = "AWSLogs/1/CloudTrail/a b+c%20ü.json.gz"


@pytest.fixture
def s3() -> Iterator[FakeS3]:
    bucket = MemoryBucket()
    bucket.put(KEY, b"content", {"signature": "abc"})
    for number in range(2500):
        bucket.put(f"many/{number:04d}", b"x" * (number % 3), {})
    with FakeS3({"trail": bucket}) as running:
        yield running


@pytest.fixture
def bucket(s3: FakeS3) -> TrailBucket:
    return open_bucket(boto3.Session(), "trail", "", QUICK, endpoint_url=s3.endpoint_url)


def answer_first(bucket: TrailBucket, status: int, code: str) -> list[Any]:
    """Answer the first request with an error of S3; return the list of all requests."""
    sent: list[Any] = []
    http = bucket._http

    def send(request: Any) -> Any:
        sent.append(request)
        if len(sent) > 1:
            return http.send(request)
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
        raw = SimpleNamespace(read=lambda most: body[:most], release_conn=lambda: None, close=lambda: None)
        return SimpleNamespace(status_code=status, headers={}, raw=raw)

    bucket._http = SimpleNamespace(send=send)
    return sent


def test_an_object_is_read_with_its_etag_and_metadata(bucket: TrailBucket) -> None:
    """Also under a key that must be quoted."""
    found = bucket.get(KEY, 7)
    assert found is not None
    assert (found.body, found.etag, found.metadata) == (
        b"content",
        "9a0364b9e99bb480dd25e1f0284c8555",
        {"signature": "abc"},
    )


@pytest.mark.promise("nothing-lost")
def test_every_character_of_a_key_comes_back_from_a_listing(s3: FakeS3, bucket: TrailBucket) -> None:
    """S3 writes a blank as +, so a prefix with a blank would else have no log files at all."""
    odd = "logs of a+b%20ü/AWSLogs/x y.json.gz"
    s3.buckets["trail"].put(odd, b"", {})
    assert list(bucket.list_keys("AWSLogs/")) == [KEY]
    assert list(bucket.list_keys("logs of a+b%20ü/")) == [odd]
    assert bucket.list_folders("logs") == ["logs of a+b%20ü/"]


def test_a_missing_object_is_none(bucket: TrailBucket) -> None:
    assert bucket.get("no-such-key", 1) is None
    assert bucket.read("no-such-key", 0) is None


def test_only_the_first_bytes_of_a_larger_object_are_read(bucket: TrailBucket) -> None:
    """An object that grew since its listing cannot fill the memory."""
    found = bucket.get(KEY, 3)
    assert found is not None
    assert found.body == b"cont"
    stored = bucket.read(KEY, 0)
    assert stored is not None
    assert stored.body == b""


def test_a_listing_returns_all_pages(bucket: TrailBucket) -> None:
    assert list(bucket.list_keys("many/")) == [f"many/{number:04d}" for number in range(2500)]
    assert [page.objects[0].size for page in bucket.list_pages("many/")] == [0, 1, 2]
    assert bucket.list_folders("") == ["AWSLogs/", "many/"]
    assert list(bucket.list_keys("AWSLogs/")) == [KEY]


@pytest.mark.parametrize(
    "kind",
    [
        StorageFaultKind.INTERNAL_ERROR,
        StorageFaultKind.SLOW_DOWN,
        StorageFaultKind.RESET,
        StorageFaultKind.TRUNCATED_BODY,
    ],
)
@pytest.mark.promise("nothing-lost")
def test_a_temporary_fault_is_retried_in_place(s3: FakeS3, bucket: TrailBucket, kind: StorageFaultKind) -> None:
    """A body that ends early is never taken for the whole one."""
    s3.faults.add(kind, count=3)
    found = bucket.get(KEY, 7)
    assert found is not None
    assert found.body == b"content"


@pytest.mark.parametrize("kind", [StorageFaultKind.INTERNAL_ERROR, StorageFaultKind.TRUNCATED_BODY])
def test_a_lasting_fault_names_the_object(s3: FakeS3, bucket: TrailBucket, kind: StorageFaultKind) -> None:
    s3.faults.add(kind)
    with pytest.raises(TransientError, match=r"Reading s3://trail/AWSLogs/1/CloudTrail/"):
        bucket.get(KEY, 7)


def test_a_denied_key_of_kms_has_a_sentence_of_its_own(s3: FakeS3, bucket: TrailBucket) -> None:
    s3.faults.add(StorageFaultKind.DECRYPTION_DENIED)
    with pytest.raises(AccessDeniedError, match=r"KMS key .* Allow kms:Decrypt"):
        bucket.get(KEY, 7)


@pytest.mark.parametrize(
    ("status", "code", "error", "words"),
    [
        (403, "AccessDenied", AccessDeniedError, r"permission s3:GetObject is missing"),
        (403, "InvalidObjectState", FileError, r"archived in S3 Glacier. Restore it"),
        (400, "KMS.DisabledException", AccessDeniedError, r"Allow kms:Decrypt"),
        (405, "MethodNotAllowed", ConfigurationError, r"rejected the request"),
        (403, "SignatureDoesNotMatch", CredentialsError, r"does not accept the credentials"),
    ],
)
def test_a_lasting_refusal_states_what_to_do(
    bucket: TrailBucket, status: int, code: str, error: type[LoaderError], words: str
) -> None:
    """None of these is retried."""
    sent = answer_first(bucket, status, code)
    with pytest.raises(error, match=words):
        bucket.get(KEY, 7)
    assert len(sent) == 1


@pytest.mark.promise("polite", "nothing-lost")
@pytest.mark.parametrize(
    "code", ["KMS.ThrottlingException", "KMS.DependencyTimeoutException", "ThrottlingException"]
)
def test_a_request_that_kms_throttles_is_retried(bucket: TrailBucket, code: str) -> None:
    """It is not a missing right: each object of an encrypted trail costs a request to KMS, which has a quota."""
    sent = answer_first(bucket, 400, code)
    found = bucket.get(KEY, 7)
    assert found is not None
    assert found.body == b"content"
    assert len(sent) == 2


def test_a_missing_bucket_is_named(s3: FakeS3) -> None:
    with pytest.raises(ConfigurationError, match="The bucket other does not exist"):
        open_bucket(boto3.Session(), "other", "", QUICK, endpoint_url=s3.endpoint_url)


def test_many_objects_are_read_at_once_and_returned_in_order(s3: FakeS3, bucket: TrailBucket) -> None:
    """Missing ones, too; all callers together stay within the bound."""
    s3.latency = 0.02
    keys = [f"many/{number:04d}" for number in range(90)]
    keys[7:7] = ["missing"]
    wanted = [None if key == "missing" else b"x" * (int(key[5:]) % 3) for key in keys]

    def read(_: int) -> list[bytes | None]:
        return [None if found is None else found.body for found in bucket.read_many(keys, 40)]

    assert read(0) == wanted
    assert list(run_side_by_side(read, range(4), 4)) == [wanted] * 4
    assert AHEAD <= s3.requests.as_json()["most_at_once"] <= READERS


def test_an_object_that_cannot_be_read_ends_the_reading_of_many(s3: FakeS3, bucket: TrailBucket) -> None:
    """With its name, after the objects before it; further ones are not requested."""
    keys = [f"many/{number:04d}" for number in range(1, 500)]
    s3.faults.add(StorageFaultKind.DECRYPTION_DENIED, prefix=keys[3])
    found = bucket.read_many(keys, 40)
    assert all(next(found) for _ in range(3))
    with pytest.raises(AccessDeniedError, match=keys[3]):
        next(found)
    assert s3.requests.as_json()["get"] <= 3 + AHEAD
