"""Who uses a region's quota: its workers, wherever they run, know of each other through the bucket."""

from __future__ import annotations

from typing import Final

from cloudtrail_elasticsearch.staging.bucket import Bucket


class Sharers:
    """The workers that use a region's quota at the moment, each known by an object that it keeps fresh."""

    STALE: Final = 45.0
    """Seconds after which a worker that no longer says so is no longer there."""

    def __init__(self, bucket: Bucket, folder: str) -> None:
        self._bucket = bucket
        self._folder = folder

    def announce(self, name: str) -> int:
        """Say that a worker is there, and return how many are."""
        self._bucket.write(f"{self._folder}/{name}", b"", "text/plain")
        return sum(listed.age < self.STALE for listed in self._bucket.list(f"{self._folder}/"))

    def leave(self, name: str) -> None:
        """Say that a worker is done."""
        self._bucket.delete([f"{self._folder}/{name}"])
