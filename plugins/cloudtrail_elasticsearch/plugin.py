"""The Airflow plugin."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowPlugin


class CloudTrailElasticsearchPlugin(AirflowPlugin):
    """Names the loader among Airflow's plugins."""

    name = "cloudtrail_elasticsearch"
