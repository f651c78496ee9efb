"""The records of a fetch, from which another attempt resumes.

The state store holds the counts of the fetch and four numbers for each slice, so that the value stays small for
any window (64 KiB is Airflow's limit). The parts and counts of each slice are in an object of their own in the
bucket.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import msgspec

from cloudtrail_elasticsearch.sources.lookup_events.slices import Range
from cloudtrail_elasticsearch.staging import Part


# `dict=True` gives `cached_property` a place to store its value.
class SliceRecord(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """The progress of a slice up to its last written part."""

    floor: int
    end: int
    query: int
    pages: int
    token: str | None
    looked_up: int
    duplicates: int
    misplaced: int
    parts: tuple[Part, ...]
    asides: tuple[Part, ...] = ()
    """Parts of events that belong to other slices, or have no time; the missing ones are staged at the end."""

    @property
    def range(self) -> Range:
        """The range of its query."""
        return Range(self.floor, self.end)

    @cached_property
    def mark(self) -> Mark:
        """Its entry in the state store."""
        # Only 32 bits of the checksum, because 1,000 slices must fit into 64 KiB of Airflow's state store
        # (ADR-0008).
        check = int.from_bytes(hashlib.sha256(msgspec.json.encode(self)).digest()[:4])
        return Mark(self.floor, self.end, self.pages, check)

    @property
    def is_empty(self) -> bool:
        """Whether the query returned no event of the window."""
        return not (self.looked_up or self.parts or self.asides)


# Encoded as a list without names, for the same limit of 64 KiB.
class Mark(msgspec.Struct, frozen=True, array_like=True):
    """A slice's entry in the state store; the slice's record is in the bucket."""

    floor: int
    end: int
    pages: int
    key: int
    """The first 32 bits of its record's SHA-256."""

    @property
    def range(self) -> Range:
        """The range of its query."""
        return Range(self.floor, self.end)

    @property
    def name(self) -> str:
        """The name of its record in the bucket."""
        return f"{self.range.name}-{self.pages:06d}-{self.key:08x}"


class FetchRecord(msgspec.Struct, frozen=True):
    """The value of a fetch in the state store."""

    id: str
    attempts: int
    calls: int
    throttled: int
    pool: tuple[tuple[int, int], ...]
    """Ranges without a written page."""
    open: tuple[Mark, ...]
    done: tuple[Mark, ...]
    retired: tuple[Mark, ...]
    """Abandoned queries; other slices cover their ranges again, and skip their events."""
    strays: tuple[int, ...] = ()
    more_strays: int = 0

    def to_builtins(self) -> Any:
        """Return the record as JSON values: Airflow's state store rejects tuples."""
        return json.loads(msgspec.json.encode(self))


def count_looked_up(records: Iterable[SliceRecord]) -> int:
    """Return the number of events that these slices have looked up."""
    return sum(record.looked_up for record in records)
