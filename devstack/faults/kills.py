"""Kill processes, like ``kill -9``.

LocalExecutor's tree is: the scheduler, its worker processes, and below each worker the one task that it runs and
supervises. A worker is in the scheduler's process group; a task has its own group.
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
"""Seconds to wait for a task to kill."""

ANSWER_SECONDS: Final = 180.0

SECONDS_AT_WORK: Final = {"cell.fetch": 2.0, "cell.list": 1.0, "cell.load": 0.5}
"""Most seconds that a task works before it is killed: a load of a few hundred events takes about a second."""

_Choice = Callable[[psutil.Process], psutil.Process | None]


def kill_task(task_id: str) -> Fault:
    """Kill the process that runs `execute`. Its supervisor sees it end and reports it to Airflow at once."""
    return Fault(f"kill {_short(task_id)}", _killing(task_id, lambda process: process))


def kill_supervisor(task_id: str) -> Fault:
    """Kill the worker process above a task. Only a missing heartbeat shows it; the task may run on for a while."""
    return Fault(f"kill {_short(task_id)}'s supervisor", _killing(task_id, lambda process: process.parent()))


def kill_service(service: str) -> Fault:
    """Kill one of Airflow's services with its process group; the scheduler's group includes every supervisor."""

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
