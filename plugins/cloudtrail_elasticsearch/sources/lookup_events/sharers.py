"""Counts the workers that share a region's LookupEvents quota, through the bucket (ADR-0009)."""

from __future__ import annotations

from typing import Final

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.staging import Staging


class Sharers:
    """The workers that look up events of a window's account and region; each rewrites its own object regularly."""

    # Four times the interval between announcements, and more: a worker that is late still counts.
    STALE: Final = 45.0
    """Seconds after which a worker without a fresh object no longer counts."""

    def __init__(self, staging: Staging, window: Window) -> None:
        self._bucket = staging.bucket
        self._folder = f"{staging.region_folder(window)}/looking-up"

    def announce(self, name: str) -> int:
        """Write a worker's object, and return the number of active workers."""
        # Before the listing, so that the count includes this worker.
        self._bucket.write(f"{self._folder}/{name}", b"", "text/plain")
        return sum(listed.age < self.STALE for listed in self._bucket.list(f"{self._folder}/"))

    def leave(self, name: str) -> None:
        """Delete a worker's object, because the worker is done."""
        self._bucket.delete([f"{self._folder}/{name}"])
