"""Days whose backfill can begin at once, at any time of day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from cloudtrail_elasticsearch.params import SETTLE_MINUTES


def last_settled_day() -> date:
    """Return yesterday, or the day before if yesterday is not settled yet.

    A plan waits until its last day is settled, see `CloudTrailPlanOperator`.
    """
    return (datetime.now(UTC) - timedelta(minutes=SETTLE_MINUTES)).date() - timedelta(days=1)
