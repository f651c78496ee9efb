"""Pin processes to cores, so that a search server and its clients take no processor time from each other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


def choose_cores() -> tuple[int, int]:
    """Return a core for the server and one for its clients.

    :raises RuntimeError: this process may use one core only, or the system cannot pin processes
    """
    if not hasattr(os, "sched_setaffinity"):
        raise RuntimeError("this system cannot pin processes to cores: nothing was measured; use Linux")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise RuntimeError("a core for the server and one for its clients are needed: nothing was measured")
    return cores[0], cores[1]


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Run the calling thread, and the processes that it starts, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
