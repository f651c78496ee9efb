"""The sources of events, and the names of the figures of their cells."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cloudtrail_elasticsearch.core.figures import LABELS


class Source(StrEnum):
    """The origin of a window's events."""

    LOOKUP_EVENTS = "lookup_events"
    """LookupEvents; a window is a range of the events' own times."""
    TRAIL = "trail"
    """The files that a trail writes to S3; a window is a range of the files' times of delivery."""


_TRAIL_LABELS: Final = MappingProxyType(LABELS | {"looked_up": "listed"})
_LOOKUP_LABELS: Final = MappingProxyType(LABELS)


def label_figures(source: Source) -> MappingProxyType[str, str]:
    """Return each figure's label for the cells of a source, in the order in which the figures are shown."""
    return _TRAIL_LABELS if source is Source.TRAIL else _LOOKUP_LABELS
