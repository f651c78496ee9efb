"""Staging with the real S3 protocol: objects are read as they were written, and damage is found before a load."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.errorfactory import ClientExceptionsFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    ConfigurationError,
    StagingError,
    TransientError,
)
from cloudtrail_elasticsearch.sources.lookup_events.sharers import Sharers
from cloudtrail_elasticsearch.staging import Encryption, LoadRecord, Manifest, Part, Staging
from cloudtrail_elasticsearch.staging.bucket import LARGEST_OBJECT, Bucket
from cloudtrail_elasticsearch.staging.parts import pack_events
from cloudtrail_elasticsearch.staging.records import Standing
from tests.examples import examples

START = datetime(2026, 11, 20, tzinfo=UTC)
WINDOW = Window("123456789012", "eu-west-1", START, START + timedelta(days=1))


@pytest.fixture
def s3(aws: str) -> Any:
    return boto3.client("s3", endpoint_url=aws, region_name="us-east-1")


@pytest.fixture
def staging(s3: Any, bucket: str) -> Staging:
    return Staging(s3, bucket, "trail")


def write_part(staging: Staging, *lines: bytes, name: str = "a") -> Part:
    events = [
        LookedUpEvent(str(number), START - timedelta(seconds=number), line) for number, line in enumerate(lines)
    ]
    return staging.write_part(WINDOW, "1", name, pack_events(events, START))


def publish(staging: Staging, manifest: Manifest) -> None:
    assert staging.publish(manifest, staging.standing(manifest.window))


def manifest(*parts: Part, window: Window = WINDOW, fetch: str = "1") -> Manifest:
    return Manifest(
        fetch=fetch,
        late=0,
        throttled=0,
        attempts=1,
        window=window,
        parts=parts,
        looked_up=sum(part.events for part in parts),
        duplicates=0,
        calls=1,
        staged_at=START,
    )


def test_keys_have_the_documented_form(staging: Staging, s3: Any, bucket: str) -> None:
    """Keys name account, region and date, as partitions that query engines understand."""
    part = write_part(staging, b"{}")
    publish(staging, manifest(part))
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    folder = "trail/account=123456789012/region=eu-west-1/date=2026-11-20"
    assert keys == [f"{folder}/fetch=1/part-a-{part.sha256[:12]}.ndjson.gz", f"{folder}/manifest.json"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(20), deadline=None)
@given(lines=st.lists(st.binary(max_size=50).map(lambda raw: raw.hex().encode()), min_size=1, max_size=20))
def test_a_parts_lines_are_read_as_they_were_written(staging: Staging, lines: list[bytes]) -> None:
    """Byte for byte and in order; the same lines always make the same object."""
    part = write_part(staging, *lines)
    assert list(staging.lines(part)) == lines
    assert write_part(staging, *lines) == part


def test_a_manifest_and_a_load_record_are_read_as_they_were_written(staging: Staging) -> None:
    """And if there is none, the result is None."""
    assert staging.manifest(WINDOW) is None
    assert staging.load_record(WINDOW) is None
    written = manifest(write_part(staging, b"{}"))
    record = LoadRecord("fingerprint", START)
    publish(staging, written)
    staging.write_load_record(WINDOW, record)
    assert staging.manifest(WINDOW) == written
    assert staging.load_record(WINDOW) == record


DAMAGES: dict[str, tuple[Callable[[bytes], bytes | None], str]] = {
    "missing": (lambda body: None, "it is missing"),
    "cut short": (lambda body: body[:-7], "bytes, not"),
    "altered": (lambda body: body[:12] + bytes([body[12] ^ 1]) + body[13:], "checksum differs"),
    "another of the same size": (lambda body: bytes(len(body)), "checksum differs"),
}


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_found_before_a_line_of_it_is_used(
    staging: Staging, s3: Any, bucket: str, damage: str
) -> None:
    """The error names the object and the damage, and says what to do."""
    change, words = DAMAGES[damage]
    part = write_part(staging, b'{"eventID":"1"}', b'{"eventID":"2"}')
    body = change(s3.get_object(Bucket=bucket, Key=part.key)["Body"].read())
    if body is None:
        s3.delete_object(Bucket=bucket, Key=part.key)
    else:
        s3.put_object(Bucket=bucket, Key=part.key, Body=body)
    with pytest.raises(StagingError, match=f"{part.key}.*{words}.*force"):
        next(iter(staging.lines(part)))


def pack(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


def replaced(staging: Staging, s3: Any, bucket: str, body: bytes, unpacked: int | None) -> Part:
    """Return a part whose object and whose manifest entry were both changed."""
    part = write_part(staging, b"{}")
    s3.put_object(Bucket=bucket, Key=part.key, Body=body)
    return replace(part, bytes=len(body), sha256=hashlib.sha256(body).hexdigest(), unpacked=unpacked)


@pytest.mark.parametrize(
    ("body", "unpacked", "words"),
    [
        (pack(bytes(50_000_000)), 3, "unpack to more than the 3 expected"),
        (pack(bytes(50_000_000)), None, r"its \d+ bytes unpack to more than the \d+ expected"),
        (pack(b"\n" * 1000), 2**70, "it has 1000 events, not 1"),
        (pack(b"{}\n"), -1, "unpack to more than the 0 expected"),
        (pack(b"{}\n") * 2, 3, "unpack to more than the 3 expected"),
        (pack(b"{}\n") + b"more", 3, "cannot be unpacked"),
        (pack(b"{}\n")[:-4], 3, "it is cut short"),
        (pack(b"{}\n")[:-8] + bytes(8), 3, "cannot be unpacked"),
        (b"{}\n", 3, "cannot be unpacked"),
        (b"", 3, "it is cut short"),
    ],
    ids=["bomb", "old manifest", "any size", "negative", "two", "more", "short", "checksum", "plain", "empty"],
)
def test_a_part_unpacks_to_no_more_than_its_manifest_says(
    staging: Staging, s3: Any, bucket: str, body: bytes, unpacked: int | None, words: str
) -> None:
    """Although its size and its checksum are right: the error names the part, its size and the limit."""
    part = replaced(staging, s3, bucket, body, unpacked)
    with pytest.raises(StagingError, match=f"{part.key}.*({words})"):
        next(iter(staging.lines(part)))


@pytest.mark.promise("bounded")
def test_a_bomb_is_not_unpacked(staging: Staging, s3: Any, bucket: str) -> None:
    """Memory grows by the limit, not by the content of the bomb."""
    part = replaced(staging, s3, bucket, pack(bytes(100_000_000)), 1000)
    with peak_memory() as peak, pytest.raises(StagingError, match="unpack to more than the 1000 expected"):
        next(iter(staging.lines(part)))
    assert peak() < 20_000_000


@contextlib.contextmanager
def peak_memory() -> Iterator[Callable[[], int]]:
    """Count the most bytes that Python objects use."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        yield lambda: tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def test_a_part_of_an_older_manifest_is_read(staging: Staging, s3: Any, bucket: str) -> None:
    """Its entry does not have the unpacked size."""
    part = write_part(staging, b'{"eventID":"1"}')
    assert part.unpacked == len(b'{"eventID":"1"}\n')
    publish(staging, manifest(part))
    key = f"{staging.folder(WINDOW)}/manifest.json"
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=body.replace(b',"unpacked":16', b""))
    old = staging.manifest(WINDOW)
    assert old is not None
    assert old.parts == (replace(part, unpacked=None),)
    assert list(staging.lines(old.parts[0])) == [b'{"eventID":"1"}']


@pytest.mark.promise("bounded")
def test_an_object_that_is_too_large_is_not_read(
    staging: Staging, s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part larger than in its manifest, or a manifest of gigabytes: named, and replaced with force."""
    part = write_part(staging, b"{}")
    s3.put_object(Bucket=bucket, Key=part.key, Body=bytes(part.bytes + 1))
    with pytest.raises(
        StagingError, match=f"{part.key} has {part.bytes + 1} bytes, more than the {part.bytes} exp"
    ):
        next(iter(staging.lines(part)))
    key = f"{staging.folder(WINDOW)}/manifest.json"
    s3.put_object(Bucket=bucket, Key=key, Body=bytes(LARGEST_OBJECT + 1))
    with pytest.raises(StagingError, match=rf"manifest\.json has {LARGEST_OBJECT + 1} bytes, more than .*force"):
        staging.manifest(WINDOW)
    publish(staging, manifest(part))
    assert staging.manifest(WINDOW) == manifest(part)


@pytest.mark.promise("nothing-lost")
def test_a_wrong_count_in_a_manifest_is_found(staging: Staging) -> None:
    """The number of events in a part is checked too."""
    part = write_part(staging, b"{}")
    wrong = replace(part, events=2)
    with pytest.raises(StagingError, match="1 events, not 2"):
        list(staging.lines(wrong))


def test_a_missing_object_is_none_although_threads_share_the_client(
    s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore makes the classes of a client's exceptions twice if two threads need them first."""

    def make_classes(client: Any) -> Any:
        return ClientExceptionsFactory().create_client_exceptions(client.meta.service_model)

    monkeypatch.setattr(type(s3), "exceptions", property(make_classes))
    assert Bucket(s3, bucket).read("missing") is None


def test_an_invalid_manifest_is_reported(staging: Staging, s3: Any, bucket: str) -> None:
    """Truncated, or of another window: the error says so."""
    key = f"{staging.folder(WINDOW)}/manifest.json"
    s3.put_object(Bucket=bucket, Key=key, Body=b'{"account": "1')
    with pytest.raises(StagingError, match=r"manifest\.json was not written by this loader"):
        staging.manifest(WINDOW)
    other = Window(WINDOW.account, "us-east-1", WINDOW.start, WINDOW.end)
    publish(staging, manifest(window=other))
    body = s3.get_object(Bucket=bucket, Key=f"{staging.folder(other)}/manifest.json")["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    with pytest.raises(StagingError, match="belongs to 123456789012 us-east-1 2026-11-20"):
        staging.manifest(WINDOW)


def test_a_missing_bucket_is_reported(s3: Any) -> None:
    """The error names it, and the setting that names another one."""
    with pytest.raises(ConfigurationError, match=r"no-such-bucket does not exist.*Create it"):
        write_part(Staging(s3, "no-such-bucket"), b"{}")


def test_missing_credentials_are_reported(aws: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If there are no credentials anywhere, the error says so."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    client = boto3.session.Session().client("s3", endpoint_url=aws, region_name="us-east-1")
    with pytest.raises(ConfigurationError, match="no AWS credentials were found"):
        Staging(client, bucket).manifest(WINDOW)


def test_an_unreachable_s3_is_a_transient_error() -> None:
    """Another attempt may reach it."""
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
    """The error has the missing permission."""
    from botocore.stub import Stubber

    client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
    with Stubber(client) as stubber:
        stubber.add_client_error("put_object", "AccessDenied", "no", 403)
        with pytest.raises(AccessDeniedError, match="permission s3:PutObject is missing"):
            write_part(Staging(client, "bucket"), b"{}")


def test_parts_are_plain_gzip(staging: Staging, s3: Any, bucket: str) -> None:
    """Any tool reads them: newline-delimited JSON, gzipped."""
    part = write_part(staging, b'{"a":1}', b'{"a":2}')
    assert gzip.decompress(s3.get_object(Bucket=bucket, Key=part.key)["Body"].read()) == b'{"a":1}\n{"a":2}\n'


def test_replacing_a_manifest_requires_its_current_etag(staging: Staging) -> None:
    """Of two attempts that began with the same one, the first to end wins; the second gets an error."""
    nothing = staging.standing(WINDOW)
    assert nothing == Standing()
    assert staging.publish(manifest(fetch="first"), nothing)
    assert not staging.publish(manifest(fetch="second"), nothing)
    first = staging.standing(WINDOW)
    assert staging.publish(manifest(fetch="third"), first)
    assert not staging.publish(manifest(fetch="fourth"), first)
    standing = staging.manifest(WINDOW)
    assert standing is not None
    assert standing.fetch == "third"


def test_objects_that_no_manifest_names_are_deleted(staging: Staging, s3: Any, bucket: str) -> None:
    """Of the given fetches, and of no other."""
    part, left = write_part(staging, b"{}"), write_part(staging, b"[]")
    checkpoint, other = (staging.object_key(WINDOW, fetch, "checkpoint") for fetch in ("1", "2"))
    for key in (checkpoint, other):
        staging.bucket.create(key, b"", "text/plain")
    staging.tidy(WINDOW, manifest(part), ["1"])
    keys = {entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert keys >= {part.key, other}
    assert not keys & {left.key, checkpoint}


@pytest.mark.promise("closed")
@pytest.mark.parametrize(
    ("encryption", "algorithm"),
    [(Encryption("AES256"), "AES256"), (Encryption("aws:kms", "alias/trail"), "aws:kms")],
)
def test_objects_are_encrypted_as_configured(s3: Any, bucket: str, encryption: Encryption, algorithm: str) -> None:
    """Every object, parts and manifest."""
    staging = Staging(s3, bucket, encryption=lambda: encryption)
    publish(staging, manifest(write_part(staging, b"{}")))
    heads = [
        s3.head_object(Bucket=bucket, Key=entry["Key"]) for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]
    ]
    assert len(heads) == 2
    assert {head["ServerSideEncryption"] for head in heads} == {algorithm}
    assert {head.get("SSEKMSKeyId") for head in heads} == {encryption.kms_key or None}


@pytest.mark.parametrize("arguments", [("DES",), ("AES256", "alias/trail"), ("", "alias/trail")])
def test_an_invalid_encryption_is_rejected(arguments: tuple[str, ...]) -> None:
    """An unknown algorithm, or a key without KMS."""
    with pytest.raises(ConfigurationError, match=r"AES256|aws:kms"):
        Encryption(*arguments)


@pytest.mark.promise("polite")
def test_workers_of_a_region_count_each_other(staging: Staging) -> None:
    """Each counts from its announcement until it leaves; other regions' workers do not count."""
    sharers = Sharers(staging, WINDOW)
    others = Sharers(staging, Window(WINDOW.account, "us-east-1", WINDOW.start, WINDOW.end))
    assert [sharers.announce("a"), sharers.announce("b"), sharers.announce("a")] == [1, 1 / 2, 1 / 2]
    assert others.announce("c") == 1
    sharers.leave("b")
    assert sharers.announce("a") == 1


def test_the_bucket_can_replace_a_task_state_store(staging: Staging) -> None:
    """It has values by key, of one task and window."""
    store = staging.state(WINDOW, "cell.fetch")
    assert store.get("key", "default") == "default"
    store.set("key", {"a": [1, "b"]})
    assert staging.state(WINDOW, "cell.fetch").get("key") == {"a": [1, "b"]}
    assert staging.state(WINDOW, "cell.load").get("key") is None
    store.delete("key")
    assert store.get("key") is None


def test_a_damaged_load_record_is_ignored(staging: Staging, s3: Any, bucket: str) -> None:
    """The window is loaded again."""
    staging.write_load_record(WINDOW, LoadRecord("fingerprint", START))
    (entry,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    s3.put_object(Bucket=bucket, Key=entry["Key"], Body=b'{"finger')
    assert staging.load_record(WINDOW) is None


def test_a_manifest_from_before_strays_were_counted_is_read(staging: Staging, s3: Any, bucket: str) -> None:
    """It has 0 strays."""
    publish(staging, manifest())
    key = f"{staging.folder(WINDOW)}/manifest.json"
    old = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    del old["strays"], old["misplaced"]
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(old).encode())
    assert staging.manifest(WINDOW) == manifest()


class Deletes:
    """An S3 server that answers DeleteObjects with 200 and errors by key, in XML, one answer after another."""

    def __init__(self, *answers: dict[str, str]) -> None:
        self.left = list(answers)
        self.asked: list[int] = []

    def __call__(self, request: Any, **_: Any) -> Any:
        body = request.body if isinstance(request.body, bytes) else request.body.read()
        self.asked.append(body.count(b"<Key>"))
        errors = self.left.pop(0) if self.left else {}
        text = "".join(
            f"<Error><Key>{key}</Key><Code>{code}</Code><Message>m</Message></Error>"
            for key, code in errors.items()
        )
        return AWSResponse(request.url, 200, {}, Raw(f"<DeleteResult>{text}</DeleteResult>".encode()))


class Raw(io.BytesIO):
    """A response body as botocore reads it."""

    def stream(self, **_: Any) -> Any:
        yield self.getvalue()


def deleting(aws: str, *answers: dict[str, str]) -> tuple[Bucket, Deletes]:
    client = boto3.client("s3", endpoint_url=aws, region_name="us-east-1")
    deletes = Deletes(*answers)
    client.meta.events.register("before-send.s3.DeleteObjects", deletes)
    return Bucket(client, "bucket"), deletes


def test_a_denied_deletion_names_the_object(aws: str) -> None:
    """Although the status is 200; transient errors of other keys are not retried then."""
    bucket, deletes = deleting(aws, {"a": "InternalError", "b": "AccessDenied"})
    with pytest.raises(AccessDeniedError, match=r"s3://bucket/b .*s3:DeleteObject is missing"):
        bucket.delete(["a", "b", "c"])
    assert deletes.asked == [3]


def test_a_deletion_is_retried_after_a_transient_error(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remaining objects, a few times; then the error is a transient one."""
    monkeypatch.setattr("cloudtrail_elasticsearch.staging.bucket._PAUSE", 0.0)
    bucket, deletes = deleting(aws, {"a": "InternalError", "b": "SlowDown"}, {"a": "InternalError"})
    bucket.delete(["a", "b", "c"])
    assert deletes.asked == [3, 2, 1]
    bucket, deletes = deleting(aws, *[{"a": "InternalError"}] * 9)
    with pytest.raises(TransientError, match="s3://bucket/a"):
        bucket.delete(["a"])
    assert len(deletes.asked) == 4


def test_a_missing_object_counts_as_deleted(aws: str) -> None:
    """Some stores report it by key."""
    bucket, deletes = deleting(aws, {"a": "NoSuchKey"})
    bucket.delete(["a"])
    assert deletes.asked == [1]
