"""A digest is decoded within bounds, and whatever is wrong with it becomes a finding."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.coverage.findings import Finding, FindingKind
from cloudtrail_elasticsearch.sources.trail import digests
from cloudtrail_elasticsearch.sources.trail.digests import Digest, StoredObject, decode_digest
from cloudtrail_elasticsearch.sources.trail.layout import DigestKey

from .memory_trail import BUCKET, DAY, HOUR, ROOT, MemoryBucket, TrailWriter, intact_trail

SECRET = "arn:aws:iam::111122223333:role/secret"


def one_digest(**changes: Any) -> tuple[DigestKey, StoredObject]:
    trail = TrailWriter(MemoryBucket())
    trail.deliver(DAY)
    key = trail.close_digest(**changes)
    parsed = ROOT.parse_key(key)
    assert isinstance(parsed, DigestKey)
    return parsed, trail.bucket.objects[key]


def kind_of(key: DigestKey, body: bytes, metadata: dict[str, str] | None = None) -> FindingKind:
    stored = one_digest()[1]
    decoded = decode_digest(BUCKET, key, StoredObject(body, stored.metadata if metadata is None else metadata))
    assert isinstance(decoded, Finding)
    assert decoded.key == key.key
    assert SECRET not in str(decoded)
    return decoded.kind


def test_a_digest_is_decoded() -> None:
    """Its times, its link and its log files; the text that AWS signs has four lines."""
    trail = TrailWriter(MemoryBucket())
    first = trail.close_digest()
    file = trail.deliver(DAY)
    key = ROOT.parse_key(trail.close_digest())
    assert isinstance(key, DigestKey)
    decoded = decode_digest(BUCKET, key, trail.bucket.objects[key.key])
    assert isinstance(decoded, Digest)
    assert (decoded.start, decoded.end) == (key.end - HOUR, key.end)
    assert [entry.s3_object for entry in decoded.log_files] == [file]
    assert decoded.previous is not None
    assert decoded.previous.key == first
    lines = decoded.signed_text.decode().split("\n")
    assert lines == [
        f"{key.end:%Y-%m-%dT%H:%M:%SZ}",
        f"{BUCKET}/{key.key}",
        decoded.sha256,
        decoded.previous.signature,
    ]


def test_a_digest_that_begins_a_chain_signs_the_word_null() -> None:
    """Every field about the previous digest is null."""
    key, stored = one_digest()
    decoded = decode_digest(BUCKET, key, stored)
    assert isinstance(decoded, Digest)
    assert decoded.previous is None
    assert decoded.signed_text.endswith(b"\nnull")


@pytest.mark.parametrize(
    "break_it",
    [
        lambda body: b"",
        lambda body: SECRET.encode(),
        lambda body: body[:-9],
        lambda body: body + b"\0",
        lambda body: body + body,
        lambda body: gzip.compress(b'{"a": "' + SECRET.encode() + b'"}'),
        lambda body: gzip.compress(SECRET.encode()),
        lambda body: gzip.compress(b"\xff\xfe"),
        lambda body: gzip.compress(b"[" * 100_000),
        lambda body: gzip.compress(gzip.decompress(body)[:-1] + b',"x":' + b"[" * 9999 + b"]" * 9999 + b"}"),
    ],
)
def test_an_object_that_is_no_digest_is_unreadable(break_it: Callable[[bytes], bytes]) -> None:
    """Cut, damaged, with data after its end, or other JSON; the finding does not quote it."""
    key, stored = one_digest()
    assert kind_of(key, break_it(stored.body)) is FindingKind.UNREADABLE


@pytest.mark.parametrize(
    "field", ["digestStartTime", "digestPublicKeyFingerprint", "previousDigestSignature", "logFiles"]
)
def test_a_digest_without_a_field_is_unreadable(field: str) -> None:
    """The fields without which nothing can be verified."""
    key, stored = one_digest()
    content = json.loads(gzip.decompress(stored.body))
    del content[field]
    assert kind_of(key, gzip.compress(json.dumps(content).encode())) is FindingKind.UNREADABLE


@pytest.mark.promise("bounded")
def test_a_digest_that_unpacks_to_too_much_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is unpacked up to the limit, not further."""
    monkeypatch.setattr(digests, "MOST_BYTES", 100_000)
    key, _ = one_digest()
    assert kind_of(key, gzip.compress(bytes(10_000_000))) is FindingKind.UNREADABLE
    assert kind_of(key, bytes(100_001)) is FindingKind.UNREADABLE


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"digestS3Bucket": "another"}, FindingKind.MOVED),
        ({"digestS3Object": "another"}, FindingKind.MOVED),
        ({"awsAccountId": "444455556666"}, FindingKind.CONTRADICTORY),
        ({"digestEndTime": "2026-11-20T00:00:00Z"}, FindingKind.CONTRADICTORY),
        ({"digestStartTime": "2026-11-21T00:00:00Z"}, FindingKind.CONTRADICTORY),
        ({"digestStartTime": "yesterday"}, FindingKind.UNREADABLE),
        ({"digestStartTime": "2026-11-19T23:00:00"}, FindingKind.UNREADABLE),
        ({"digestStartTime": "2026-11-19T23:00:00+01:00"}, FindingKind.UNREADABLE),
        ({"digestStartTime": "0001-01-01T00:00:00Z"}, FindingKind.UNREADABLE),
        ({"digestEndTime": "9999-12-31T23:59:59Z"}, FindingKind.UNREADABLE),
        ({"digestSignatureAlgorithm": "SHA1withRSA"}, FindingKind.UNKNOWN_ALGORITHM),
        ({"previousDigestS3Object": "half of a link"}, FindingKind.UNREADABLE),
        (
            {
                "previousDigestS3Bucket": "bucket",
                "previousDigestS3Object": "key",
                "previousDigestHashValue": "00",
                "previousDigestHashAlgorithm": "MD5",
                "previousDigestSignature": "00",
            },
            FindingKind.UNKNOWN_ALGORITHM,
        ),
    ],
)
def test_a_digest_that_contradicts_its_place_or_time_is_named(changes: dict[str, str], kind: FindingKind) -> None:
    """Even if its signature were valid."""
    key, stored = one_digest(**changes)
    assert kind_of(key, stored.body) is kind


def test_a_digest_without_a_signature_is_named() -> None:
    """The signature and its algorithm are in the object's metadata."""
    key, stored = one_digest()
    assert kind_of(key, stored.body, {}) is FindingKind.BAD_SIGNATURE
    assert kind_of(key, stored.body, {"signature": "00"}) is FindingKind.BAD_SIGNATURE
    other = {"signature": "00", "signature-algorithm": "SHA1withRSA"}
    assert kind_of(key, stored.body, other) is FindingKind.UNKNOWN_ALGORITHM


def test_a_backfill_digest_states_when_it_was_made() -> None:
    """The public key is searched around that time; without it the digest is unreadable."""
    trail = TrailWriter(MemoryBucket())
    key = ROOT.parse_key(trail.close_backfill(DAY, DAY + HOUR, DAY + 40 * HOUR))
    assert isinstance(key, DigestKey)
    stored = trail.bucket.objects[key.key]
    decoded = decode_digest(BUCKET, key, stored)
    assert isinstance(decoded, Digest)
    assert decoded.key_times == (DAY + 39 * HOUR, DAY + 41 * HOUR)
    metadata = {name: value for name, value in stored.metadata.items() if "backfill" not in name}
    assert kind_of(key, stored.body, metadata) is FindingKind.UNREADABLE
    for stated in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "then"):
        metadata["backfill-generation-timestamp"] = stated
        assert kind_of(key, stored.body, metadata) is FindingKind.UNREADABLE


@given(st.binary(), st.dictionaries(st.sampled_from(["signature", "signature-algorithm"]), st.text()))
def test_any_object_gives_a_finding(body: bytes, metadata: dict[str, str]) -> None:
    """Nothing that somebody can put into the bucket raises."""
    key, _ = one_digest()
    for each in (body, zlib.compress(body, wbits=31)):
        assert isinstance(decode_digest(BUCKET, key, StoredObject(each, metadata)), Finding)


def test_each_digest_of_a_trail_is_decoded() -> None:
    """Quiet hours included."""
    trail, keys = intact_trail()
    for key in keys:
        parsed = ROOT.parse_key(key)
        assert isinstance(parsed, DigestKey)
        assert isinstance(decode_digest(BUCKET, parsed, trail.bucket.objects[key]), Digest)
