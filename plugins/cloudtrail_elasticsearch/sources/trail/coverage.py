"""The time that digests cover, and the holes in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cloudtrail_elasticsearch.core.coverage.findings import FindingKind
from cloudtrail_elasticsearch.core.coverage.windows import Window

SPILL: Final = timedelta(minutes=15)
"""The time by which the delivery of a log file can be later than the minute in its name.

AWS documents that the name has the minute of delivery, but the log file in AWS's example of a digest, named 14:45,
has an event of 14:52. So the digests of a window must cover this time after its end, too.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
"""

DIGEST_PERIOD: Final = timedelta(hours=1)
"""The time that a digest covers."""

PATIENCE: Final = timedelta(hours=1)
"""The time after its end within which a digest is not reported as absent."""

_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A range of time from `start` (included) to `end` (excluded)."""

    start: datetime
    end: datetime

    def overlaps(self, other: Span) -> bool:
        """Return whether the ranges have a moment in common."""
        return self.start < other.end and other.start < self.end

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%dT%H:%M:%SZ} to {self.end:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True)
class Hole:
    """A time that no digest of a trail covers; the kind of its finding states why."""

    span: Span
    kind: FindingKind


def span_to_cover(window: Window) -> Span:
    """Return the time that digests must cover before a window can be signed."""
    return Span(window.start, window.end + SPILL)


def span_of_delivery(named: datetime) -> Span:
    """Return the time at which a log file was delivered, given the minute in its name."""
    return Span(named, named + _MINUTE + SPILL)


def find_holes(wanted: Span, covered: Iterable[Span]) -> Iterator[Span]:
    """Yield the parts of a range that no covered range contains, oldest first.

    Two covered ranges leave no hole if the second one begins at the end of the first one.
    """
    reached = wanted.start
    for each in sorted(covered):
        if each.start >= wanted.end:
            break
        if each.start > reached:
            yield Span(reached, each.start)
        reached = max(reached, each.end)
    if reached < wanted.end:
        yield Span(reached, wanted.end)


def is_due(hole: Span, now: datetime) -> bool:
    """Return whether the digest that covers the beginning of a hole should be in the bucket."""
    return now >= hole.start + DIGEST_PERIOD + PATIENCE
