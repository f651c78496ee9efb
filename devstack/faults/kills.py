"""Processes killed as ``kill -9`` does.

LocalExecutor's tree is: scheduler, its worker processes, and below a worker, which supervises it, the one task
that it runs. The worker is of the scheduler's process group, a task is a group of its own.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Final

import psutil

from devstack.airflow_api import AirflowError
from devstack.faults.fault import Fault
from devstack.faults.scene import Scene

PATIENCE: Final = 60.0
"""Seconds that a task is waited for, to be killed."""

ANSWER_SECONDS: Final = 180.0

SECONDS_AT_WORK: Final = {"cell.fetch": 2.0, "cell.load": 0.5}
"""How long a task is let work at most before it is killed: a load of some hundred events takes a second in all."""

_Choice = Callable[[psutil.Process], psutil.Process | None]


def kill_task(task_id: str) -> Fault:
    """The process that runs `execute`: its supervisor sees it end and tells Airflow at once."""
    return Fault(f"kill {_short(task_id)}", _killing(task_id, lambda process: process))


def kill_supervisor(task_id: str) -> Fault:
    """The worker process above a task: only a missing heartbeat tells Airflow; the task may go on for a while."""
    return Fault(f"kill {_short(task_id)}'s supervisor", _killing(task_id, lambda process: process.parent()))


def kill_service(service: str) -> Fault:
    """One of Airflow's services, with its process group: from the scheduler's, every supervisor."""

    def strike(scene: Scene) -> bool:
        scene.sessions.add(scene.airflow.pid(service))
        scene.airflow.kill(service)
        return True

    def mend(scene: Scene) -> None:
        scene.airflow.start(service)
        _await_api(scene)

    return Fault(f"kill {service}", strike, mend, (1, 3))


def _kill_search_server(scene: Scene) -> bool:
    if scene.until(lambda: scene.running("cell.load"), PATIENCE) is None:
        return False
    scene.search.kill()
    return True


KILL_SEARCH_SERVER: Final = Fault(
    "kill search server", _kill_search_server, lambda scene: scene.search.restart(), (1, 3)
)


def _killing(task_id: str, choose: _Choice) -> Callable[[Scene], bool]:
    def strike(scene: Scene) -> bool:
        task = scene.until(lambda: scene.running(task_id), PATIENCE)
        if task is None:
            return False
        time.sleep(scene.random.uniform(0, SECONDS_AT_WORK[task_id]))
        with contextlib.suppress(psutil.NoSuchProcess):
            victim = choose(task)
            if task.is_running() and victim is not None and victim.pid != scene.airflow.pid("scheduler"):
                victim.kill()
                return True
        return False

    return strike


def _await_api(scene: Scene) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            scene.tasks(task_id="plan")
        except AirflowError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


def _short(task_id: str) -> str:
    return task_id.removeprefix("cell.")
