"""A part that grows page by page, in memory, until it is written as one object (ADR-0008).

Meanwhile a checkpoint holds its events, so that a kill costs little: gzip members, of which the part consists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent, staged_event
from cloudtrail_elasticsearch.sources.lookup_events.compact_ids import CompactId, compact_id
from cloudtrail_elasticsearch.sources.lookup_events.fetch_record import Member
from cloudtrail_elasticsearch.staging.parts import PackedPart, PartBuilder, describe_part, join_parts


class GrowingPart:
    """The events of a part that is not written yet.

    :param undated: the time to use for events without a time
    :param members: the gzip members that checkpoints of earlier attempts hold, and the content of each
    """

    def __init__(self, undated: datetime, members: Sequence[tuple[Member, PackedPart]] = ()) -> None:
        self._undated = undated
        self._builder = PartBuilder(undated)
        self._packed = [packed for _, packed in members]
        self._saved = [member for member, _ in members]

    def add(self, events: Iterable[LookedUpEvent]) -> None:
        """Add events to the part."""
        self._builder.add(events)

    def read_ids(self) -> Iterator[CompactId]:
        """Yield the ids of the events in the members."""
        return (compact_id(staged_event(line).id) for packed in self._packed for line in packed.lines())

    def save(self, checkpoint: str, body: bytearray) -> tuple[Member, ...]:
        """Append the events that no checkpoint holds to the body of a new one; return the members of the part."""
        self._finish_member()
        for packed in self._packed[len(self._saved) :]:
            self._saved.append(Member(len(body), describe_part(checkpoint, packed)))
            body += packed.body
        return tuple(self._saved)

    def join(self) -> PackedPart | None:
        """Return all events as one part; None if there are none."""
        self._finish_member()
        return join_parts(self._packed) if self._packed else None

    def _finish_member(self) -> None:
        if self._builder.events:
            self._packed.append(self._builder.finish())
            self._builder = PartBuilder(self._undated)
