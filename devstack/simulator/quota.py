"""LookupEvents' quota: a token bucket for each account and region."""

from __future__ import annotations

from collections.abc import Callable


class Quota:
    """Admits `rate` requests a second, and `burst` at once after a pause. `monotonic` returns seconds.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html: two a second, per
    account and region. AWS documents no burst.
    """

    def __init__(self, rate: float, burst: int, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._monotonic = monotonic
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, account: str, region: str) -> bool:
        """Return whether a request is admitted. A rejected request costs nothing."""
        now = self._monotonic()
        level, filled = self._buckets.get((account, region), (float(self._burst), now))
        level = min(float(self._burst), level + (now - filled) * self._rate)
        allowed = level >= 1
        self._buckets[account, region] = (level - 1 if allowed else level, now)
        return allowed
