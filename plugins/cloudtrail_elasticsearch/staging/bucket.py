"""S3, as staging needs it: objects read and written whole, with conditions, encryption and our errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from itertools import islice
from typing import Any, Final

from cloudtrail_elasticsearch.aws_errors import told
from cloudtrail_elasticsearch.core.errors import ConfigurationError

_KEYS_PER_DELETE: Final = 1000
_CHANGED: Final = {"PreconditionFailed", "ConditionalRequestConflict"}


@dataclass(frozen=True, slots=True)
class Encryption:
    """How S3 encrypts what is staged; nothing said, as the bucket does.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html

    :param algorithm: ``AES256`` (SSE-S3) or ``aws:kms``
    :param kms_key: the key's id or ARN; where it is missing, AWS's own key for S3
    """

    algorithm: str = ""
    kms_key: str = ""

    def __post_init__(self) -> None:
        if self.algorithm not in {"", "AES256", "aws:kms"}:
            raise ConfigurationError(f"The encryption {self.algorithm!r} is neither AES256 nor aws:kms.")
        if self.kms_key and self.algorithm != "aws:kms":
            raise ConfigurationError("A KMS key is given, so the encryption must be aws:kms.")

    @property
    def arguments(self) -> dict[str, str]:
        """What is said to S3 when an object is written."""
        arguments = {"ServerSideEncryption": self.algorithm} if self.algorithm else {}
        return arguments | ({"SSEKMSKeyId": self.kms_key} if self.kms_key else {})


@dataclass(frozen=True, slots=True)
class Stored:
    """An object's content, and the tag that changes with it."""

    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a list names it; `age` in seconds, by S3's own clock."""

    key: str
    age: float


class Bucket:
    """Reads and writes objects of a bucket through a boto3 S3 client, which threads may share.

    :param encryption: tells how to encrypt; it is asked when something is written
    """

    def __init__(self, client: Any, name: str, encryption: Callable[[], Encryption] = Encryption) -> None:
        self._client = client
        self._asked_encryption = encryption
        self.name = name

    def uri(self, key: str) -> str:
        """Return an object's address, for people."""
        return f"s3://{self.name}/{key}"

    def read(self, key: str) -> Stored | None:
        """Return an object, or None where it is missing."""
        with told(f"Reading {self.uri(key)}", "s3:GetObject (and s3:ListBucket)"):
            try:
                answer = self._client.get_object(Bucket=self.name, Key=key)
            except self._client.exceptions.NoSuchKey:
                return None
            return Stored(answer["Body"].read(), answer["ETag"])

    def write(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object, whatever stands there."""
        self._put(key, body, content_type)

    def create(self, key: str, body: bytes, content_type: str) -> bool:
        """Write an object unless one stands there, and say whether it was written."""
        return self._put(key, body, content_type, IfNoneMatch="*")

    def replace(self, key: str, body: bytes, content_type: str, etag: str) -> bool:
        """Write an object if the one with this tag still stands there, and say whether it was written."""
        return self._put(key, body, content_type, IfMatch=etag)

    def list(self, prefix: str) -> Iterator[Listed]:
        """Yield the objects whose keys begin so, by key."""
        with told(f"Listing {self.uri(prefix)}", "s3:ListBucket"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                now = _server_time(page)
                for entry in page.get("Contents", ()):
                    yield Listed(entry["Key"], (now - entry["LastModified"]).total_seconds())

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; one that is missing is no error."""
        remaining = iter(keys)
        while some := list(islice(remaining, _KEYS_PER_DELETE)):
            with told(f"Deleting {self.uri(some[0])}", "s3:DeleteObject"):
                self._client.delete_objects(
                    Bucket=self.name, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True}
                )

    @cached_property
    def _encryption(self) -> dict[str, str]:
        return self._asked_encryption().arguments

    def _put(self, key: str, body: bytes, content_type: str, **condition: str) -> bool:
        from botocore.exceptions import ClientError

        how = condition | self._encryption
        with told(f"Writing {self.uri(key)}", "s3:PutObject"):
            try:
                self._client.put_object(Bucket=self.name, Key=key, Body=body, ContentType=content_type, **how)
            except ClientError as error:
                if condition and error.response["Error"]["Code"] in _CHANGED:
                    return False
                raise
        return True


def _server_time(answer: dict[str, Any]) -> datetime:
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date) if date else datetime.now(UTC)
