"""Digests: AWS's hourly lists of the log files that a trail delivered.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from cloudtrail_elasticsearch.core.coverage.findings import Finding, FindingKind
from cloudtrail_elasticsearch.core.encoding import typed
from cloudtrail_elasticsearch.sources.trail.layout import DigestKey

MOST_BYTES: Final = 64 * 1024 * 1024
"""The size of the largest accepted digest, packed and unpacked, in bytes.

One entry takes about 400 bytes, so a digest of this size lists 160,000 log files of one hour, account and region.
AWS documents no limit.
"""

SIGNATURE_ALGORITHM: Final = "SHA256withRSA"
HASH_ALGORITHM: Final = "SHA-256"

_FIRST_YEAR: Final = 2013
_LAST_YEAR: Final = 9000
"""CloudTrail began in 2013. Times near the ends of what Python can compute with would be errors, not findings."""

_GZIP: Final = zlib.MAX_WBITS | 16
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of the bucket, with the user metadata of S3 (names without ``x-amz-meta-``)."""

    body: bytes
    metadata: Mapping[str, str]


class LogFileEntry(msgspec.Struct, frozen=True, rename="camel"):
    """A log file in a digest, with the hash of its uncompressed content."""

    s3_bucket: str
    s3_object: str
    hash_value: str
    hash_algorithm: str

    @property
    def is_sha256(self) -> bool:
        """Whether it has a SHA-256 in lower-case hexadecimal digits."""
        is_hash = len(self.hash_value) == 64 and set(self.hash_value) <= _HEX
        return is_hash and self.hash_algorithm == HASH_ALGORITHM


class DigestContent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The content of a digest. The fields about the previous digest are null at the beginning of a chain."""

    aws_account_id: str
    digest_start_time: str
    digest_end_time: str
    digest_s3_bucket: str
    digest_s3_object: str
    digest_public_key_fingerprint: str
    digest_signature_algorithm: str
    previous_digest_s3_bucket: str | None = None
    previous_digest_s3_object: str | None = None
    previous_digest_hash_value: str | None = None
    previous_digest_hash_algorithm: str | None = None
    previous_digest_signature: str | None
    log_files: tuple[LogFileEntry, ...]


@dataclass(frozen=True, slots=True)
class PreviousDigest:
    """A digest's link to the digest before it."""

    bucket: str
    key: str
    sha256: str
    signature: str


@dataclass(frozen=True, slots=True)
class Digest:
    """A decoded digest that states its own place; nothing about its signature is verified yet."""

    key: DigestKey
    start: datetime
    sha256: str
    """Of its uncompressed bytes, in hexadecimal digits."""
    signature: str
    """In hexadecimal digits, from the object's metadata."""
    signed_text: bytes
    fingerprint: str
    """Of the public key that verifies the signature."""
    key_times: tuple[datetime, datetime]
    """A range of time that contains the moment of the signature, for finding the public key."""
    previous: PreviousDigest | None
    """None if the digest begins a chain."""
    log_files: tuple[LogFileEntry, ...]

    @property
    def end(self) -> datetime:
        """The end of the time that it covers."""
        return self.key.end


def decode_digest(bucket: str, key: DigestKey, stored: StoredObject) -> Digest | Finding:
    """Return the digest that an object holds, or the finding that keeps it from being used.

    :param bucket: the bucket that holds the object
    """
    try:
        text = _unpack(stored.body)
        content = typed.decode(text, DigestContent)
        start = _parse_time(content.digest_start_time)
        end = _parse_time(content.digest_end_time)
        key_times = _find_key_times(key, start, end, stored.metadata)
        previous = _read_link(content)
    except _UnreadableError as error:
        return Finding(FindingKind.UNREADABLE, key.key, str(error))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        # The error's own message can quote the content.
        return Finding(FindingKind.UNREADABLE, key.key, "it is not the JSON of a digest")
    problem = _check_place(bucket, key, content, start, end) or _check_algorithms(content, stored.metadata)
    if problem is not None:
        return Finding(problem[0], key.key, problem[1])
    sha256 = hashlib.sha256(text).hexdigest()
    return Digest(
        key=key,
        start=start,
        sha256=sha256,
        signature=stored.metadata["signature"],
        signed_text=_make_signed_text(content, sha256),
        fingerprint=content.digest_public_key_fingerprint,
        key_times=key_times,
        previous=previous,
        log_files=content.log_files,
    )


class _UnreadableError(Exception):
    """The object is not a digest, for the reason in the message."""


def _unpack(body: bytes) -> bytes:
    """Return the uncompressed bytes of exactly one gzip member of a bounded size."""
    if len(body) > MOST_BYTES:
        raise _UnreadableError(f"it has more than {MOST_BYTES} bytes")
    unpacker = zlib.decompressobj(_GZIP)
    try:
        text = unpacker.decompress(body, MOST_BYTES + 1)
    except zlib.error as error:
        raise _UnreadableError("it is not gzip, or its data is damaged") from error
    if len(text) > MOST_BYTES:
        raise _UnreadableError(f"it unpacks to more than {MOST_BYTES} bytes")
    if not unpacker.eof:
        raise _UnreadableError("its gzip data is cut short")
    if unpacker.unused_data:
        # No hash covers bytes after the end of the gzip data.
        raise _UnreadableError("other data follows its gzip data")
    return text


def _parse_time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise _UnreadableError("one of its times is not a time") from error
    if time.utcoffset() != timedelta(0):
        raise _UnreadableError("one of its times is not in UTC")
    if not _FIRST_YEAR <= time.year <= _LAST_YEAR:
        raise _UnreadableError("one of its times is out of range")
    return time


def _find_key_times(
    key: DigestKey, start: datetime, end: datetime, metadata: Mapping[str, str]
) -> tuple[datetime, datetime]:
    """Return a range of time that contains the moment of the signature.

    A backfill digest is signed long after the time that it covers; its metadata states when.
    """
    if not key.is_backfill:
        # Two hours, because a digest is signed after its end, with a key that can be newer than the end.
        return start, end + timedelta(hours=2)
    stated = metadata.get("backfill-generation-timestamp")
    if stated is None:
        raise _UnreadableError("it is a backfill digest without backfill-generation-timestamp in its metadata")
    made = _parse_time(stated)
    return made - timedelta(hours=1), made + timedelta(hours=1)


def _read_link(content: DigestContent) -> PreviousDigest | None:
    bucket, key = content.previous_digest_s3_bucket, content.previous_digest_s3_object
    sha256, signature = content.previous_digest_hash_value, content.previous_digest_signature
    if bucket is None and key is None and sha256 is None and signature is None:
        return None
    if bucket is None or key is None or sha256 is None or signature is None:
        raise _UnreadableError("its link to the previous digest is incomplete")
    return PreviousDigest(bucket, key, sha256, signature)


def _check_place(
    bucket: str, key: DigestKey, content: DigestContent, start: datetime, end: datetime
) -> tuple[FindingKind, str] | None:
    if (content.digest_s3_bucket, content.digest_s3_object) != (bucket, key.key):
        return FindingKind.MOVED, "it states that CloudTrail delivered it to another bucket or key"
    if content.aws_account_id != key.account:
        return FindingKind.CONTRADICTORY, "its content names another account than its key"
    if end != key.end:
        return FindingKind.CONTRADICTORY, "its content has another end time than its key"
    if start >= end:
        return FindingKind.CONTRADICTORY, "its start time is not before its end time"
    return None


def _check_algorithms(content: DigestContent, metadata: Mapping[str, str]) -> tuple[FindingKind, str] | None:
    if "signature" not in metadata or "signature-algorithm" not in metadata:
        return FindingKind.BAD_SIGNATURE, "its metadata has no signature"
    if {content.digest_signature_algorithm, metadata["signature-algorithm"]} != {SIGNATURE_ALGORITHM}:
        return FindingKind.UNKNOWN_ALGORITHM, f"it is signed with another algorithm than {SIGNATURE_ALGORITHM}"
    is_linked = content.previous_digest_hash_value is not None
    if is_linked and content.previous_digest_hash_algorithm != HASH_ALGORITHM:
        return (
            FindingKind.UNKNOWN_ALGORITHM,
            "it hashes the previous digest with another algorithm",
        )
    return None


def _make_signed_text(content: DigestContent, sha256: str) -> bytes:
    """Return the text that AWS signs.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-custom-validation.html
    """
    place = f"{content.digest_s3_bucket}/{content.digest_s3_object}"
    previous = content.previous_digest_signature
    lines = (content.digest_end_time, place, sha256, "null" if previous is None else previous)
    return "\n".join(lines).encode()
