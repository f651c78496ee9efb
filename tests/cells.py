"""Cells for tests of coverage."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cloudtrail_elasticsearch.core.coverage.cells import Cell
from cloudtrail_elasticsearch.core.coverage.ledger import StagingDetails
from cloudtrail_elasticsearch.core.coverage.windows import Window


def cell(window: Window, staged: int, indexed: int, quarantined: int = 0, **further: Any) -> Cell:
    """Return the cell of a window whose events were all staged."""
    return Cell(
        window=window,
        looked_up=staged,
        staged=staged,
        duplicates=0,
        indexed=indexed,
        quarantined=quarantined,
        **further,
    )


def staged_at(at: datetime, first: datetime | None = None, last: datetime | None = None) -> StagingDetails:
    """Return the staging details of a window that one attempt staged with one call."""
    return StagingDetails(attempts=1, calls=1, throttled=0, first=first, last=last, staged_at=at)
