"""Values that several threads share, and that are made when one of them needs the value first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def make_once(make: Callable[[], Value]) -> Callable[[], Value]:
    """Return a function that returns one value to all threads: the first call makes it.

    If making it fails, the error is raised, and the next call tries again.
    """
    lock = threading.Lock()
    made: list[Value] = []

    def get() -> Value:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return get
