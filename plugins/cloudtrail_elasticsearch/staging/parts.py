"""Parts and pages: lines of events, packed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import msgspec
from isal import igzip, isal_zlib

from cloudtrail_elasticsearch.core.events import LookedUpEvent, staged_event

GZIP_LEVEL: Final = 2
"""Of isal's four: an eighth of zlib's time at its level 5, for a fifth more bytes."""

_GZIP_FORMAT: Final = isal_zlib.MAX_WBITS + 16
_DAMAGED: Final[tuple[type[Exception], ...]] = (OSError, EOFError, isal_zlib.error)  # type: ignore[assignment]


class PartBuilder:
    """Packs lines into one part as they come, so that a part is never held unpacked.

    Equal lines make equal parts: gzip's header has no time in it.
    """

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        self.events = 0
        self.first: datetime | None = None
        self.last: datetime | None = None

    def add(self, events: Iterable[LookedUpEvent]) -> None:
        """Add events, newest first."""
        for event in events:
            self._packed.append(self._packer.compress(event.line + b"\n"))
            self.events += 1
            self.first = min(self.first or event.time, event.time)
            self.last = max(self.last or event.time, event.time)

    @cached_property
    def _packer(self) -> Any:
        """Made for the first event, as it holds a lot, and a builder is left to every slice that is done."""
        return isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_FORMAT)

    def finish(self) -> bytes:
        """Return the packed lines; nothing can be added any more."""
        self._packed.append(self._packer.flush())
        return b"".join(self._packed)


@dataclass(frozen=True, slots=True)
class PageHead:
    """What goes with a page's events: where the next one is asked for."""

    until: int
    """The end of what its query asked for, in epoch seconds."""
    token: str | None
    """The next page's, of the same query; None for the last page."""


@dataclass(frozen=True, slots=True)
class StagedPage:
    """A LookupEvents answer as it is kept until it is part of a part."""

    head: PageHead
    events: tuple[LookedUpEvent, ...]

    def pack(self) -> bytes:
        """Return it as one object's content."""
        lines = [msgspec.json.encode(self.head), *(event.line for event in self.events)]
        return igzip.compress(b"\n".join(lines), GZIP_LEVEL, mtime=0)

    @classmethod
    def unpack(cls, packed: bytes) -> StagedPage:
        """Read what `pack` wrote.

        :raises ValueError: it is not that
        """
        try:
            head, *lines = unpack(packed)
            events = tuple(map(staged_event, lines))
            return cls(msgspec.json.decode(head, type=PageHead), events)
        except msgspec.MsgspecError as error:
            raise ValueError(str(error)) from error


def unpack(packed: bytes) -> list[bytes]:
    """Return the lines of what was packed.

    :raises ValueError: it is cut short or damaged
    """
    try:
        lines: list[bytes] = igzip.decompress(packed).split(b"\n")  # type: ignore[no-untyped-call]
    except _DAMAGED as error:
        raise ValueError(str(error)) from error
    if not lines[-1]:
        lines.pop()
    return lines


def digest(content: bytes) -> str:
    """Return a content's SHA-256, in hex."""
    return hashlib.sha256(content).hexdigest()
