"""Complete days as events of an Airflow asset, for the DAGs that work on a day once all of it is there.

The asset is that of an account, ``cloudtrail://{account}/days``. Its events come through an alias, as only an
outlet of that kind need not have an event whenever its task succeeds.
https://airflow.apache.org/docs/apache-airflow/stable/authoring-and-scheduling/assets.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, Final

from airflow.providers.common.compat.sdk import Asset, AssetAlias, Context

from cloudtrail_elasticsearch.airflows import asset_events
from cloudtrail_elasticsearch.core.complete import CompleteDay
from cloudtrail_elasticsearch.core.windows import midnight

COMPLETE_DAYS: Final = AssetAlias("cloudtrail_complete_days")
"""Every account's complete days."""


def asset(account: str) -> Asset:
    """Return the asset of an account's complete days."""
    return Asset(f"cloudtrail://{account}/days")


def tell_new(days: Iterable[CompleteDay], context: Context) -> Iterator[CompleteDay]:
    """Add an event for each day that was not told yet, or with other figures, and yield these days.

    Airflow itself has what was told: it registers an event together with the success of its task, or not at all.
    """
    complete = list(days)
    if not complete:
        return
    oldest = min(midnight(date.fromisoformat(day.day)) for day in complete)
    events = asset_events(context, COMPLETE_DAYS, oldest)
    extras = [event.extra or {} for event in events]
    told = {tuple(extra.get(name) for name in CompleteDay.SUBJECT): extra for extra in extras}
    for day in complete:
        content: dict[str, Any] = day.to_dict()
        if told.get(day.subject) != content:
            context["outlet_events"][COMPLETE_DAYS].add(asset(day.account), extra=content)
            yield day
