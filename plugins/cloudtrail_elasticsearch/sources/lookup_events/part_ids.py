"""The ids of staged events, read from their parts: they show which events are already staged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from cloudtrail_elasticsearch.core.chunks import split_into_chunks
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent, staged_event
from cloudtrail_elasticsearch.sources.lookup_events.compact_ids import CompactId, compact_id
from cloudtrail_elasticsearch.sources.lookup_events.slices import Range
from cloudtrail_elasticsearch.staging import Part, Staging
from cloudtrail_elasticsearch.staging.parts import pack_events

# As many events as `PAGES_PER_PART` pages have.
EVENTS_PER_PART: Final = 5_000
# Bounds the memory of a fetch (ADR-0015).
PARTS_IN_MEMORY: Final = 8

Ids = dict[CompactId, datetime | None]
"""Times by id."""


class PartIds:
    """Reads the ids of parts, and caches those of the most recently used parts. Threads may share it."""

    def __init__(self, staging: Staging) -> None:
        # No thread waits for another one's S3 request; a part may be read twice.
        @lru_cache(PARTS_IN_MEMORY)
        def read(part: Part) -> Ids:
            """Return the ids of a part's events, with their times.

            :raises StagingError: the part is missing, truncated or altered
            """
            return {compact_id(event.id): event.time for event in map(staged_event, staging.lines(part))}

        self.read = read

    def find_in_range(self, parts: Iterable[Part], wanted: Range) -> set[CompactId]:
        """Return the ids of those events of the parts whose times are in a range."""
        near = (part for part in parts if part.first < wanted.until and part.last >= wanted.start)
        return {
            event_id
            for part in near
            for event_id, time in self.read(part).items()
            if time and wanted.contains(time)
        }


def find_missing(
    parts: Iterable[Part], staged: Sequence[Part], ids: PartIds, staging: Staging
) -> Iterator[LookedUpEvent]:
    """Yield the events of `parts` that no part in `staged` has, each once.

    A staged part can have an event only if the times of the two parts overlap, so only such parts are read.

    :raises StagingError: a part is missing, truncated or altered
    """
    yielded: set[CompactId] = set()
    for part in parts:
        found = {compact_id(event.id): event for event in map(staged_event, staging.lines(part))}
        for near in staged:
            if near.first <= part.last and near.last >= part.first:
                for event_id in found.keys() & ids.read(near).keys():
                    del found[event_id]
        # Several slices may have set the same event aside.
        fresh = {event_id: event for event_id, event in found.items() if event_id not in yielded}
        yielded |= fresh.keys()
        yield from fresh.values()


def stage_missing(
    events: Iterable[LookedUpEvent], window: Window, fetch: str, kind: str, staging: Staging
) -> Iterator[Part]:
    """Stage events as parts whose names begin with `kind`, and yield these parts."""
    for number, some in enumerate(split_into_chunks(events, EVENTS_PER_PART)):
        yield staging.write_part(window, fetch, f"{kind}-{number:06d}", pack_events(some, window.start))
