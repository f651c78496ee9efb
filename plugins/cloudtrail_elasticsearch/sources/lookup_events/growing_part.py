"""A part that grows page by page, and is written in pieces until it is whole (ADR-0008).

A piece is a part of a few pages, so that a kill costs little. When the part has enough pages, one object replaces
its pieces, because a load would spend much of its time on small objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.staging import Part
from cloudtrail_elasticsearch.staging.parts import PackedPart, PartBuilder, join_parts

Write = Callable[[PackedPart], Part]
"""Stages a part, and returns its entry in the manifest."""


class GrowingPart:
    """The events of a part, of which some are written as pieces.

    :param undated: the time to use for events without a time
    """

    def __init__(self, undated: datetime) -> None:
        self._undated = undated
        self._builder = PartBuilder(undated)
        # Kept in memory, so that `write_whole` reads no piece from S3; together they have the size of a part.
        self._pieces: list[PackedPart] = []
        self._written: list[Part] = []

    def add(self, events: Iterable[LookedUpEvent]) -> None:
        """Add events to the part."""
        self._builder.add(events)

    def write_piece(self, write: Write) -> tuple[Part, ...]:
        """Write the events that are in no piece yet, and return all pieces."""
        if self._finish_piece():
            self._written.append(write(self._pieces[-1]))
        return tuple(self._written)

    def write_whole(self, write: Write) -> tuple[Part, ...]:
        """Write all events as one object, and return it; nothing if there are no events."""
        if not self._finish_piece() and len(self._written) < 2:
            # Nothing to join: there is no piece, or one with all events.
            return tuple(self._written)
        return (write(join_parts(self._pieces)),)

    def _finish_piece(self) -> bool:
        """Make a piece of the events that are in none yet; return whether there are such events."""
        if not self._builder.events:
            return False
        self._pieces.append(self._builder.finish())
        self._builder = PartBuilder(self._undated)
        return True
