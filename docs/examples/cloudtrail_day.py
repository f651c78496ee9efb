"""Runs once for each day of an account whose CloudTrail events are all loaded, and again if its figures change.

Airflow 3.3 starts a run for each partition, which is an account and a day. Older versions start a run with the
plain asset events of one or more days.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from cloudtrail_elasticsearch.operators.complete_days import schedule_by_day

with DAG("cloudtrail_day", schedule=schedule_by_day(), catchup=False, doc_md=__doc__):

    @task
    def report(dag_run: Any = None, triggering_asset_events: Any = None) -> list[str]:
        """Return a sentence for each complete day of this run."""
        if key := getattr(dag_run, "partition_key", None):
            account, day = key.split("|")
            return [f"{day} of {account} is complete"]
        days = [event.extra for events in triggering_asset_events.values() for event in events]
        return [f"{day['day']} of {day['account']} is complete: {day['indexed']} events" for day in days]

    report()
