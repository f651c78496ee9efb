"""The loader's own trace: the LookupEvents calls that it makes are events themselves, of the next day's load."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from cloudtrail_elasticsearch.core.events import Event, parse_line

USER_AGENT: Final = "cloudtrail-elasticsearch/"
"""What the part of the user agent begins with that names the loader; its version follows."""

TAG: Final = "cloudtrail-elasticsearch"

_USER_AGENT: Final = USER_AGENT.encode()


class OwnEvents(StrEnum):
    """What becomes of the loader's own events; they are counted either way."""

    KEEP = "keep"
    MARK = "mark"
    """They are indexed with a tag of their own."""
    LEAVE_OUT = "leave-out"
    """They are staged, and not indexed."""


def is_own(record: dict[str, Any]) -> bool:
    """Whether a record is of a call that this loader made."""
    agent = record.get("userAgent")
    return (
        record.get("eventName") == "LookupEvents"
        and record.get("eventSource") == "cloudtrail.amazonaws.com"
        and isinstance(agent, str)
        and USER_AGENT in agent
    )


def is_own_line(line: bytes) -> bool:
    """Whether a line, staged or bare, holds such a record; nearly free where it does not."""
    if _USER_AGENT not in line:
        return False
    event = parse_line(line)
    return isinstance(event, Event) and is_own(event.record)
