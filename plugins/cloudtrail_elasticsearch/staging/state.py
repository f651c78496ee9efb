"""Stores progress in the bucket if Airflow has no task state store (before 3.3)."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudtrail_elasticsearch.staging.bucket import Bucket


class BucketState:
    """A `StateStore` in the staging bucket, for an Airflow without a task state store."""

    def __init__(self, bucket: Bucket, folder: str) -> None:
        self._bucket = bucket
        self._folder = folder

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default if the key has none."""
        stored = self._bucket.read(self._key(key))
        return default if stored is None else msgspec.json.decode(stored.body)

    def set(self, key: str, value: Any) -> None:
        """Write or replace a value."""
        self._bucket.write(self._key(key), msgspec.json.encode(value), "application/json")

    def delete(self, key: str) -> None:
        """Remove a value, if the key has one."""
        self._bucket.delete([self._key(key)])

    def _key(self, key: str) -> str:
        return f"{self._folder}/{key}.json"
