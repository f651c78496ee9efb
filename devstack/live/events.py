"""When the events of a source become available."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Event:
    """An event: when it became available, and whether live runs must find it.

    They need not find an event from before the first of them, or one that is later than their overlap. The daily
    run finds it.
    """

    available: datetime
    is_live: bool
