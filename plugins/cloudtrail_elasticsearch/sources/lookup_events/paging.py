"""A slice that is being paged, with its written parts and those that grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cloudtrail_elasticsearch.sources.lookup_events.fetch_record import SliceRecord
from cloudtrail_elasticsearch.sources.lookup_events.growing_part import GrowingPart
from cloudtrail_elasticsearch.sources.lookup_events.slices import Slice, SortedPage
from cloudtrail_elasticsearch.staging import Part


@dataclass(slots=True, eq=False)
class Paging:
    """A slice that is being paged. One worker at a time takes it, and changes it under the state's lock."""

    slice: Slice
    part: GrowingPart = field(default_factory=GrowingPart)
    aside: GrowingPart = field(default_factory=GrowingPart)
    pages_in_parts: int = 0
    """The number of pages in `parts` and `asides`; `part` and `aside` have the later ones."""
    parts: tuple[Part, ...] = ()
    asides: tuple[Part, ...] = ()
    misplaced: int = 0
    is_taken: bool = False
    is_to_divide: bool = False

    @property
    def unpacked(self) -> int:
        """The bytes of the events in the growing parts."""
        return self.part.unpacked + self.aside.unpacked

    def add(self, found: SortedPage, misplaced: Sequence[str]) -> list[str]:
        """Add a page's events to the growing parts; return the ids of misplaced ones among them."""
        self.part.add(found.fresh)
        self.aside.add(found.aside)
        # Only events that this page adds: one that AWS returns again was counted before.
        here = [event.id for event in found.fresh if event.id in misplaced] if misplaced else []
        self.misplaced += len(here)
        return here

    def to_record(self, checkpoint: str = "", body: bytearray | None = None) -> SliceRecord:
        """Return the slice's record.

        :param body: of a new checkpoint; events of growing parts are added. None: there are no growing parts
        """
        slice_, undated = self.slice, self.slice.window.start
        return SliceRecord(
            floor=slice_.range.floor,
            end=slice_.range.end,
            query=slice_.query,
            pages=slice_.pages,
            token=slice_.token,
            looked_up=slice_.looked_up,
            duplicates=slice_.duplicates,
            misplaced=self.misplaced,
            parts=self.parts,
            asides=self.asides,
            pages_in_parts=self.pages_in_parts,
            members=() if body is None else self.part.save(checkpoint, body, undated),
            aside_members=() if body is None else self.aside.save(checkpoint, body, undated),
        )
