"""Complete days as events of Airflow assets, for DAGs that start when a whole day is loaded.

Each account has one asset, ``cloudtrail://{account}/days``. Its events are added through an alias: a plain asset
outlet would get an event with every success of its task, an alias only when the task adds one.
https://airflow.apache.org/docs/apache-airflow/stable/authoring-and-scheduling/assets.html

In Airflow 3.3, each source has a partitioned asset, too, ``cloudtrail://days/{source}``. Its events have the
partition key ``{account}|{day}``, so that a DAG can run once for each complete day. All accounts share it, because
a DAG must name the assets of its schedule, and the accounts of an organization change.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from airflow.providers.common.compat.sdk import Asset, AssetAlias, Context

from cloudtrail_elasticsearch.airflows import (
    add_partitioned_events,
    read_asset_events,
    schedule_by_partition,
)
from cloudtrail_elasticsearch.core.coverage.complete_days import CompleteDay
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import midnight

COMPLETE_DAYS: Final = AssetAlias("cloudtrail_complete_days")
"""The alias for the complete days of all accounts."""


def make_asset(account: str) -> Asset:
    """Return the asset of an account's complete days."""
    return Asset(f"cloudtrail://{account}/days")


def make_partitioned_asset(source: Source) -> Asset:
    """Return the partitioned asset of a source's complete days, of all accounts."""
    return Asset(f"cloudtrail://days/{source.value}")


def schedule_by_day(source: Source = Source.LOOKUP_EVENTS) -> Any:
    """Return the schedule of a DAG that runs once for each complete day of an account.

    Before Airflow 3.3, it is the alias `COMPLETE_DAYS`: the DAG runs for the complete days of all sources, and one
    run may have several of them.
    """
    return schedule_by_partition(make_partitioned_asset(source), otherwise=COMPLETE_DAYS)


def add_asset_events(days: Iterable[CompleteDay], context: Context) -> list[CompleteDay]:
    """Add the asset events of each day without an equal earlier event, and return these days.

    Airflow stores the earlier events, so no other state is needed: it registers an event only together with the
    success of its task.
    """
    complete = list(days)
    if not complete:
        return []
    # A day cannot have been reported before it began.
    oldest = min(midnight(date.fromisoformat(day.day)) for day in complete)
    events = read_asset_events(context, COMPLETE_DAYS, oldest)
    # Events of version 0.1 name no source.
    extras = [{"source": Source.LOOKUP_EVENTS.value} | (event.extra or {}) for event in events]
    earlier = {tuple(extra.get(name) for name in CompleteDay.SUBJECT): extra for extra in extras}
    added = [day for day in complete if earlier.get(day.subject) != day.to_dict()]
    for day in added:
        content: dict[str, Any] = day.to_dict()
        context["outlet_events"][COMPLETE_DAYS].add(make_asset(day.account), extra=content)
    for source in {day.source: None for day in added}:
        of_source = [day for day in added if day.source is source]
        # The events of one task share their extra, so the figures are only in the plain events.
        extra = {"source": source.value, "index": of_source[0].index}
        keys = [day.partition_key for day in of_source]
        add_partitioned_events(context, make_partitioned_asset(source), keys, extra)
    return added
