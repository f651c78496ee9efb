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
    :param of: how many events there are, where that is known
    :param done: how many of them an earlier attempt has done
    """

    def __init__(self, doing: str, of: int | None = None, done: int = 0) -> None:
        self._doing = doing
        self._of = of
        self._done = done
        self._lock = threading.Lock()
        self._began = self._told = time.monotonic()

    def tell(self, events: int) -> None:
        """Log the figures where the last line is some seconds old."""
        with self._lock:
            now = time.monotonic()
            if now - self._told < SECONDS_BETWEEN_LINES:
                return
            self._told = now
        rate = (events - self._done) / (now - self._began)
        left = f" of {self._of}, {(self._of - events) / rate:.0f} s left" if self._of and rate > 0 else ""
        log.info("%s: %d events%s, %.0f events/s", self._doing, events, left, rate)
