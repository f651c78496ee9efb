"""A part that grows page by page, in memory, until it is written as one object (ADR-0008).

Meanwhile a checkpoint holds its events, so that a kill costs little: gzip members, of which the part consists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent, staged_event
from cloudtrail_elasticsearch.sources.lookup_events.compact_ids import CompactId, compact_id
from cloudtrail_elasticsearch.sources.lookup_events.fetch_record import Member
from cloudtrail_elasticsearch.staging.parts import PackedPart, describe_part, join_parts, pack_events


class GrowingPart:
    """The events of a part that is not written yet.

    :param members: the gzip members that checkpoints of earlier attempts hold, and the content of each
    """

    def __init__(self, members: Iterable[tuple[Member, PackedPart]] = ()) -> None:
        self._members = list(members)
        self._events: list[LookedUpEvent] = []
        self.unpacked = sum(packed.unpacked for _, packed in self._members)
        """The bytes of all events."""

    def add(self, events: Iterable[LookedUpEvent]) -> None:
        """Add events to the part."""
        for event in events:
            self._events.append(event)
            self.unpacked += len(event.line) + 1

    def read_ids(self) -> Iterator[CompactId]:
        """Yield the ids of the events in the members."""
        return (compact_id(staged_event(line).id) for _, packed in self._members for line in packed.lines())

    def save(self, checkpoint: str, body: bytearray, undated: datetime) -> tuple[Member, ...]:
        """Append the events that no checkpoint holds to the body of a new one; return the members of the part.

        :param undated: the time to use for events without a time
        """
        if self._events:
            packed = pack_events(self._events, undated)
            self._members.append((Member(len(body), describe_part(checkpoint, packed)), packed))
            body += packed.body
            self._events.clear()
        return tuple(member for member, _ in self._members)

    def join(self, undated: datetime) -> PackedPart | None:
        """Return all events as one part; None if there are none.

        :param undated: the time to use for events without a time
        """
        packed = [each for _, each in self._members]
        if self._events:
            packed.append(pack_events(self._events, undated))
        return join_parts(packed) if packed else None
