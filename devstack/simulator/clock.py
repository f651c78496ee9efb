"""The simulator's time, which can be shifted."""

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
    """Another clock's time, `offset` seconds later."""

    def __init__(self, clock: Clock, offset: float = 0.0) -> None:
        self._clock = clock
        self.offset = offset

    def now(self) -> float:
        """Return the shifted time of day."""
        return self._clock.now() + self.offset

    def monotonic(self) -> float:
        """Return the clock's monotonic time, which is not shifted: quotas refill in real time."""
        return self._clock.monotonic()
