"""The time in tests: one date for a whole run, and waiting without short bounds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Final, TypeVar

TODAY: Final = "TESTS_TODAY"
"""The environment variable that gives every worker of a run the same date, also after midnight."""

T = TypeVar("T")

LONGEST_WAIT: Final = 300.0
"""Seconds: long enough for a busy machine, and only a failing test waits for as long."""


def today() -> date:
    """Return the date (UTC) on which the run started."""
    return date.fromisoformat(os.environ.setdefault(TODAY, str(datetime.now(UTC).date())))


def wait_until(answer: Callable[[], T], what: str, pause: float = 0.05) -> T:
    """Return the first true answer.

    :raises AssertionError: none came within `LONGEST_WAIT`
    """
    deadline = time.monotonic() + LONGEST_WAIT
    while not (found := answer()):
        assert time.monotonic() < deadline, f"waited {LONGEST_WAIT:.0f} s in vain until {what}"
        time.sleep(pause)
    return found
