"""A slice that is being paged, with its written parts and those that grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cloudtrail_elasticsearch.sources.lookup_events.fetch_record import SliceRecord
from cloudtrail_elasticsearch.sources.lookup_events.growing_part import GrowingPart
from cloudtrail_elasticsearch.sources.lookup_events.slices import Slice, SortedPage
from cloudtrail_elasticsearch.staging import Part


@dataclass(slots=True, eq=False)
class Paging:
    """A slice that is being paged. One worker at a time takes it, and changes it under the state's lock."""

    slice: Slice
    part: GrowingPart
    aside: GrowingPart
    pages_in_parts: int = 0
    """The number of pages in `parts` and `asides`; `part` and `aside` have the later ones."""
    parts: tuple[Part, ...] = ()
    asides: tuple[Part, ...] = ()
    misplaced: int = 0
    is_taken: bool = False
    is_to_divide: bool = False

    @classmethod
    def for_slice(cls, new: Slice) -> Paging:
        """Return the paging of a slice without staged events."""
        # A part must have a first and a last time, even if none of its events has one.
        undated = new.window.start
        return cls(new, GrowingPart(undated), GrowingPart(undated))

    def mark_taken(self) -> Paging:
        """Mark the slice as taken by a worker, and return this object."""
        self.is_taken = True
        return self

    @property
    def growing_pages(self) -> int:
        """The number of pages in the growing part."""
        return self.slice.pages - self.pages_in_parts

    @property
    def part_name(self) -> str:
        """The beginning of the names of the parts that have the pages up to the last one."""
        # The random number of the query keeps the parts of two attempts at one range apart (ADR-0015).
        return f"{self.slice.range.name}-{self.slice.query:08d}-{self.slice.pages:06d}"

    def add(self, found: SortedPage, misplaced: Sequence[str]) -> list[str]:
        """Add a page's events to the growing parts; return the ids of misplaced ones among them."""
        self.part.add(found.fresh)
        self.aside.add(found.aside)
        # Only events that this page adds: one that AWS returns again was counted before.
        here = [event.id for event in found.fresh if event.id in misplaced] if misplaced else []
        self.misplaced += len(here)
        return here

    def begin_parts(self, parts: tuple[Part, ...], asides: tuple[Part, ...]) -> None:
        """Add written parts, which have the events of the growing ones, and begin new ones."""
        self.parts += parts
        self.asides += asides
        undated = self.slice.window.start
        self.part, self.aside = GrowingPart(undated), GrowingPart(undated)
        self.pages_in_parts = self.slice.pages

    def to_record(self, checkpoint: str = "", body: bytearray | None = None) -> SliceRecord:
        """Return the slice's record.

        :param body: of a new checkpoint; events of growing parts are added. None: there are no growing parts
        """
        slice_ = self.slice
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
            members=() if body is None else self.part.save(checkpoint, body),
            aside_members=() if body is None else self.aside.save(checkpoint, body),
        )
