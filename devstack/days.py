"""Days whose backfill begins at once, at whatever time of day it is asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from cloudtrail_elasticsearch.params import SETTLE_MINUTES


def last_settled_day() -> date:
    """Return yesterday, or the day before, where yesterday is not settled yet.

    A plan waits until its last day is settled, see `CloudTrailPlanOperator`.
    """
    return (datetime.now(UTC) - timedelta(minutes=SETTLE_MINUTES)).date() - timedelta(days=1)
