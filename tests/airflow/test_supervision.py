"""A task without a supervisor, or whose place another attempt has taken, ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.errors import SupersededError
from cloudtrail_elasticsearch.core.state import ForgetfulStore, KeptBehind, Memory
from cloudtrail_elasticsearch.operators.supervision import SupervisedStore

TASK = """
import time
from cloudtrail_elasticsearch.operators.supervision import ends_with_its_supervisor
with ends_with_its_supervisor():
    print("working", flush=True)
    time.sleep(60)
"""
SUPERVISOR = f"""
import subprocess, sys
task = subprocess.Popen([sys.executable, "-c", {TASK!r}])
print(task.pid, flush=True)
task.wait()
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_task_dies_with_its_supervisor() -> None:
    """The supervisor is killed; the task does not go on beside the attempt that takes its place."""
    with subprocess.Popen([sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        task = int(supervisor.stdout.readline())
        assert supervisor.stdout.readline() == "working\n"
        assert is_running(task)
        supervisor.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 30
        while is_running(task):
            assert time.monotonic() < deadline, "the task goes on"
            time.sleep(0.1)


class Unknown(ForgetfulStore):
    """A store that answers as Airflow's does."""

    def __init__(self, status: int | None) -> None:
        super().__init__()
        self._status = status

    def set(self, key: str, value: Any) -> None:
        from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse

        detail = {"status_code": self._status, "message": "Server returned error"}
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail))


def test_an_attempt_that_airflow_has_given_up_ends() -> None:
    """Its state store does not know it any more; where the API server is away, the work goes on."""
    with pytest.raises(SupersededError, match="another one may have taken its place"):
        Memory(SupervisedStore(Unknown(404)), "key", "work").keep(1)
    Memory(SupervisedStore(Unknown(500)), "key", "work").keep(1)
    Memory(SupervisedStore(Unknown(None)), "key", "work").keep(1)


def test_an_attempt_that_was_given_up_is_told_in_the_background_too() -> None:
    """At the next value that is to be kept, or at the end."""
    with (
        pytest.raises(SupersededError),
        KeptBehind(Memory(SupervisedStore(Unknown(404)), "key", "work")) as progress,
    ):
        progress.keep(1)
