"""An S3 in memory with the calls of staging, for tests of thousands of fetches that a server would slow down."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError


class MemoryS3:
    """A boto3 S3 client of one bucket; threads may share it."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def get_object(self, **asked: Any) -> dict[str, Any]:
        key = asked["Key"]
        with self._lock:
            if key not in self.objects:
                raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
            body = self.objects[key]
        return {"Body": io.BytesIO(body), "ETag": _tag(body)}

    def put_object(self, **how: Any) -> dict[str, Any]:
        with self._lock:
            stands = self.objects.get(how["Key"])
            wanted = how.get("IfMatch")
            if (how.get("IfNoneMatch") and stands is not None) or (
                wanted and (stands is None or _tag(stands) != wanted)
            ):
                raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "PutObject")
            self.objects[how["Key"]] = how["Body"]
        return {}

    def delete_objects(self, **asked: Any) -> dict[str, Any]:
        with self._lock:
            for each in asked["Delete"]["Objects"]:
                self.objects.pop(each["Key"], None)
        return {}

    def get_paginator(self, name: str) -> Any:
        assert name == "list_objects_v2"
        return SimpleNamespace(paginate=self._pages)

    def _pages(self, **asked: Any) -> Iterator[dict[str, Any]]:
        with self._lock:
            keys = sorted(key for key in self.objects if key.startswith(asked["Prefix"]))
        now = datetime.now(UTC)
        yield {
            "Contents": [{"Key": key, "LastModified": now} for key in keys],
            "ResponseMetadata": {"HTTPHeaders": {}},
        }


def _tag(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
