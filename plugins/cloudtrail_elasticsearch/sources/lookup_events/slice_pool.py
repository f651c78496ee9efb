"""The slice pool: the ranges of a window without a query, from which new slices are taken."""

from __future__ import annotations

import math
from bisect import bisect, insort
from dataclasses import dataclass, field
from typing import Final

from cloudtrail_elasticsearch.sources.lookup_events.slices import Range

FEWEST_PAGES: Final = 6
"""A slice's last page is half empty on average, so smaller slices waste calls."""

MOST_PAGES: Final = 200
"""A larger slice would hold more ids in memory, and repeat more calls if it must be divided."""

MOST_RANGES: Final = 1_000
"""A slice is at least this fraction of the window long, so that the record of all slices stays small."""

# Not 0, because lengths are calculated by dividing by it.
_LEAST_DENSITY: Final = 1e-9


@dataclass(slots=True)
class SlicePool:
    """Ranges without a query; their numbers of pages are estimated from nearby slices."""

    window: Range
    ranges: list[Range] = field(default_factory=list)
    _densities: list[tuple[int, float]] = field(default_factory=list)

    def observe(self, density: tuple[int, float] | None) -> None:
        """Add an observation: a second, and the number of pages per second near it."""
        if density is not None:
            insort(self._densities, density)

    @property
    def pages(self) -> float:
        """The estimated number of pages of all ranges."""
        return sum(each.seconds * self._density(each) for each in self.ranges)

    def take(self, pages: float) -> tuple[Range, float]:
        """Remove a range of about this many pages from the newest range; return it and its estimated pages."""
        newest = max(self.ranges)
        density = self._density(newest)
        wanted = min(max(pages, FEWEST_PAGES), MOST_PAGES)
        length = max(1, math.ceil(self.window.seconds / MOST_RANGES), round(wanted / density))
        self.ranges.remove(newest)
        # A short rest would be a slice of its own that wastes a call.
        if newest.seconds < 1.5 * length:
            return newest, newest.seconds * density
        self.ranges.append(Range(newest.floor, newest.end - length))
        return Range(newest.end - length, newest.end), length * density

    def _density(self, near: Range) -> float:
        """Return the observed pages per second nearest to a range's end, from which slices are taken."""
        place = bisect(self._densities, (near.end, 0.0))
        around = self._densities[max(0, place - 1) : place + 1]
        nearest = min(around, key=lambda seen: abs(seen[0] - near.end), default=(0, 0.0))
        return max(_LEAST_DENSITY, nearest[1])


@dataclass(frozen=True, slots=True)
class Speed:
    """The speed of a fetch: calls per second within the quota, and seconds that one pager needs for a page."""

    rate: float
    latency: float

    @property
    def pagers(self) -> int:
        """The number of pagers that use the whole quota."""
        return max(1, math.ceil(self.rate * self.latency))


OVERHEAD: Final = 0.5
"""The least number of seconds that dividing a slice must save."""


def is_worth_dividing(pages: int, pages_left: float, speed: Speed, others: int, most_pagers: int) -> bool:
    """Return whether a slice ends sooner if it is divided, although its pages are requested again.

    :param pages: the number of pages that the slice has
    :param pages_left: the estimated number of pages that it does not have yet
    :param others: the number of other pagers at work
    """
    # One pager uses the whole quota already.
    if speed.pagers <= 1:
        return False
    # The slice's own pager stays, even if the others use up the quota.
    free_quota = max(speed.rate - others / speed.latency, 1 / speed.latency)
    free_pagers = max(1, min(most_pagers, speed.pagers + 1) - others)
    rate = min(free_quota, free_pagers / speed.latency)
    # The pages so far are requested again, and each new slice's last page is half empty on average (ADR-0015).
    divided = (pages + pages_left + free_pagers / 2) / rate + speed.latency
    return pages_left * speed.latency > divided + OVERHEAD
