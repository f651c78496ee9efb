"""Steady lines in a task's log."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES: Final = 10.0


class Telling:
    """Tells in steady lines how far a long work has come; threads may share it.

    :param doing: how the line begins
    :param events: how many events an earlier attempt has done
    :param share: how much of the whole that was, from 0 to 1
    """

    def __init__(self, doing: str, events: int = 0, share: float = 0.0) -> None:
        self._doing = doing
        self._events_before = events
        self._share_before = share
        self._lock = threading.Lock()
        self._began = self._told = time.monotonic()

    def tell(self, events: int, share: float) -> None:
        """Log the events done, how fast, and how long the rest takes, where the last line is some seconds old."""
        with self._lock:
            now = time.monotonic()
            if now - self._told < SECONDS_BETWEEN_LINES:
                return
            self._told = now
        seconds = now - self._began
        rate = (events - self._events_before) / seconds
        gained = share - self._share_before
        left = f", about {duration(seconds * (1 - share) / gained)} left" if gained > 0 else ""
        log.info("%s: %d events, %.0f events/s, %.0f%% done%s", self._doing, events, rate, 100 * share, left)


def duration(seconds: float) -> str:
    """Say how long something takes, in its two largest units: ``2 h 5 min``, ``3 min 20 s``, ``45 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
