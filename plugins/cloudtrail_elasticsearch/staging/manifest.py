"""The records of a staged window: its manifest and its load."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import msgspec

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.encoding import typed
from cloudtrail_elasticsearch.core.figures import CallFigures, StagingFigures


@dataclass(frozen=True, slots=True)
class Part:
    """One staged object: compressed newline-delimited JSON."""

    key: str
    events: int
    bytes: int
    sha256: str
    first: datetime
    """The time of its oldest event."""
    last: datetime
    """The time of its newest event."""
    unpacked: int | None = None
    """The size of its lines, unpacked, in bytes; None in older manifests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(StagingFigures, CallFigures):
    """A window's parts with their checksums, and the figures of the fetch."""

    window: Window
    fetch: str
    """The id of the fetch that staged it; a repeated fetch, with force or for late events, has another id."""
    parts: tuple[Part, ...]
    attempts: int
    staged_at: datetime
    version: int = 2

    def encode(self) -> bytes:
        """Return its JSON, in which the window's values stand beside its own."""
        # The form of version 2, which manifests in existing buckets have.
        values = msgspec.to_builtins(self)
        return msgspec.json.encode(values.pop("window") | values)

    @classmethod
    def decode(cls, body: bytes) -> Manifest:
        """Read the JSON that `encode` wrote.

        :raises msgspec.MsgspecError: it is not a manifest
        """
        values = typed.decode(body, dict[str, Any])
        window = {each.name: values.pop(each.name) for each in fields(Window) if each.name in values}
        # Unknown members are ignored, so that a newer version's manifest can be read.
        return typed.convert(values | {"window": window}, cls)

    @property
    def staged(self) -> int:
        """The number of staged events: events looked up, minus duplicates."""
        return sum(part.events for part in self.parts)

    @property
    def fetches(self) -> tuple[str, ...]:
        """The ids of the fetches that wrote its parts, its own fetch first."""
        # A part's key has its fetch's id; a sweep for late events keeps the parts of earlier fetches.
        named = {part.key.partition("/fetch=")[2].partition("/")[0]: None for part in self.parts}
        return tuple({self.fetch: None, **named})

    @property
    def first(self) -> datetime | None:
        """The time of the oldest event; None if there are no events."""
        return min((part.first for part in self.parts), default=None)

    @property
    def last(self) -> datetime | None:
        """The time of the newest event; None if there are no events."""
        return max((part.last for part in self.parts), default=None)


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """Records that a window was loaded, and into which index; written when the server holds every document."""

    fingerprint: str
    loaded_at: datetime
    cell: dict[str, Any] | None = None
    """The verified cell of the load, as `VerifiedCell.to_dict` returns it; None in older records."""
