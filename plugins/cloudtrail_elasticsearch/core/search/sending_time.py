"""The field ``event.ingested`` of a document: when it was sent to the server. ADR-0023

A document is a function of its event alone until it is sent (ADR-0019). Then the time is appended to its text. A
document whose event is loaded again keeps its time, until it really changes.

https://www.elastic.co/docs/reference/ecs/ecs-event#field-event-ingested
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

INGESTED: Final = "event.ingested"
"""The path of the time."""

UNSTORED: Final = frozenset({"texts"})
"""Names at the top of a document that the indices do not store (ADR-0028)."""

TIME_PATHS: Final = frozenset({INGESTED, "event"})
"""The paths of which an index must reject none, or its documents have no time."""

TIME_SIZE: Final = 48
"""The most bytes that the time adds to a document."""

_OBJECT: Final = "event"
_NAME: Final = "ingested"


class TimePlace(enum.IntEnum):
    """The place of the time in a document's text, as the number of brackets that end the text after it."""

    ALONE = 1
    """The document has no object ``event``."""
    IN_EVENT = 2
    """The document ends with its object ``event``, which has other fields, too."""

    def make_end(self, time: datetime) -> bytes:
        """Return the time (in UTC) and the brackets, which end the text that is sent."""
        # Milliseconds, because a date field holds no more.
        text = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        member = b'"%b":"%b"}}' % (_NAME.encode(), text.encode())
        return b",%b" % member if self is TimePlace.IN_EVENT else b',"%b":{%b' % (_OBJECT.encode(), member)


def make_room(source: Mapping[str, Any]) -> tuple[dict[str, Any], TimePlace]:
    """Return a document with its object ``event`` at the end, and the place of the time in its text."""
    rest = {name: value for name, value in source.items() if name != _OBJECT}
    event = source.get(_OBJECT)
    return (rest | {_OBJECT: event}, TimePlace.IN_EVENT) if event else (rest, TimePlace.ALONE)


def drop_time(source: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a stored document without its time; None if it has no time."""
    event = source.get(_OBJECT)
    if not isinstance(event, dict) or not isinstance(event.get(_NAME), str):
        return None
    others = {name: value for name, value in event.items() if name != _NAME}
    if others:
        return {**source, _OBJECT: others}
    return {name: value for name, value in source.items() if name != _OBJECT}
