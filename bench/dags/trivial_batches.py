"""A DAG of the same shape as the live one, with tasks that do nothing: Airflow's own cost."""

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

with DAG(dag_id="trivial_batches", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):

    @task
    def plan() -> Any:
        """Return one batch."""
        return [{"name": "batch"}]

    @task
    def follow(batch: dict[str, str]) -> str:
        """Do nothing."""
        return batch["name"]

    follow.expand(batch=plan())
