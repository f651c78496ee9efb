"""Keeps this process within a quota of requests per second that it shares with others.

See docs/adr/0009-workers-share-a-quota.md.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

_RECENT: Final = 10
_TOO_MANY: Final = 6
"""If this many of the last ten calls were throttled, unknown clients use the quota too, so this one slows down."""

_SLOWER: Final = 0.9
_FASTER: Final = 1.02
_LEAST: Final = 0.05


class RateLimiter:
    """Gives every call a slot, `rate` slots per second; shared by the threads of a process.

    Slots are evenly spaced. If several processes each use a share of the quota, their calls form a pattern that
    repeats. A process whose call is throttled moves its slots to another place in the pattern, and slows down only
    if that does not help.
    """

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._quota = rate
        self._share = 1.0
        # Below 1 only while clients that do not announce themselves use the quota, too (ADR-0009).
        self._yielded = 1.0
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = clock()
        self._streak = 0
        self._recent: deque[bool] = deque(maxlen=_RECENT)
        self.contended = threading.Event()
        """Set by every throttled call: there may be more workers than the last count showed."""

    @property
    def rate(self) -> float:
        """The current number of calls per second."""
        return self._quota * self._yielded * self._share

    def acquire(self) -> None:
        """Wait for the next slot."""
        with self._lock:
            now = self._clock()
            # Unused slots are not saved up, because AWS would throttle a burst.
            slot = max(now, self._next)
            self._next = slot + 1 / self.rate
        # Sleeps without the lock, so that other threads can take the following slots meanwhile.
        if slot > now:
            self._sleep(slot - now)

    def set_share(self, share: float) -> None:
        """Set the part of the quota that this worker may use, from above 0 to 1."""
        with self._lock:
            self._share = min(1.0, share)

    def record_success(self) -> None:
        """Record that a call was not throttled."""
        with self._lock:
            self._streak = 0
            self._recent.append(False)
            self._yielded = min(1.0, self._yielded * _FASTER)

    def record_throttling(self) -> None:
        """Record that a call was throttled, and move the next slots to another place between the others' calls."""
        self.contended.set()
        with self._lock:
            self._streak += 1
            self._recent.append(True)
            if sum(self._recent) >= _TOO_MANY:
                self._yielded = max(_LEAST, self._yielded * _SLOWER)
                # These calls were made at the old rate, so they must not lower the new one, too.
                self._recent.clear()
            # Random, so that two workers that collided do not collide again; larger each time, until it helps
            # (ADR-0009).
            shift = random.uniform(0.2, 1.0) * min(self._streak, 3)  # noqa: S311 - no secret
            self._next += (shift - 1) / self.rate
