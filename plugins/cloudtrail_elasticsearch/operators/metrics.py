"""The tasks' metrics, which Airflow sends to StatsD, Datadog or OpenTelemetry if one of them is configured.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/metrics.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cloudtrail_elasticsearch.core.coverage.source import Source

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.coverage.windows import Window


def add_to_counters(window: Window, **figures: int) -> None:
    """Add figures of a window to the counters ``cloudtrail.{name}``, tagged by account, region and source."""
    from airflow.providers.common.compat.sdk import Stats

    tags = {"account": window.account, "region": window.region, "source": window.source.value}
    for name, figure in figures.items():
        # Most cells are quiet, and a counter of 0 changes nothing.
        if figure:
            Stats.incr(f"cloudtrail.{name}", figure, tags=tags)


def report_newest_ages(account: str, newest: Mapping[str, datetime], source: Source) -> None:
    """Set ``cloudtrail.newest_event_age.{region}`` to the age of each region's newest event, in seconds.

    The name includes the region, because plain StatsD drops tags and would keep only the last region's value. For
    a trail, which can have the events of many accounts, the name ends with ``.trail.{account}.{region}``.
    """
    from airflow.providers.common.compat.sdk import Stats

    now = datetime.now(UTC)
    for region, time in newest.items():
        tags = {"account": account, "region": region, "source": source.value}
        place = f"trail.{account}.{region}" if source is Source.TRAIL else region
        Stats.gauge(f"cloudtrail.newest_event_age.{place}", (now - time).total_seconds(), tags=tags)
