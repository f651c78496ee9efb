"""A task ends if its supervisor is gone or another attempt has replaced it."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.errors import SupersededError
from cloudtrail_elasticsearch.core.progress import BackgroundCheckpoint, Checkpoint, InMemoryStore
from cloudtrail_elasticsearch.operators.supervision import SupervisedStore
from tests.clock import wait_until
from tests.processes import is_running

TASK = """
import time
from cloudtrail_elasticsearch.operators.supervision import exit_with_supervisor
with exit_with_supervisor():
    print("working", flush=True)
    time.sleep(60)
"""
SUPERVISOR = f"""
import subprocess, sys
task = subprocess.Popen([sys.executable, "-c", {TASK!r}])
print(task.pid, flush=True)
task.wait()
"""


@pytest.mark.slow
@pytest.mark.promise("restartable")
def test_a_task_dies_with_its_supervisor() -> None:
    """After the supervisor is killed, the task does not run beside the next attempt."""
    with subprocess.Popen([sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        task = int(supervisor.stdout.readline())
        assert supervisor.stdout.readline() == "working\n"
        assert is_running(task)
        supervisor.send_signal(signal.SIGKILL)
        wait_until(lambda: not is_running(task), "the task has ended")


class Unknown(InMemoryStore):
    """A store with an error like that of Airflow's."""

    def __init__(self, status: int | None) -> None:
        super().__init__()
        self._status = status

    def set(self, key: str, value: Any) -> None:
        from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse

        detail = {"status_code": self._status, "message": "Server returned error"}
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail))


def test_an_attempt_that_airflow_has_given_up_ends() -> None:
    """Airflow's state store no longer knows it. If only the API server is away, the attempt continues."""
    with pytest.raises(SupersededError, match="may have started another one"):
        Checkpoint(SupervisedStore(Unknown(404)), "key", "work").save(1)
    Checkpoint(SupervisedStore(Unknown(500)), "key", "work").save(1)
    Checkpoint(SupervisedStore(Unknown(None)), "key", "work").save(1)


def test_an_attempt_that_airflow_has_given_up_ends_in_the_background_too() -> None:
    """At the next saved value, or at the end."""
    with (
        pytest.raises(SupersededError),
        BackgroundCheckpoint(Checkpoint(SupervisedStore(Unknown(404)), "key", "work")) as progress,
    ):
        progress.save(1)
