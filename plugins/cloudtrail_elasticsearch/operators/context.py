"""What the operators take from Airflow's context: where progress is kept, and which task this is."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.core.ledger import Run
from cloudtrail_elasticsearch.core.state import StateStore
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.operators.supervision import SupervisedStore
from cloudtrail_elasticsearch.staging import Staging


def state_store(context: Context, staging: Staging, window: Window, task: str) -> StateStore:
    """Return Airflow's task state store, or, where Airflow has none (before 3.3), its stand-in in the bucket."""
    store: StateStore | None = context.get("task_state_store")
    return staging.state(window, task) if store is None else SupervisedStore(store)


def this_run(context: Context) -> Run | None:
    """Return which task instance this is; None outside of one."""
    task = context.get("ti")
    if task is None:
        return None
    index = -1 if task.map_index is None else task.map_index
    return Run(task.dag_id, task.run_id, task.task_id, index, task.try_number)
