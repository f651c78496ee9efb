"""A slice that is being paged, with its written parts and the parts that are being built."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.sources.lookup_events.fetch_record import Mark, SliceRecord
from cloudtrail_elasticsearch.sources.lookup_events.growing_part import GrowingPart, Write
from cloudtrail_elasticsearch.sources.lookup_events.slices import Slice, SortedPage
from cloudtrail_elasticsearch.staging import Part, Staging


@dataclass(slots=True, eq=False)
class Paging:
    """A slice that is being paged; one worker at a time takes it."""

    slice: Slice
    part: GrowingPart
    aside: GrowingPart
    kept: Mark | None = None
    """The slice's entry in the state store: it has the pages whose parts and record are written."""
    unwritten_since: float = 0.0
    """The monotonic time of the first page that is not written yet."""
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
    def unwritten_pages(self) -> int:
        """The number of pages that are not written yet."""
        return self.slice.pages - (self.kept.pages if self.kept else 0)

    @property
    def growing_pages(self) -> int:
        """The number of pages in the growing part."""
        return self.slice.pages - self.pages_in_parts

    def add(self, found: SortedPage[LookedUpEvent], misplaced: Sequence[str]) -> list[str]:
        """Add a page's events to the parts that are being built; return the ids of misplaced ones among them."""
        self.part.add(found.fresh)
        self.aside.add(found.aside)
        if not misplaced:
            return []
        # Only events that this page adds: one that AWS returns again was counted before.
        here = _ids_among(found.fresh, frozenset(misplaced))
        self.misplaced += len(here)
        return here

    def write_pieces(self, window: Window, fetch: str, staging: Staging) -> SliceRecord:
        """Stage the events that are not written yet, and return the slice's record, which includes them."""
        write, write_aside = self._writers(window, fetch, staging)
        return self._record(self.part.write_piece(write), self.aside.write_piece(write_aside))

    def write_parts(self, window: Window, fetch: str, staging: Staging) -> SliceRecord:
        """Stage the growing parts as whole parts, begin new ones, and return the slice's record."""
        write, write_aside = self._writers(window, fetch, staging)
        self.parts += self.part.write_whole(write)
        self.asides += self.aside.write_whole(write_aside)
        self.part, self.aside = GrowingPart(window.start), GrowingPart(window.start)
        self.pages_in_parts = self.slice.pages
        return self._record()

    def _writers(self, window: Window, fetch: str, staging: Staging) -> tuple[Write, Write]:
        # The random number of the query keeps the parts of two attempts at one range apart (ADR-0015).
        name = f"{self.slice.range.name}-{self.slice.query:08d}-{self.slice.pages:06d}"
        return (
            lambda packed: staging.write_part(window, fetch, name, packed),
            lambda packed: staging.write_part(window, fetch, f"{name}-aside", packed),
        )

    def _record(self, pieces: tuple[Part, ...] = (), aside_pieces: tuple[Part, ...] = ()) -> SliceRecord:
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
            parts=self.parts + pieces,
            asides=self.asides + aside_pieces,
        )


def _ids_among(events: Iterable[LookedUpEvent], ids: frozenset[str]) -> list[str]:
    return [event.id for event in events if event.id in ids]
