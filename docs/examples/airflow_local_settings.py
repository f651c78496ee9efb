"""Sends a mail if a day is not loaded in time. Put it into ``$AIRFLOW_HOME/config``, or add it to your own file.

Airflow applies a cluster policy to each DAG that it parses, so the DAG's own file stays unchanged:
https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/cluster-policies.html
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference


def dag_policy(dag: Any) -> None:
    """Give each run six hours from the time when it was queued; a backfilled day has six hours, too."""
    if dag.dag_id == "cloudtrail_to_elasticsearch":
        dag.deadline = DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=timedelta(hours=6),
            callback=AsyncCallback(
                "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
                {
                    "to": "security@example.com",
                    "subject": "CloudTrail: {{ dag_run.run_id }} is late",
                    "html_content": "The coverage page shows the missing cells.",
                },
            ),
        )
