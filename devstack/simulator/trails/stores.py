"""Places for the objects of a bucket: memory, a folder, and an S3."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self

from botocore.exceptions import ClientError

from devstack.simulator.trails.trail import DIGESTS


class Stored(NamedTuple):
    """An object: its body and its metadata (the names without ``x-amz-meta-``)."""

    body: bytes
    metadata: dict[str, str]


class Puts(Protocol):
    """Takes the objects of a bucket."""

    def put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Store an object, in place of an older one of this key."""


class Bucket(Puts, Protocol):
    """A bucket whose objects can be changed."""

    def get(self, key: str) -> Stored:
        """Return an object.

        :raises KeyError: there is none of this key
        """

    def delete(self, key: str) -> None:
        """Delete an object."""

    def keys(self) -> Iterator[str]:
        """Yield all keys."""


class MemoryBucket:
    """A bucket in memory; threads may share it."""

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self._ordered: list[str] | None = None

    def put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Store an object, in place of an older one of this key."""
        if key not in self.objects:
            self._ordered = None
        self.objects[key] = Stored(body, dict(metadata))

    def get(self, key: str) -> Stored:
        """Return an object.

        :raises KeyError: there is none of this key
        """
        return self.objects[key]

    def delete(self, key: str) -> None:
        """Delete an object."""
        self.objects.pop(key, None)
        self._ordered = None

    def keys(self) -> Iterator[str]:
        """Yield all keys in their order."""
        yield from self.ordered()

    def ordered(self) -> list[str]:
        """Return all keys in their order; not to be changed."""
        ordered = self._ordered
        if ordered is None:
            # A key that another thread adds meanwhile resets the list again.
            ordered = self._ordered = sorted([*self.objects])
        return ordered


class FolderBucket:
    """A bucket in a folder: a file for each object, and one below ``.metadata`` if it has metadata."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Store an object, in place of an older one of this key."""
        self.delete(key)
        _write(self._folder / key, body)
        if metadata:
            _write(self._metadata(key), json.dumps(dict(metadata)).encode())

    def get(self, key: str) -> Stored:
        """Return an object.

        :raises KeyError: there is none of this key
        """
        try:
            body = (self._folder / key).read_bytes()
        except FileNotFoundError:
            raise KeyError(key) from None
        kept = self._metadata(key)
        return Stored(body, json.loads(kept.read_bytes()) if kept.exists() else {})

    def delete(self, key: str) -> None:
        """Delete an object."""
        for file in (self._folder / key, self._metadata(key)):
            file.unlink(missing_ok=True)

    def keys(self) -> Iterator[str]:
        """Yield all keys in their order."""
        files = (file.relative_to(self._folder).as_posix() for file in self._folder.rglob("*") if file.is_file())
        yield from sorted(key for key in files if not key.startswith(".metadata/"))

    def _metadata(self, key: str) -> Path:
        return self._folder / ".metadata" / f"{key}.json"


class S3Bucket:
    """A bucket of S3, by a boto3 client. Inside a ``with`` block several puts run at once, all done at its end.

    :param kms_key: the ARN of the key that encrypts the log files; digests are encrypted with S3's own key, as
        AWS does. None for no encryption.
    """

    _AT_ONCE: Final = 8

    def __init__(self, client: Any, name: str, kms_key: str | None = None) -> None:
        self._client = client
        self._name = name
        self._kms_key = kms_key
        self._pool: ThreadPoolExecutor | None = None
        self._running: list[Future[None]] = []

    def __enter__(self) -> Self:
        """Begin to put several objects at once."""
        self._pool = ThreadPoolExecutor(self._AT_ONCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the puts.

        :raises botocore.exceptions.ClientError: S3 rejected one
        """
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=kind is not None)
        running, self._running = self._running, []
        if kind is None:
            for put in running:
                put.result()

    def put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Store an object, in place of an older one of this key.

        :raises botocore.exceptions.ClientError: S3 rejects it; inside a ``with`` block at the block's end
        """
        if self._pool is None:
            self._put(key, body, metadata)
        else:
            self._running.append(self._pool.submit(self._put, key, body, metadata))

    def get(self, key: str) -> Stored:
        """Return an object.

        :raises KeyError: there is none of this key
        """
        try:
            answer = self._client.get_object(Bucket=self._name, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                raise KeyError(key) from None
            raise
        return Stored(answer["Body"].read(), dict(answer["Metadata"]))

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._client.delete_object(Bucket=self._name, Key=key)

    def keys(self) -> Iterator[str]:
        """Yield all keys in their order."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name):
            yield from (item["Key"] for item in page.get("Contents", ()))

    def _put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        encryption = {}
        if self._kms_key and f"/{DIGESTS}/" not in f"/{key}":
            encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._kms_key}
        self._client.put_object(Bucket=self._name, Key=key, Body=body, Metadata=dict(metadata), **encryption)


def etag(body: bytes) -> str:
    """Return the ETag that S3 gives to an object, in its quotes."""
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
