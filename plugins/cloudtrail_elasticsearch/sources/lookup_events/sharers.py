"""Counts the workers that share a region's LookupEvents quota, through the bucket (ADR-0009)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.staging import Staging

LIVE: Final = "live"
"""The beginning of the names of workers of live runs, which have the right of way."""

LIVE_SHARE: Final = 0.75
"""The part of the quota that live workers take from the others, who keep the rest, so that no worker starves."""


class Sharers:
    """The workers that look up events of a window's account and region; each rewrites its own object regularly."""

    # Four times the interval between announcements, and more: a worker that is late still counts.
    STALE: Final = 45.0
    """Seconds after which a worker without a fresh object no longer counts."""

    def __init__(self, staging: Staging, window: Window) -> None:
        self._bucket = staging.bucket
        # All categories of events share the quota of the account and region.
        self._folder = f"{staging.region_folder(replace(window, source=Source.LOOKUP_EVENTS))}/looking-up"

    def announce(self, name: str) -> float:
        """Write a worker's object, and return the worker's share of the quota, from above 0 to 1."""
        # Before the listing, so that the count includes this worker.
        self._bucket.write(f"{self._folder}/{name}", b"", "text/plain")
        folder = f"{self._folder}/"
        active = {
            listed.key.removeprefix(folder) for listed in self._bucket.list(folder) if listed.age < self.STALE
        }
        return find_share(name, active)

    def leave(self, name: str) -> None:
        """Delete a worker's object, because the worker is done."""
        self._bucket.delete([f"{self._folder}/{name}"])


def find_share(name: str, active: Collection[str]) -> float:
    """Return a worker's share of the quota, from above 0 to 1; all shares together are 1.

    :param name: the worker's name; it counts as active in any case
    :param active: the names of the active workers
    """
    is_live = name.startswith(LIVE)
    live = {each for each in {*active, name} if each.startswith(LIVE)}
    others = {*active, name} - live
    if not live or not others:
        return 1 / len(live or others)
    return LIVE_SHARE / len(live) if is_live else (1 - LIVE_SHARE) / len(others)
