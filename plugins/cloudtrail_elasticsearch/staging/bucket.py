"""An S3 bucket: reads and writes whole objects, with conditional writes, encryption and this package's errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from itertools import count
from typing import Any, Final

from cloudtrail_elasticsearch.aws_errors import is_temporary, make_error, translate_errors
from cloudtrail_elasticsearch.core.chunks import split_into_chunks
from cloudtrail_elasticsearch.core.errors import ConfigurationError, StagingError, TransientError

LARGEST_OBJECT: Final = 64 * 1024 * 1024
"""The most bytes of a manifest, a record or a state: several times the size that the busiest window needs."""

# S3's limit for one request.
_KEYS_PER_DELETE: Final = 1000
_MOST_TRIES: Final = 4
_PAUSE: Final = 0.2
"""Seconds before a delete or a write is retried, times the number of tries."""

_CONFLICT: Final = "ConditionalRequestConflict"
"""Another write of the same object is in progress; whether it succeeds is not known yet.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

_UNMET: Final = {"PreconditionFailed", "NoSuchKey", _CONFLICT}
"""The error codes for an unmet condition: another object exists or, with IfMatch, none exists."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """How S3 encrypts staged objects; empty: the bucket's default encryption.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html

    :param algorithm: ``AES256`` (SSE-S3) or ``aws:kms``
    :param kms_key: the key's id or ARN; empty: the AWS managed key for S3
    """

    algorithm: str = ""
    kms_key: str = ""

    def __post_init__(self) -> None:
        if self.algorithm not in {"", "AES256", "aws:kms"}:
            raise ConfigurationError(
                f"The encryption {self.algorithm!r} is not supported: choose AES256 or aws:kms."
            )
        if self.kms_key and self.algorithm != "aws:kms":
            raise ConfigurationError("A KMS key is configured, so the encryption must be aws:kms.")

    @property
    def arguments(self) -> dict[str, str]:
        """The arguments of S3's PutObject."""
        arguments = {"ServerSideEncryption": self.algorithm} if self.algorithm else {}
        return arguments | ({"SSEKMSKeyId": self.kms_key} if self.kms_key else {})


@dataclass(frozen=True, slots=True)
class Stored:
    """An object's content and ETag."""

    body: bytes
    etag: str


class OversizedError(StagingError):
    """An object is larger than any that this loader writes under its key; `etag` is its ETag."""

    def __init__(self, uri: str, size: int, most: int, etag: str) -> None:
        super().__init__(f"{uri} has {size} bytes, more than the {most} expected: run the cell again with force.")
        self.etag = etag


@dataclass(frozen=True, slots=True)
class Listed:
    """An object in a listing; `age` is in seconds, by S3's clock."""

    key: str
    age: float


class Bucket:
    """Reads and writes objects of a bucket with a boto3 S3 client; safe to share between threads.

    :param encryption: returns the encryption; it is called before the first write
    """

    def __init__(self, client: Any, name: str, encryption: Callable[[], Encryption] = Encryption) -> None:
        self._client = client
        self._read_encryption = encryption
        self.name = name

    def uri(self, key: str) -> str:
        """Return an object's URI, for messages."""
        return f"s3://{self.name}/{key}"

    def read(self, key: str, most: int = LARGEST_OBJECT) -> Stored | None:
        """Return an object, or None if it is missing.

        :raises OversizedError: it has more than `most` bytes; the body was not read
        """
        from botocore.exceptions import ClientError

        with translate_errors(f"Reading {self.uri(key)}", "s3:GetObject (and s3:ListBucket)"):
            try:
                answer = self._client.get_object(Bucket=self.name, Key=key)
            except ClientError as error:
                # By the code: a client's own exception classes are made twice if two threads need them first, and
                # the class that is raised is then not the one that is caught.
                if error.response["Error"]["Code"] == "NoSuchKey":
                    return None
                raise
            size = answer.get("ContentLength", 0)  # a proxy that sends chunks omits it
            if size > most:
                # Not read, because an object of any size could be here.
                answer["Body"].close()
                raise OversizedError(self.uri(key), size, most, answer["ETag"])
            return Stored(answer["Body"].read(), answer["ETag"])

    def write(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object, or replace the existing one."""
        self._put(key, body, content_type)

    def create(self, key: str, body: bytes, content_type: str) -> bool:
        """Write an object if none exists; return whether it was written."""
        return self._put(key, body, content_type, IfNoneMatch="*")

    def replace(self, key: str, body: bytes, content_type: str, etag: str) -> bool:
        """Replace an object if its ETag is still `etag`; return whether it was written."""
        return self._put(key, body, content_type, IfMatch=etag)

    def list(self, prefix: str) -> Iterator[Listed]:
        """Yield the objects whose keys begin with a prefix, sorted by key."""
        with translate_errors(f"Listing {self.uri(prefix)}", "s3:ListBucket"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                now = _read_server_time(page)
                for entry in page.get("Contents", ()):
                    yield Listed(entry["Key"], (now - entry["LastModified"]).total_seconds())

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; a missing object is not an error.

        :raises AccessDeniedError: s3:DeleteObject is not allowed for one of them
        :raises TransientError: S3 fails to delete one of them, in every retry
        """
        for some in split_into_chunks(keys, _KEYS_PER_DELETE):
            self._delete_some(some)

    def _delete_some(self, keys: Sequence[str]) -> None:
        """Delete up to 1,000 objects; an object with a temporary fault is retried."""
        left = list(keys)
        for tried in count(1):
            failed = self._failed_deletes(left)
            if not failed:
                return
            # Permanent errors come first, and no retry can fix them.
            worst = failed[0]
            code, key = worst.get("Code", ""), worst.get("Key", "")
            if not is_temporary(code) or tried >= _MOST_TRIES:
                raise make_error(
                    f"Deleting {self.uri(key)} ({len(failed)} of {len(keys)} objects failed)",
                    "s3:DeleteObject",
                    code,
                    worst.get("Message", ""),
                )
            # The others are deleted, so only these are requested again.
            left = [each["Key"] for each in failed]
            time.sleep(_PAUSE * tried)

    def _failed_deletes(self, keys: Sequence[str]) -> Sequence[dict[str, str]]:
        """Delete objects in one request; return the errors of single objects, permanent ones first.

        Even with such errors the answer's status is 200; with Quiet it lists only the errors:
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
        """
        with translate_errors(f"Deleting {self.uri(keys[0])}", "s3:DeleteObject"):
            answer = self._client.delete_objects(
                Bucket=self.name, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
            )
        # A missing object is deleted already.
        errors = [error for error in answer.get("Errors", ()) if error.get("Code") != "NoSuchKey"]
        return sorted(errors, key=lambda error: is_temporary(error.get("Code", "")))

    @cached_property
    def _encryption_arguments(self) -> dict[str, str]:
        # Read once, before the first write: the setting can cost a request to Airflow's API.
        return self._read_encryption().arguments

    def _put(self, key: str, body: bytes, content_type: str, **condition: str) -> bool:
        """Write an object and return whether its condition was met."""
        from botocore.exceptions import ClientError

        arguments = {"Body": body, "ContentType": content_type, **condition, **self._encryption_arguments}
        for tried in range(1, _MOST_TRIES + 1):
            with translate_errors(f"Writing {self.uri(key)}", "s3:PutObject"):
                try:
                    self._client.put_object(Bucket=self.name, Key=key, **arguments)
                except ClientError as error:
                    code = str(error.response["Error"]["Code"])
                    # Without a condition, these codes are faults (NoSuchKey, for example), so they are raised.
                    if not condition or code not in _UNMET:
                        raise
                else:
                    return True
            # Whether the other write succeeds is not known yet, so the condition is tried again.
            if code != _CONFLICT:
                return False
            time.sleep(_PAUSE * tried)
        raise TransientError(
            f"Writing {self.uri(key)}: S3 reported a conflict with another write {_MOST_TRIES} times in a row. "
            f"The next attempt resumes this one."
        )


def _read_server_time(answer: dict[str, Any]) -> datetime:
    # S3's own clock: with this machine's clock, clock skew would change all ages.
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    # A proxy may drop the header.
    return parsedate_to_datetime(date) if date else datetime.now(UTC)
