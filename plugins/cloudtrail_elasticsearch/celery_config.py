"""Celery's configuration: Airflow's own, plus a worker that imports the tasks' modules once, before it forks.

Set ``AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS=cloudtrail_elasticsearch.celery_config.CONFIG`` to use it (ADR-0012).
Airflow imports its own modules at the same signal, and then freezes them for the garbage collector.
https://docs.celeryq.dev/en/stable/userguide/signals.html#import-modules
"""

from __future__ import annotations

from typing import Any, Final

from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG
from celery.signals import import_modules

from cloudtrail_elasticsearch import preload

CONFIG: Final[dict[str, Any]] = DEFAULT_CELERY_CONFIG
"""Must be the identical object; otherwise Airflow treats it as a user override."""


def import_task_modules(**_: Any) -> None:
    """Import the tasks' modules in the worker process that the pool is forked from."""
    preload.load()


import_modules.connect(import_task_modules)
