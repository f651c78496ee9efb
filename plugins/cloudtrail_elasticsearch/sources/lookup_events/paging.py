"""A slice that is being paged, with its written parts and the parts that are being built."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.sources.lookup_events.fetch_record import Mark, SliceRecord
from cloudtrail_elasticsearch.sources.lookup_events.slices import Slice, SortedPage
from cloudtrail_elasticsearch.staging import Part, Staging
from cloudtrail_elasticsearch.staging.parts import PageHead, PartBuilder


@dataclass(slots=True, eq=False)
class Paging:
    """A slice that is being paged; one worker at a time takes it."""

    slice: Slice
    kept: Mark
    """The slice's entry in the state store: it has the pages whose parts and record are written."""
    parts: list[Part] = field(default_factory=list)
    asides: list[Part] = field(default_factory=list)
    misplaced: int = 0
    builder: PartBuilder = field(default_factory=PartBuilder)
    aside: PartBuilder = field(default_factory=PartBuilder)
    has_kept_pages: bool = False
    is_taken: bool = False
    has_slot: bool = False
    """Whether its worker has taken a slot of the quota for the next call."""
    is_to_divide: bool = False

    @classmethod
    def for_slice(cls, new: Slice) -> Paging:
        """Return the paging of a slice without staged events."""
        # A part must have a first and a last time, even if none of its events has one.
        undated = new.window.start
        return cls(new, Mark.for_unstaged_slice(new), builder=PartBuilder(undated), aside=PartBuilder(undated))

    def mark_taken(self, *, has_slot: bool) -> Paging:
        """Mark the slice as taken by a worker, and return this object."""
        self.is_taken, self.has_slot = True, has_slot
        return self

    @property
    def head(self) -> PageHead:
        """The head of the next page, without the members that come from the answer."""
        # A stored page counts only for the range and the token of its own request (ADR-0015).
        return PageHead(self.slice.range.end, None, self.slice.range.floor, asked=self.slice.token)

    @property
    def page_name(self) -> str:
        """The name of the next page."""
        return self._page_name(self.slice.pages)

    @property
    def pages_since_kept(self) -> int:
        """The number of pages that are not in a part yet."""
        return self.slice.pages - self.kept.pages

    def page_names(self) -> list[str]:
        """Return the names of the pages that are not in a part yet."""
        return [self._page_name(number) for number in range(self.kept.pages, self.slice.pages)]

    def add(self, found: SortedPage[LookedUpEvent], misplaced: Sequence[str]) -> list[str]:
        """Add a page's events to the parts that are being built; return the ids of misplaced ones among them."""
        self.builder.add(found.fresh)
        self.aside.add(found.aside)
        if not misplaced:
            return []
        # Only events that this page adds: one that AWS returns again was counted before.
        here = _ids_among(found.fresh, frozenset(misplaced))
        self.misplaced += len(here)
        return here

    def write_parts(self, window: Window, fetch: str, staging: Staging) -> SliceRecord:
        """Stage the parts that are being built, and return the slice's record, which includes them."""
        name = self._page_name(self.kept.pages)
        if self.builder.events:
            self.parts.append(staging.write_part(window, fetch, name, self.builder))
        if self.aside.events:
            self.asides.append(staging.write_part(window, fetch, f"{name}-aside", self.aside))
        # A finished builder takes no more events.
        self.builder, self.aside = PartBuilder(window.start), PartBuilder(window.start)
        return self._record()

    def _record(self) -> SliceRecord:
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
            parts=tuple(self.parts),
            asides=tuple(self.asides),
        )

    def _page_name(self, number: int) -> str:
        # The random number of the query keeps the pages of two attempts at one range apart (ADR-0015).
        return f"{self.slice.range.name}-{self.slice.query:08d}-{number:06d}"


def _ids_among(events: Iterable[LookedUpEvent], ids: frozenset[str]) -> list[str]:
    return [event.id for event in events if event.id in ids]
