"""The real DAGs with quick retries, for the fault suite and the tests of backfills."""

from __future__ import annotations

import runpy
from datetime import timedelta
from typing import Any, Final

from airflow.providers.common.compat.sdk import DAG
from airflow.sdk.definitions.mappedoperator import MappedOperator

from devstack.processes import ROOT

RETRIES: Final = 30
RETRY_DELAY: Final = timedelta(seconds=2)


def read_dag(name: str) -> DAG:
    """Return the DAG of an unchanged file in the checkout's `dags` folder, with other retries and not paused.

    :param name: the name of the file, without ``.py``
    """
    values = runpy.run_path(str(ROOT / "dags" / f"{name}.py")).values()
    dag = next(value for value in values if isinstance(value, DAG))
    dag.is_paused_upon_creation = False
    for settings in list_task_settings(dag):
        settings["retry_delay"] = RETRY_DELAY
        if settings.get("retries"):
            settings["retries"] = RETRIES
    return dag


def list_task_settings(dag: DAG) -> list[dict[str, Any]]:
    """Return the arguments of each task of a DAG, to be changed."""
    return [task.partial_kwargs if isinstance(task, MappedOperator) else task.__dict__ for task in dag.tasks]
