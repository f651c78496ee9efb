"""Keeping within a quota of requests a second that is shared with others."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

_RECENT: Final = 10
_TOO_MANY: Final = 6
"""Of the last ten calls: so many throttled ones mean that others, of whom we know nothing, take more."""

_SLOWER: Final = 0.9
_FASTER: Final = 1.02
_LEAST: Final = 0.05


class Pace:
    """Gives every call its slot, `rate` a second; shared by the threads of a process.

    Calls are evenly spaced. Those of several processes, each with its share of the rate, so fall into a pattern
    that repeats; one that is throttled moves to another place in it, and only slows down where that does not help.
    """

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._quota = rate
        self._sharers = 1
        self._yielded = 1.0
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = clock()
        self._streak = 0
        self._recent: deque[bool] = deque(maxlen=_RECENT)
        self.contended = threading.Event()
        """Set by every throttled call: there may be more sharers than is known."""

    @property
    def rate(self) -> float:
        """Calls a second, as it is now."""
        return self._quota * self._yielded / self._sharers

    def take(self) -> None:
        """Wait for the next slot."""
        with self._lock:
            now = self._clock()
            slot = max(now, self._next)
            self._next = slot + 1 / self.rate
        if slot > now:
            self._sleep(slot - now)

    def share(self, sharers: int) -> None:
        """Take a share: so many workers, this one among them, use the quota."""
        with self._lock:
            self._sharers = max(1, sharers)

    def passed(self) -> None:
        """Note that a call was not throttled."""
        with self._lock:
            self._streak = 0
            self._recent.append(False)
            self._yielded = min(1.0, self._yielded * _FASTER)

    def throttled(self) -> None:
        """Note that a call was throttled: the next ones come later, at another place between the others'."""
        self.contended.set()
        with self._lock:
            self._streak += 1
            self._recent.append(True)
            if sum(self._recent) >= _TOO_MANY:
                self._yielded = max(_LEAST, self._yielded * _SLOWER)
                self._recent.clear()
            shift = random.uniform(0.2, 1.0) * min(self._streak, 3)  # noqa: S311 - no secret
            self._next += (shift - 1) / self.rate
