"""What is done when a process of Airflow's starts: above all, what every task imports is imported once.

It is done in the process that LocalExecutor forks its tasks from; `celery_config` does it where Celery does.
"""

from __future__ import annotations

import logging
import sys
from functools import cache
from importlib import import_module
from typing import Any, Final

from airflow.listeners import hookimpl

from cloudtrail_elasticsearch.airflows import leave_mapping_to_backfills

log = logging.getLogger(__name__)

MODULES: Final = (
    "cloudtrail_elasticsearch.hooks.search",
    "cloudtrail_elasticsearch.operators.cloudtrail_to_s3",
    "cloudtrail_elasticsearch.operators.coverage",
    "cloudtrail_elasticsearch.operators.plan",
    "cloudtrail_elasticsearch.operators.s3_to_elasticsearch",
    "cloudtrail_elasticsearch.params",
    "cloudtrail_elasticsearch.pipeline.late",
    "cloudtrail_elasticsearch.pipeline.load",
)


@hookimpl
def on_starting(component: Any) -> None:  # noqa: ARG001 - Airflow's signature
    """Prepare the process: import them where a scheduler starts that runs tasks itself.

    Most of a quiet cell's time were imports.

    Airflow calls this before it says which job starts, and for each task; the command line tells, which a task
    that is forked from a scheduler shares with it.
    https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/listeners.html
    """
    leave_mapping_to_backfills()
    if sys.argv[1:2] == ["scheduler"] and _forks_tasks():
        load()


@cache
def load() -> None:
    """Import what the tasks need, and have botocore's models read; in a fork of who has done so, nothing."""
    from cloudtrail_elasticsearch.hooks.cloudtrail import read_models

    for module in MODULES:
        import_module(module)
    read_models()
    log.info("Imported what the tasks of cloudtrail_to_elasticsearch need, once for all of them.")


def _forks_tasks() -> bool:
    from airflow.configuration import conf

    return "LocalExecutor" in conf.get("core", "executor")
