"""A DAG of the same shape as the real one, with tasks that do nothing: Airflow's own cost."""

import resource
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task, task_group

with DAG(
    dag_id="trivial_cells",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    default_args={"retries": 5, "retry_delay": timedelta(minutes=1), "weight_rule": "upstream"},
    params={"cells": Param(1)},
):

    @task
    def plan(params: Any = None) -> Any:
        """Return one window for each cell."""
        return [{"name": str(number)} for number in range(params["cells"])]

    @task
    def fetch(window: dict[str, str]) -> str:
        """Do nothing."""
        return window["name"]

    @task
    def load(window: dict[str, str]) -> dict[str, Any]:
        """Return the peak memory of a task that does nothing; another bench uses it."""
        return window | {"peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}

    @task
    def coverage(cells: Any) -> int:
        """Read the return value of every cell, as the real task does."""
        return len(list(cells))

    @task_group
    def cell(window: dict[str, str]) -> Any:
        """One region and day."""
        loaded = load(window)
        fetch(window) >> loaded
        return loaded

    coverage(cell.expand(window=plan()))
