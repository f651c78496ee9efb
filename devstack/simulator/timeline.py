"""The times of a day's events: event i of n is computed independently.

A day is divided into hours of different weight. The share of the day's events that has happened rises with
time. Event i happens when the share passes (i + u) / n, with a random u in [0, 1). So time never falls as i rises,
and the events of a time range are the events of an index range, found by bisection.
"""

from __future__ import annotations

import bisect
import itertools
from dataclasses import dataclass
from typing import Final

from devstack.simulator.draw import uniform

DAY: Final = 86_400

_WEIGHTS: Final = (4, 3, 3, 3, 3, 4, 5, 7, 10, 12, 13, 13, 12, 13, 14, 14, 13, 12, 10, 8, 7, 6, 5, 5)
_TOTAL: Final = sum(_WEIGHTS)
_BEFORE: Final = tuple(itertools.accumulate(_WEIGHTS, initial=0))
_WEEKEND: Final = 0.85


def volume(seed: int, account: str, region: str, day: int, weekday: float) -> int:
    """Return the number of events of a region on a day (days since 1970).

    `weekday` is the region's average on a weekday; days differ from it by up to 8%.
    """
    weekend = _WEEKEND if (day + 3) % 7 >= 5 else 1.0
    wobble = 0.92 + 0.16 * uniform("volume", seed, account, region, day)
    return int(weekday * weekend * wobble)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The times of a day's events. `key` seeds the day's random choices; `count` is the number of events."""

    key: str
    day: int
    count: int

    def time(self, index: int) -> int:
        """Return the time of an event in epoch seconds."""
        share_passed = (index + uniform(self.key, "t", index)) / self.count * _TOTAL
        hour = min(bisect.bisect_right(_BEFORE, share_passed) - 1, 23)
        within = (share_passed - _BEFORE[hour]) / _WEIGHTS[hour]
        return self.day * DAY + min(int((hour + within) * 3600), DAY - 1)

    def first_at(self, time: int) -> int:
        """Return the number of the first event at this time or later; `count` if there is none."""
        return bisect.bisect_left(range(self.count), time, key=self.time)
