"""What the tasks tell Airflow's metrics, which send it to StatsD, Datadog or OpenTelemetry where one is set up.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/metrics.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.windows import Window


def count(window: Window, **figures: int) -> None:
    """Add figures of a window to the counters ``cloudtrail.{name}``, tagged with its account and region."""
    from airflow.providers.common.compat.sdk import Stats

    tags = {"account": window.account, "region": window.region}
    for name, figure in figures.items():
        if figure:
            Stats.incr(f"cloudtrail.{name}", figure, tags=tags)


def tell_newest(account: str, newest: Mapping[str, datetime]) -> None:
    """Set ``cloudtrail.newest_event_age.{region}`` to the age of each region's newest event, in seconds.

    The region stands in the name, too: StatsD as it is knows no tags, and would keep the last region's alone.
    """
    from airflow.providers.common.compat.sdk import Stats

    now = datetime.now(UTC)
    for region, time in newest.items():
        tags = {"account": account, "region": region}
        Stats.gauge(f"cloudtrail.newest_event_age.{region}", (now - time).total_seconds(), tags=tags)
