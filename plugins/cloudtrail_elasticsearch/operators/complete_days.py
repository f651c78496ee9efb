"""Complete days as events of an Airflow asset, for DAGs that start when a whole day is loaded.

Each account has one asset, ``cloudtrail://{account}/days``. Its events are added through an alias: a plain asset
outlet would get an event with every success of its task, an alias only when the task adds one.
https://airflow.apache.org/docs/apache-airflow/stable/authoring-and-scheduling/assets.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, Final

from airflow.providers.common.compat.sdk import Asset, AssetAlias, Context

from cloudtrail_elasticsearch.airflows import read_asset_events
from cloudtrail_elasticsearch.core.coverage.complete_days import CompleteDay
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import midnight

COMPLETE_DAYS: Final = AssetAlias("cloudtrail_complete_days")
"""The alias for the complete days of all accounts."""


def make_asset(account: str) -> Asset:
    """Return the asset of an account's complete days."""
    return Asset(f"cloudtrail://{account}/days")


def add_asset_events(days: Iterable[CompleteDay], context: Context) -> Iterator[CompleteDay]:
    """Add an asset event for each day without an equal earlier event, and yield these days.

    Airflow stores the earlier events, so no other state is needed: it registers an event only together with the
    success of its task.
    """
    complete = list(days)
    if not complete:
        return
    # A day cannot have been reported before it began.
    oldest = min(midnight(date.fromisoformat(day.day)) for day in complete)
    events = read_asset_events(context, COMPLETE_DAYS, oldest)
    # Events of version 0.1 name no source.
    extras = [{"source": Source.LOOKUP_EVENTS.value} | (event.extra or {}) for event in events]
    earlier = {tuple(extra.get(name) for name in CompleteDay.SUBJECT): extra for extra in extras}
    for day in complete:
        content: dict[str, Any] = day.to_dict()
        if earlier.get(day.subject) != content:
            context["outlet_events"][COMPLETE_DAYS].add(make_asset(day.account), extra=content)
            yield day
