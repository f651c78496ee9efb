"""Times as CloudTrail writes them, and in every other spelling that the servers read."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

USUAL_TIME: Final = (
    r"[1-9]\d{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ"
)
"""A time as CloudTrail writes it, to the second and in UTC; without 29 February, which needs the calendar."""

# ASCII, because `\d` also matches the digits of other scripts.
_is_usual_time: Final = re.compile(USUAL_TIME, re.ASCII).fullmatch
_is_time: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)").fullmatch


def read_second(text: str) -> str | None:
    """Return a time in UTC, to the second (``2026-11-20T01:02:03Z``); None if the text is not a time."""
    if _is_usual_time(text):
        return text
    time = parse_time(text)
    return None if time is None else format_second(time)


def format_second(time: datetime) -> str:
    """Return a time in UTC as CloudTrail writes it, so that the order of texts is that of the times."""
    return time.isoformat(timespec="seconds")[: len("2026-11-20T01:02:03")] + "Z"


def parse_time(value: Any) -> datetime | None:
    """Return the time, in UTC, of an ISO 8601 text with a time zone; None for any other value."""
    if not isinstance(value, str):
        return None
    try:
        # CloudTrail's own spelling is the fast case; `fromisoformat` alone reads other spellings, too.
        if len(value) == 20 and value[4::3] == "--T::Z":
            return datetime.fromisoformat(value)
        if not _is_time(value):
            return None
        return datetime.fromisoformat(value).astimezone(UTC)
    # A time zone can move a time on the calendar's first or last day out of it.
    except (ValueError, OverflowError):
        return None
