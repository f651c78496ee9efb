"""Tasks that a killed scheduler leaves behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

from devstack.faults.scene import end_orphans

_OWN_GROUP = "import os, time; os.setpgid(0, 0) if os.fork() == 0 else print(flush=True); time.sleep(60)"


@pytest.mark.slow
def test_a_task_of_a_killed_scheduler_is_found_and_ended() -> None:
    """A process in its own group is found by its session, which outlives the process that created it."""
    leader = subprocess.Popen([sys.executable, "-c", _OWN_GROUP], start_new_session=True, stdout=subprocess.PIPE)
    with leader:
        assert leader.stdout is not None
        leader.stdout.readline()
        leader.kill()
    assert end_orphans({leader.pid}) == 1
    assert end_orphans({leader.pid}) == 0
