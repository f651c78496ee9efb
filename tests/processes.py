"""Whether a process of a test still runs."""

from __future__ import annotations

import psutil


def is_running(pid: int) -> bool:
    """Return whether a process exists and is not only waiting to be reaped."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
