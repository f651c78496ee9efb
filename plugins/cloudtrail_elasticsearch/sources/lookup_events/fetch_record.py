"""The records of a fetch, from which another attempt resumes (ADR-0008).

The state store holds the id of the fetch and the key of its newest checkpoint, so the value is small for any
window (64 KiB is Airflow's limit). The checkpoint is an object in the bucket, and holds the record of the fetch.
"""

from __future__ import annotations

import msgspec

from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.sources.lookup_events.slices import Range
from cloudtrail_elasticsearch.staging import Part
from cloudtrail_elasticsearch.staging.parts import PackedPart, digest


class Member(msgspec.Struct, frozen=True):
    """Events of a growing part: a gzip member within a checkpoint."""

    start: int
    """Its first byte in the checkpoint."""
    part: Part
    """Its figures; the key is that of the checkpoint."""

    def cut(self, checkpoint: bytes) -> PackedPart:
        """Return the content of the member.

        :raises StagingError: the checkpoint is cut short or altered
        """
        part = self.part
        body = checkpoint[self.start : self.start + part.bytes]
        _check(body, part.sha256, part.key)
        return PackedPart(body, part.events, part.unpacked or 0, part.first, part.last)


class SliceRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """The progress of a slice."""

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
    pages_in_parts: int = 0
    members: tuple[Member, ...] = ()
    """The events of the later pages; empty if the query has ended."""
    aside_members: tuple[Member, ...] = ()

    @property
    def range(self) -> Range:
        """The range of its query."""
        return Range(self.floor, self.end)


class FetchRecord(msgspec.Struct, frozen=True):
    """The progress of a fetch."""

    calls: int
    throttled: int
    pool: tuple[Range, ...]
    """Ranges without a page."""
    open: tuple[SliceRecord, ...]
    done: tuple[SliceRecord, ...]
    retired: tuple[SliceRecord, ...]
    """Abandoned queries; other slices cover their ranges again, and skip their events."""
    strays: tuple[int, ...] = ()
    more_strays: int = 0


class Saved(msgspec.Struct, frozen=True):
    """The value of a fetch in the state store."""

    id: str
    attempts: int
    checkpoint: str = ""
    """The key of the newest checkpoint; empty before the first one."""
    start: int = 0
    """The first byte of the record in the checkpoint."""
    sha256: str = ""
    """The checksum of the record."""

    def cut(self, checkpoint: bytes) -> bytes:
        """Return the packed record.

        :raises StagingError: the checkpoint is cut short or altered
        """
        _check(checkpoint[self.start :], self.sha256, self.checkpoint)
        return checkpoint[self.start :]


def _check(content: bytes, sha256: str, key: str) -> None:
    if digest(content) != sha256:
        raise StagingError(f"The checkpoint {key} was cut short or altered (a checksum differs).")
