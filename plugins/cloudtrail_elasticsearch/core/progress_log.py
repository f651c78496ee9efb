"""Progress lines in a task's log, at regular intervals."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES: Final = 10.0


class ProgressLog:
    """Logs the progress of a long task at regular intervals; threads may share it.

    :param doing: the beginning of each line
    :param events: the number of events that earlier attempts have processed
    :param share: the share of all work that earlier attempts have done, from 0 to 1
    """

    def __init__(self, doing: str, events: int = 0, share: float = 0.0) -> None:
        self._doing = doing
        self._events_before = events
        self._share_before = share
        self._lock = threading.Lock()
        self._began = self._logged = time.monotonic()

    def log(self, events: int, share: float) -> None:
        """Log the events so far, the rate and the time left, unless the last line is less than 10 seconds old."""
        with self._lock:
            # Under the lock, so that only one of the threads logs a line.
            now = time.monotonic()
            if now - self._logged < SECONDS_BETWEEN_LINES:
                return
            self._logged = now
        seconds = now - self._began
        # Without earlier attempts, whose time is unknown. `seconds` is not 0, because the first line comes after
        # ten seconds.
        rate = (events - self._events_before) / seconds
        gained = share - self._share_before
        left = f", about {format_duration(seconds * (1 - share) / gained)} left" if gained > 0 else ""
        log.info("%s: %d events, %.0f events/s, %.0f%% done%s", self._doing, events, rate, 100 * share, left)


def format_duration(seconds: float) -> str:
    """Return a duration in its two largest units: ``2 h 5 min``, ``3 min 20 s``, ``45 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
