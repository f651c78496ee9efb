"""The tasks' metrics, which Airflow sends to StatsD, Datadog or OpenTelemetry if one of them is configured.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/metrics.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.coverage.source import Source
    from cloudtrail_elasticsearch.core.coverage.watermarks import Place
    from cloudtrail_elasticsearch.core.coverage.windows import Window


def add_to_counters(window: Window, **figures: int) -> None:
    """Add figures of a window to the counters ``cloudtrail.{name}``, tagged by account, region and source."""
    from airflow.providers.common.compat.sdk import Stats

    tags = {"account": window.account, "region": window.region, "source": window.source.value}
    for name, figure in figures.items():
        # Most cells are quiet, and a counter of 0 changes nothing.
        if figure:
            Stats.incr(f"cloudtrail.{name}", figure, tags=tags)


def report_newest_ages(newest: Mapping[tuple[str, str], datetime], source: Source) -> None:
    """Set ``cloudtrail.newest_event_age.{account}.{region}`` to the age of the newest event, in seconds.

    The name includes both, because plain StatsD drops tags and would keep only the last region's value.

    :param newest: the time of the newest event by account and region
    """
    from airflow.providers.common.compat.sdk import Stats

    now = datetime.now(UTC)
    for (account, region), time in newest.items():
        tags = {"account": account, "region": region, "source": source.value}
        Stats.gauge(f"cloudtrail.newest_event_age.{account}.{region}", (now - time).total_seconds(), tags=tags)


def report_lag(place: Place, lag: float) -> None:
    """Set ``cloudtrail.lag.{account}.{region}`` to the seconds by which the watermark of a place is behind.

    The name includes both, because plain StatsD drops tags and would keep only the last region's value.
    """
    from airflow.providers.common.compat.sdk import Stats

    tags = {"account": place.account, "region": place.region, "source": place.source.value}
    if place.kind:
        tags["kind"] = place.kind
    Stats.gauge(f"cloudtrail.lag.{place.account}.{place.region}", lag, tags=tags)
