"""The simulator's time, which can be shifted or stand still."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A clock. Both times are in seconds: `now` since 1970, `monotonic` since any moment."""

    def now(self) -> float:
        """Return the time of day."""

    def monotonic(self) -> float:
        """Return a time that never goes back."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        """Return the time of day."""
        return time.time()

    def monotonic(self) -> float:
        """Return a time that never goes back."""
        return time.monotonic()


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        """Return the time that was set."""
        return self._now

    monotonic = now

    def move(self, seconds: float) -> None:
        """Move the clock forward."""
        self._now += seconds


class ShiftedClock:
    """Another clock's time, `offset` seconds later, or a time of day that stands still."""

    def __init__(self, clock: Clock, offset: float = 0.0) -> None:
        self._clock = clock
        self._offset = offset
        self._stands_at: float | None = None

    def shift(self, offset: float) -> None:
        """Let the time of day pass, this many seconds later than the other clock's."""
        self._offset, self._stands_at = offset, None

    def stand_at(self, now: float) -> None:
        """Set the time of day, in epoch seconds; it stands still until the next call of this or of `shift`."""
        self._stands_at = now

    def now(self) -> float:
        """Return the shifted time of day, or the one at which it stands."""
        standing = self._stands_at
        return self._clock.now() + self._offset if standing is None else standing

    def monotonic(self) -> float:
        """Return the clock's monotonic time, which is not shifted and passes: quotas refill in real time."""
        return self._clock.monotonic()
