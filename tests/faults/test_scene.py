"""What is left of a scheduler that was killed."""

from __future__ import annotations

import subprocess
import sys

from devstack.faults.scene import end_orphans

_OWN_GROUP = "import os, time; os.setpgid(0, 0) if os.fork() == 0 else print(flush=True); time.sleep(60)"


def test_a_task_whose_scheduler_is_gone_is_found_and_ended() -> None:
    """A process of a group of its own is found by its session, which outlives the process that began it."""
    leader = subprocess.Popen([sys.executable, "-c", _OWN_GROUP], start_new_session=True, stdout=subprocess.PIPE)
    with leader:
        assert leader.stdout is not None
        leader.stdout.readline()
        leader.kill()
    assert end_orphans({leader.pid}) == 1
    assert end_orphans({leader.pid}) == 0
