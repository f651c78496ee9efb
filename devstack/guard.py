"""End a process group when the process that started it is gone, for whatever reason.

`processes.Child` runs this file as a process of its own and holds the other end of its standard input. The kernel
closes that end in any case. The first line is the id of the group; a second line releases the guard.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time

GROUP_ENDS_SECONDS = 5


def main() -> None:
    """Wait for the release; without one, kill the group and remove the folders named as arguments."""
    group = sys.stdin.readline()
    if sys.stdin.readline():
        return
    if group:
        kill_group(int(group))
    for folder in sys.argv[1:]:
        shutil.rmtree(folder, ignore_errors=True)


def kill_group(group: int) -> None:
    """Kill a process group and wait until its members are gone: until then they hold locks and write files."""
    deadline = time.monotonic() + GROUP_ENDS_SECONDS  # if no process reaps orphans, they stay forever
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.02)


if __name__ == "__main__":
    main()
