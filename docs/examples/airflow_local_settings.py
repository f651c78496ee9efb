"""Has Airflow mail somebody where a day is not loaded in time; for ``$AIRFLOW_HOME/config``, or your own file.

Airflow asks a cluster policy as it reads each DAG, so the DAG's own file stays as it is shipped:
https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/cluster-policies.html
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference


def dag_policy(dag: Any) -> None:
    """Give a run six hours from when it was queued: a backfill's day is late by that as well, and not at once."""
    if dag.dag_id == "cloudtrail_to_elasticsearch":
        dag.deadline = DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=timedelta(hours=6),
            callback=AsyncCallback(
                "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
                {
                    "to": "security@example.com",
                    "subject": "CloudTrail: {{ dag_run.run_id }} is late",
                    "html_content": "See the coverage page for what is missing.",
                },
            ),
        )
