"""The shape of the real DAG with tasks that do nothing: what Airflow takes for the tasks themselves."""

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
        """As many windows as cells are asked for."""
        return [{"name": str(number)} for number in range(params["cells"])]

    @task
    def fetch(window: dict[str, str]) -> str:
        """Nothing."""
        return window["name"]

    @task
    def load(window: dict[str, str]) -> dict[str, Any]:
        """Nothing; what a task that does nothing has held of memory is worth knowing elsewhere."""
        return window | {"peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}

    @task
    def coverage(cells: Any) -> int:
        """Read what every cell returned, as the real one does."""
        return len(list(cells))

    @task_group
    def cell(window: dict[str, str]) -> Any:
        """One region and day."""
        loaded = load(window)
        fetch(window) >> loaded
        return loaded

    coverage(cell.expand(window=plan()))
