"""Staging in a real S3 protocol: what is written is what is read, and damage is found before it is loaded."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
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
from cloudtrail_elasticsearch.core.events import LookedUpEvent
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.staging import Encryption, LoadRecord, Manifest, Part, Staging
from cloudtrail_elasticsearch.staging.parts import PageHead, PartBuilder, StagedPage
from cloudtrail_elasticsearch.staging.staging import Standing

START = datetime(2026, 11, 20, tzinfo=UTC)
WINDOW = Window("123456789012", "eu-west-1", START, START + timedelta(days=1))


@pytest.fixture
def s3(aws: str) -> Any:
    return boto3.client("s3", endpoint_url=aws, region_name="us-east-1")


@pytest.fixture
def staging(s3: Any, bucket: str) -> Staging:
    return Staging(s3, bucket, "trail")


def write_part(staging: Staging, *lines: bytes, name: str = "a") -> Part:
    builder = PartBuilder()
    for number, line in enumerate(lines):
        builder.add([LookedUpEvent(str(number), START - timedelta(seconds=number), line)])
    return staging.write_part(WINDOW, "1", name, builder)


def publish(staging: Staging, manifest: Manifest) -> None:
    assert staging.publish(manifest, staging.standing(manifest.window))


def manifest(*parts: Part, window: Window = WINDOW, fetch: str = "1") -> Manifest:
    return Manifest(
        fetch=fetch,
        late=0,
        throttled=0,
        attempts=1,
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
    part = write_part(staging, b"{}")
    publish(staging, manifest(part))
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    folder = "trail/account=123456789012/region=eu-west-1/date=2026-11-20"
    assert keys == [f"{folder}/fetch=1/part-a-{part.sha256[:12]}.ndjson.gz", f"{folder}/manifest.json"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(lines=st.lists(st.binary(max_size=50).map(lambda raw: raw.hex().encode()), min_size=1, max_size=20))
def test_a_parts_lines_are_read_as_they_were_written(staging: Staging, lines: list[bytes]) -> None:
    """Byte for byte and in order; the same lines always make the same object."""
    part = write_part(staging, *lines)
    assert list(staging.lines(part)) == lines
    assert write_part(staging, *lines) == part


def test_a_manifest_and_a_load_record_are_read_as_they_were_written(staging: Staging) -> None:
    """And where there is none, none is found."""
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


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_found_before_a_line_of_it_is_used(
    staging: Staging, s3: Any, bucket: str, damage: str
) -> None:
    """The error names the object, what is wrong with it and what to do."""
    change, words = DAMAGES[damage]
    part = write_part(staging, b'{"eventID":"1"}', b'{"eventID":"2"}')
    body = change(s3.get_object(Bucket=bucket, Key=part.key)["Body"].read())
    if body is None:
        s3.delete_object(Bucket=bucket, Key=part.key)
    else:
        s3.put_object(Bucket=bucket, Key=part.key, Body=body)
    with pytest.raises(StagingError, match=f"{part.key}.*{words}.*force"):
        next(iter(staging.lines(part)))


def test_a_manifest_that_counts_wrong_is_found(staging: Staging) -> None:
    """The number of events in a part is checked, too."""
    part = write_part(staging, b"{}")
    wrong = replace(part, events=2)
    with pytest.raises(StagingError, match="1 events, not 2"):
        list(staging.lines(wrong))


def test_a_manifest_that_is_none_is_named(staging: Staging, s3: Any, bucket: str) -> None:
    """Cut short, or of another window: the sentence says so."""
    key = f"{staging.folder(WINDOW)}/manifest.json"
    s3.put_object(Bucket=bucket, Key=key, Body=b'{"account": "1')
    with pytest.raises(StagingError, match=r"manifest\.json is not what this loader wrote"):
        staging.manifest(WINDOW)
    other = Window(WINDOW.account, "us-east-1", WINDOW.start, WINDOW.end)
    publish(staging, manifest(window=other))
    body = s3.get_object(Bucket=bucket, Key=f"{staging.folder(other)}/manifest.json")["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    with pytest.raises(StagingError, match="is that of us-east-1 2026-11-20"):
        staging.manifest(WINDOW)


def test_a_bucket_that_does_not_exist_is_named(s3: Any) -> None:
    """The sentence names it, and where to name another one."""
    with pytest.raises(ConfigurationError, match=r"no-such-bucket does not exist.*Create it"):
        write_part(Staging(s3, "no-such-bucket"), b"{}")


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
            write_part(Staging(client, "bucket"), b"{}")


def test_parts_are_plain_gzip(staging: Staging, s3: Any, bucket: str) -> None:
    """Any tool reads them: newline-delimited JSON, gzipped."""
    part = write_part(staging, b'{"a":1}', b'{"a":2}')
    assert gzip.decompress(s3.get_object(Bucket=bucket, Key=part.key)["Body"].read()) == b'{"a":1}\n{"a":2}\n'


def test_only_who_has_seen_the_manifest_can_replace_it(staging: Staging) -> None:
    """Of two attempts that began with the same one, the first to end wins; the second is told."""
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


def page(*numbers: int, token: str | None = "next") -> StagedPage:
    lines = [
        b'{"lookup":{"EventId":"%d","EventTime":"2026-11-20T00:00:0%dZ"},"event":{}}' % (n, n) for n in numbers
    ]
    events = [
        LookedUpEvent(str(n), START + timedelta(seconds=n), line) for n, line in zip(numbers, lines, strict=True)
    ]
    return StagedPage(PageHead(int(START.timestamp()), token), tuple(events))


@pytest.mark.parametrize("kept", [page(3, 2, 1), page(token=None), page(7, token=None)])
def test_a_page_is_read_as_it_was_kept(staging: Staging, kept: StagedPage) -> None:
    """Its events, and where the next one is asked for."""
    assert staging.keep_page(WINDOW, "1", "p", kept) == kept
    assert staging.page(WINDOW, "1", "p") == kept


def test_of_two_attempts_that_keep_a_page_the_first_counts(staging: Staging) -> None:
    """So both go on with the same events and the same token."""
    first, second = page(3, 2, token="a"), page(2, 1, token="b")
    assert staging.keep_page(WINDOW, "1", "p", first) == first
    assert staging.keep_page(WINDOW, "1", "p", second) == first
    assert staging.keep_page(WINDOW, "2", "p", second) == second


def test_what_no_manifest_names_is_tidied_away(staging: Staging, s3: Any, bucket: str) -> None:
    """Of the fetches that are named, and of no other."""
    part, left = write_part(staging, b"{}"), write_part(staging, b"[]")
    staging.keep_page(WINDOW, "1", "p", page(1))
    staging.keep_page(WINDOW, "2", "p", page(1))
    assert staging.pages(WINDOW, "1") == {"p"}
    staging.tidy(WINDOW, manifest(part), ["1"])
    assert staging.pages(WINDOW, "1") == set()
    assert staging.pages(WINDOW, "2") == {"p"}
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert part.key in keys
    assert left.key not in keys


@pytest.mark.parametrize(
    ("encryption", "algorithm"),
    [(Encryption("AES256"), "AES256"), (Encryption("aws:kms", "alias/trail"), "aws:kms")],
)
def test_what_is_staged_is_encrypted_as_asked(
    s3: Any, bucket: str, encryption: Encryption, algorithm: str
) -> None:
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
def test_an_encryption_that_is_none_is_told(arguments: tuple[str, ...]) -> None:
    """An unknown algorithm, a key without KMS."""
    with pytest.raises(ConfigurationError, match=r"AES256|aws:kms"):
        Encryption(*arguments)


def test_workers_of_a_region_know_of_each_other(staging: Staging) -> None:
    """Each is counted from when it says so until it leaves; other regions' are not."""
    sharers = staging.sharers(WINDOW)
    others = staging.sharers(Window(WINDOW.account, "us-east-1", WINDOW.start, WINDOW.end))
    assert [sharers.announce("a"), sharers.announce("b"), sharers.announce("a")] == [1, 2, 2]
    assert others.announce("c") == 1
    sharers.leave("b")
    assert sharers.announce("a") == 1


def test_the_bucket_stands_in_for_a_task_state_store(staging: Staging) -> None:
    """Values by key, of one task and window."""
    store = staging.state(WINDOW, "cell.fetch")
    assert store.get("key", "default") == "default"
    store.set("key", {"a": [1, "b"]})
    assert staging.state(WINDOW, "cell.fetch").get("key") == {"a": [1, "b"]}
    assert staging.state(WINDOW, "cell.load").get("key") is None
    store.delete("key")
    assert store.get("key") is None
