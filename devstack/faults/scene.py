"""A running backfill in a real Airflow, and the services that it uses: the target of the faults."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeVar

import psutil

from cloudtrail_elasticsearch.core.search.server import SearchServer as SearchClient
from devstack.airflow import Airflow
from devstack.airflow_api import AirflowError
from devstack.aws import AwsServices
from devstack.search_server import SearchServer
from devstack.simulator import Simulator

ENDED: Final = frozenset({"success", "failed"})

_POLL_SECONDS: Final = 0.2

Found = TypeVar("Found")


@dataclass(frozen=True)
class Scene:
    """A backfill of some days, with everything that a fault can hit.

    :param dag_id: the DAG of the backfill
    :param source_bucket: the bucket whose faults hit the source's tasks: the staging bucket, or a trail's
    :param indices: the pattern of all indices of the backfill
    :param days: the number of runs of the backfill
    :param random: makes every random choice
    :param sessions: the sessions of killed schedulers, in which tasks may still run
    """

    dag_id: str
    airflow: Airflow
    simulator: Simulator
    storage: AwsServices
    search: SearchServer
    client: SearchClient
    source_bucket: str
    indices: str
    days: int
    random: Random
    sessions: set[int] = field(default_factory=set)

    def runs(self) -> list[dict[str, Any]]:
        """Return the DAG's runs; an empty list while the API server does not answer."""
        with contextlib.suppress(AirflowError):
            return self.airflow.runs(self.dag_id)
        return []

    def ended(self) -> bool:
        """Whether every run of the backfill has ended."""
        runs = self.runs()
        return len(runs) >= self.days and all(run["state"] in ENDED for run in runs)

    def tasks(self, **filters: str) -> list[dict[str, Any]]:
        """Return the task instances of all runs.

        :raises AirflowError: the API server does not answer
        """
        return self.airflow.tasks(self.dag_id, **filters)

    def until(self, answer: Callable[[], Found | None], seconds: float) -> Found | None:
        """Return the first answer that is not None, or None if the time or the backfill ends first."""
        deadline = time.monotonic() + seconds
        checked = time.monotonic()
        while (found := answer()) is None and time.monotonic() < deadline:
            if time.monotonic() - checked > 2:
                checked = time.monotonic()
                if self.ended():
                    return None
            time.sleep(_POLL_SECONDS)
        return found

    def running(self, task_id: str) -> psutil.Process | None:
        """Return the process of a running instance of a task, chosen at random; None if no instance runs."""
        try:
            tasks = self.tasks(task_id=task_id, state="running")
        except AirflowError:
            return None
        processes = find_processes(self.airflow, tasks)
        return self.random.choice(processes) if processes else None


def find_processes(airflow: Airflow, tasks: Iterable[Mapping[str, Any]]) -> list[psutil.Process]:
    """Return the processes of the tasks that the scheduler's executor runs.

    The database also names processes that have ended; another process may have the same number by now.

    :param tasks: task instances, as Airflow's API returns them
    """
    scheduler = airflow.pid("scheduler")
    found = []
    for task in tasks:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(task["pid"]) if task["pid"] else None
            if process and any(parent.pid == scheduler for parent in process.parents()):
                found.append(process)
    return found


def end_orphans(sessions: set[int]) -> int:
    """Kill the remaining processes of these sessions of killed schedulers, and return their number.

    A task has its own process group, so it survives its killed supervisor until it next sends something to it.
    """
    left = [process for process in psutil.process_iter() if _lives_in(process, sessions)]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=2)
    return len(left)


def _lives_in(process: psutil.Process, sessions: set[int]) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
        return os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE
    return False
