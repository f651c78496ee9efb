"""The time of a live run, and the end of its work."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta


class RunClock:
    """Counts from the time that a run loads up to: now, unless the run is given an earlier time.

    :param start: the time at which the run begins
    :param work: the time after which the run begins no further request
    """

    def __init__(self, start: datetime, work: timedelta, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.start = start
        """The time at which the run began: it loads what happened before."""
        self._work = work.total_seconds()
        self._monotonic = monotonic
        self._began = monotonic()

    @property
    def elapsed(self) -> float:
        """The seconds since the run began."""
        return self._monotonic() - self._began

    @property
    def is_over(self) -> bool:
        """Whether the run should begin no further request."""
        return self.elapsed >= self._work

    def now(self) -> datetime:
        """Return the present time of the run."""
        return self.start + timedelta(seconds=self.elapsed)
