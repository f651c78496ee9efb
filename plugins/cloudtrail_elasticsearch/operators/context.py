"""Values from Airflow's task context: the state store for progress, and the ids of this task instance."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.core.coverage.ledger import Run
from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.core.progress import StateStore
from cloudtrail_elasticsearch.operators.supervision import SupervisedStore

_RETURN_VALUE: Final = "return_value"
"""The key of a task's result: https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/xcoms.html"""


def open_state_store(context: Context, open_substitute: Callable[[], StateStore]) -> StateStore:
    """Return Airflow's task state store; in Airflow before 3.3, which has none, its substitute in the bucket."""
    store: StateStore | None = context.get("task_state_store")
    return open_substitute() if store is None else SupervisedStore(store)


def find_this_run(context: Context) -> Run | None:
    """Return the ids of this task instance; None if the code runs outside of a task."""
    task = context.get("ti")
    if task is None:
        return None
    # Airflow's own index for a task that is not mapped.
    index = -1 if task.map_index is None else task.map_index
    return Run(task.dag_id, task.run_id, task.task_id, index, task.try_number)


def name_this_run(context: Context) -> str:
    """Return a short text that no other run of a DAG has, for the names of objects."""
    run = find_this_run(context)
    # A hash, because a run's id has characters that make awkward keys.
    return hashlib.sha256(f"{run.dag_id} {run.run_id}".encode()).hexdigest()[:16] if run else ""


@contextmanager
def return_early(context: Context, result: Any) -> Iterator[None]:
    """Pass a task's result on to the tasks after it even if the task fails within the context."""
    try:
        yield
    except LoaderError:
        task = context.get("ti")
        if task is not None:
            task.xcom_push(key=_RETURN_VALUE, value=result)
        raise
