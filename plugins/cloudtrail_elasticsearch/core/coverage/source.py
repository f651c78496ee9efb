"""The sources of events, and the names of the figures of their cells."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cloudtrail_elasticsearch.core.figures import LABELS


class Source(StrEnum):
    """The origin of a window's events."""

    LOOKUP_EVENTS = "lookup_events"
    """LookupEvents' management events; a window is a range of the events' own times."""
    LOOKUP_INSIGHTS = "lookup_insights"
    """LookupEvents' Insights events, which CloudTrail returns only to requests of their own."""
    TRAIL = "trail"
    """The files that a trail writes to S3; a window is a range of the files' times of delivery."""


CATEGORIES: Final = MappingProxyType({"management": Source.LOOKUP_EVENTS, "insight": Source.LOOKUP_INSIGHTS})
"""The source of each category of events that LookupEvents returns.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

NAMES: Final = MappingProxyType(
    {Source.LOOKUP_EVENTS: "", Source.LOOKUP_INSIGHTS: "insights ", Source.TRAIL: "trail "}
)
"""The beginning of the names of each source's windows."""

_TRAIL_LABELS: Final = MappingProxyType(LABELS | {"looked_up": "listed"})
_LOOKUP_LABELS: Final = MappingProxyType(LABELS)


def label_figures(source: Source) -> MappingProxyType[str, str]:
    """Return each figure's label for the cells of a source, in the order in which the figures are shown."""
    return _TRAIL_LABELS if source is Source.TRAIL else _LOOKUP_LABELS
