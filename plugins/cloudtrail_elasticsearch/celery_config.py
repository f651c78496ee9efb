"""Celery's configuration: Airflow's own, and a worker that imports once what all its tasks would import each.

``AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS=cloudtrail_elasticsearch.celery_config.CONFIG`` makes use of it. Airflow
imports its own modules at the same moment, and then tells the garbage collector to leave them alone.
https://docs.celeryq.dev/en/stable/userguide/signals.html#import-modules
"""

from __future__ import annotations

from typing import Any, Final

from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG
from celery.signals import import_modules

from cloudtrail_elasticsearch import preload

CONFIG: Final[dict[str, Any]] = DEFAULT_CELERY_CONFIG
"""The very same object: by that Airflow knows that there is nothing in it to go before a team's own."""


def import_once(**_: Any) -> None:
    """Do it in the process that a worker forks its pool from."""
    preload.load()


import_modules.connect(import_once)
