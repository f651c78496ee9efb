"""Run DAGs in a real Airflow with LocalExecutor, and read the durations that Airflow recorded."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

from bench.children import BUCKET
from devstack.airflow import Airflow, AirflowSettings
from devstack.dag_runs import await_run, trigger_run
from devstack.endpoints import Endpoints
from devstack.processes import ROOT

DAGS: Final = Path(__file__).parent / "dags"
TRAIL_DAG: Final = ROOT / "dags" / "cloudtrail_trail_to_elasticsearch.py"
REAL_DAG: Final = ROOT / "dags" / "cloudtrail_to_elasticsearch.py"

_PATIENCE: Final = 7200.0
_PAGE: Final = 100
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Run:
    """A run that ended in success."""

    airflow: Airflow
    path: str
    seconds: float
    """From its start to its end."""

    def task_seconds(self, task_id: str) -> list[float]:
        """Return the duration of each instance of a task."""
        found: list[float] = []
        while True:
            query = f"task_id={task_id}&limit={_PAGE}&offset={len(found)}"
            answer = self.airflow.request("GET", f"{self.path}/taskInstances?{query}")
            found += [task["duration"] for task in answer["task_instances"]]
            if not answer["task_instances"] or len(found) >= answer["total_entries"]:
                return found

    def returned(self, task_id: str, map_index: int = -1) -> Any:
        """Return the return value of a task."""
        path = f"{self.path}/taskInstances/{task_id}/xcomEntries/return_value?map_index={map_index}"
        value = self.airflow.request("GET", path)["value"]
        return json.loads(value) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Runs:
    """Makes runs, one at a time."""

    airflow: Airflow

    def run(self, dag_id: str, conf: Mapping[str, Any]) -> Run:
        """Trigger a DAG and wait until the run has ended."""
        path = trigger_run(self.airflow, dag_id, f"bench-{next(_numbers)}", conf)
        ended = await_run(self.airflow, path, _PATIENCE)
        if ended["state"] != "success":
            raise RuntimeError(f"a run of {dag_id} failed: nothing was measured")
        seconds = _time(ended["end_date"]) - _time(ended["start_date"])
        return Run(self.airflow, path, seconds.total_seconds())

    def run_both(
        self, real: str, conf: Mapping[str, Any], trivial: str, cells: int, number: int
    ) -> tuple[Run, Run]:
        """Run a DAG and one of trivial tasks; an odd `number` starts with the first one.

        :param cells: the mapped chains of the trivial DAG
        """
        cases: dict[str, Mapping[str, Any]] = {real: conf, trivial: {"cells": cells}}
        order = [real, trivial] if number % 2 else [trivial, real]
        ended = {dag: self.run(dag, cases[dag]) for dag in order}
        return ended[real], ended[trivial]

    def settle(self, dag_id: str) -> None:
        """Wait until the runs that the scheduler made by itself have ended."""
        for run in self.airflow.runs(dag_id):
            path = f"/dags/{dag_id}/dagRuns/{run['dag_run_id'].replace('+', '%2B')}"
            await_run(self.airflow, path, _PATIENCE)


@contextlib.contextmanager
def airflow(dags: Sequence[Path], endpoints: Endpoints, more: Mapping[str, str] | None = None) -> Iterator[Runs]:
    """Start an Airflow with these DAG files and with connections to these services.

    :param more: further environment variables
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "dags").mkdir()
        for file in dags:
            shutil.copy(file, folder / "dags")
        environment = (
            endpoints.environment() | {"AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": BUCKET} | dict(more or {})
        )
        running = Airflow(AirflowSettings(folder / "home", environment, dags=folder / "dags", port=0))
        running.prepare()
        running.command("dags", "reserialize")
        with running:
            yield Runs(running)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
