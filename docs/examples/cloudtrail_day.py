"""Runs for each day whose CloudTrail events are all loaded, and again if the figures of that day change."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, AssetAlias, task

with DAG("cloudtrail_day", schedule=AssetAlias("cloudtrail_complete_days"), catchup=False, doc_md=__doc__):

    @task
    def report(triggering_asset_events: Any = None) -> list[str]:
        """Return a sentence for each complete day; the extra has its account, day, index and figures."""
        days = [event.extra for events in triggering_asset_events.values() for event in events]
        return [
            f"{day['day']}: {day['indexed']} events of {day['regions']} regions in {day['index']}" for day in days
        ]

    report()
