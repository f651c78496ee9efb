"""The real DAG, with quick retries: the fault suite's `dags` folder has this file alone.

The file in the checkout's `dags` folder is run as it is; only how soon and how often Airflow tries again differs.
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
for task in dag.tasks:
    settings = task.partial_kwargs if isinstance(task, MappedOperator) else task.__dict__
    settings["retry_delay"] = RETRY_DELAY
    if settings.get("retries"):
        settings["retries"] = RETRIES
