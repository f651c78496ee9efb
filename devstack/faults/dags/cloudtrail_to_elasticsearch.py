"""The real DAG with quick retries: the only file in a DAG folder of the fault suite.

It runs the unchanged file of the same name in the checkout's `dags` folder; only the number and the delay of
retries differ, and that the DAG is not paused. The folder `trail_dags` has a link to it with the name of the
trail's DAG.
"""

import runpy
from datetime import timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import BaseOperator
from airflow.sdk.definitions.mappedoperator import MappedOperator

REAL = Path(__file__).resolve().parents[3] / "dags" / Path(__file__).name
RETRY_DELAY = timedelta(seconds=2)
RETRIES = 30

operators = [value for value in runpy.run_path(str(REAL)).values() if isinstance(value, BaseOperator)]
dag = operators[0].dag
dag.is_paused_upon_creation = False
for task in dag.tasks:
    settings = task.partial_kwargs if isinstance(task, MappedOperator) else task.__dict__
    settings["retry_delay"] = RETRY_DELAY
    if settings.get("retries"):
        settings["retries"] = RETRIES
