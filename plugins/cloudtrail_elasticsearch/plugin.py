"""The Airflow plugin."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowPlugin

from cloudtrail_elasticsearch import preload


class CloudTrailElasticsearchPlugin(AirflowPlugin):
    """Names the loader among Airflow's plugins, and has its modules imported once for all tasks."""

    name = "cloudtrail_elasticsearch"
    listeners = [preload]  # noqa: RUF012 - as the base class has it
