"""Work at the start of an Airflow process: above all, import the modules that every task needs, once (ADR-0012).

With LocalExecutor the scheduler forks the tasks, so the scheduler imports them; for Celery see `celery_config`.
"""

from __future__ import annotations

import logging
import sys
from functools import cache
from importlib import import_module
from typing import Any, Final

from airflow.listeners import hookimpl

from cloudtrail_elasticsearch.airflows import stop_tasks_from_expanding

log = logging.getLogger(__name__)

MODULES: Final = (
    "cloudtrail_elasticsearch.dag_factory.live_tasks",
    "cloudtrail_elasticsearch.dag_factory.lookup_tasks",
    "cloudtrail_elasticsearch.dag_factory.trail_live_tasks",
    "cloudtrail_elasticsearch.dag_factory.trail_tasks",
    "cloudtrail_elasticsearch.hooks.search",
    "cloudtrail_elasticsearch.operators.cloudtrail_to_s3",
    "cloudtrail_elasticsearch.operators.compare",
    "cloudtrail_elasticsearch.operators.coverage",
    "cloudtrail_elasticsearch.operators.follow",
    "cloudtrail_elasticsearch.operators.live_plan",
    "cloudtrail_elasticsearch.operators.plan",
    "cloudtrail_elasticsearch.operators.s3_to_elasticsearch",
    "cloudtrail_elasticsearch.operators.trail_coverage",
    "cloudtrail_elasticsearch.operators.trail_follow",
    "cloudtrail_elasticsearch.operators.trail_list",
    "cloudtrail_elasticsearch.operators.trail_live_plan",
    "cloudtrail_elasticsearch.operators.trail_plan",
    "cloudtrail_elasticsearch.operators.trail_to_elasticsearch",
    "cloudtrail_elasticsearch.params",
    "cloudtrail_elasticsearch.pipeline.batch_load",
    "cloudtrail_elasticsearch.pipeline.compare",
    "cloudtrail_elasticsearch.pipeline.each_window",
    "cloudtrail_elasticsearch.pipeline.failures",
    "cloudtrail_elasticsearch.pipeline.live",
    "cloudtrail_elasticsearch.pipeline.load",
    "cloudtrail_elasticsearch.pipeline.lookup_fetch",
    "cloudtrail_elasticsearch.pipeline.lookup_load",
    "cloudtrail_elasticsearch.pipeline.trail_list",
    "cloudtrail_elasticsearch.pipeline.trail_live",
    "cloudtrail_elasticsearch.pipeline.trail_load",
    "cloudtrail_elasticsearch.sinks.elasticsearch",
    "cloudtrail_elasticsearch.sinks.opensearch",
    "cloudtrail_elasticsearch.sources.lookup_events.follow",
    "cloudtrail_elasticsearch.trail_params",
    # Both, because only a task knows which server its connection leads to.
    "elasticsearch",
    "opensearchpy",
)


@hookimpl
def on_starting(component: Any) -> None:  # noqa: ARG001 - Airflow's signature
    """Import the tasks' modules if this process is a scheduler that forks tasks.

    Without this, imports take most of a quiet cell's time.

    Airflow calls this hook for each task too, and before it sets the kind of job. So the command line decides;
    a task forked from a scheduler has the scheduler's command line.
    https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/listeners.html
    """
    stop_tasks_from_expanding()
    if sys.argv[1:2] == ["scheduler"] and _forks_tasks():
        load()


@cache
def load() -> None:
    """Import the tasks' modules, read botocore's models and the shipped rules; a no-op in forked children."""
    from cloudtrail_elasticsearch.core.documents.rules import load_rules
    from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
    from cloudtrail_elasticsearch.hooks.cloudtrail import read_models

    for module in MODULES:
        import_module(module)
    read_models()
    # For what they cache: the declared fields, and what msgspec learns about the rules' types.
    build_schema("typed", load_rules())
    log.info("Imported the modules of all tasks.")


def _forks_tasks() -> bool:
    from airflow.configuration import conf

    # Other executors start tasks elsewhere; the scheduler would import the modules for nothing (ADR-0012).
    return "LocalExecutor" in conf.get("core", "executor")
