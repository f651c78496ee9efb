"""The loader's own events: its LookupEvents calls are recorded by CloudTrail, and loaded the next day."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from cloudtrail_elasticsearch.core.documents.events import Event, parse_line

USER_AGENT: Final = "cloudtrail-elasticsearch/"
"""The start of the loader's part of the user agent; its version follows."""

TAG: Final = "cloudtrail-elasticsearch"

OWN_EVENTS_RULE: Final = "own-events"
"""The name under which `OwnEvents.LEAVE_OUT` is counted, beside the names of rules."""

_USER_AGENT: Final = USER_AGENT.encode()


class OwnEvents(StrEnum):
    """How the loader's own events are treated; they are counted in every case."""

    KEEP = "keep"
    MARK = "mark"
    """They are indexed with a tag."""
    LEAVE_OUT = "leave-out"
    """They are staged, but not indexed."""


def is_own(record: dict[str, Any]) -> bool:
    """Whether a record is about a call that this loader made."""
    agent = record.get("userAgent")
    # Other programs call LookupEvents too, so the user agent decides. The loader's other calls are few, and stay
    # ordinary events.
    return (
        record.get("eventName") == "LookupEvents"
        and record.get("eventSource") == "cloudtrail.amazonaws.com"
        and isinstance(agent, str)
        and USER_AGENT in agent
    )


def is_own_line(line: bytes) -> bool:
    """Whether a line, staged or bare, holds such a record; a line without the user agent costs almost nothing."""
    if _USER_AGENT not in line:
        return False
    event = parse_line(line)
    return isinstance(event, Event) and is_own(event.record)
