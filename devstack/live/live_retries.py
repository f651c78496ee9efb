"""The real DAGs of live runs for simulated hours, in which time passes some thirty times as fast."""

from __future__ import annotations

import importlib
from typing import Final

from airflow.providers.common.compat.sdk import DAG

from devstack.faults.quick_retries import list_task_settings, read_dag

PATIENCE: Final = 20.0
"""Seconds for which a request is retried while a service is down."""


def read_live_dag(name: str, operator: str = "follow") -> DAG:
    """Return the live DAG of an unchanged file in the checkout's `dags` folder, with no retry and `PATIENCE`.

    So a killed run is lost, and the next one must load its events.

    :param name: the name of the file, without ``.py``
    :param operator: the module of the mapped task's operator
    """
    # The tasks parse the DAG file, so that this changes the value in their processes.
    vars(importlib.import_module(f"cloudtrail_elasticsearch.operators.{operator}"))["PATIENCE"] = PATIENCE
    dag = read_dag(name)
    for settings in list_task_settings(dag):
        settings["retries"] = 0
    return dag
