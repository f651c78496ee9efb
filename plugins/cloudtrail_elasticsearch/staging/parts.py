"""Parts and pages: compressed lines of events."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import msgspec
from isal import igzip, isal_zlib

from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent, staged_event
from cloudtrail_elasticsearch.core.encoding import typed

GZIP_LEVEL: Final = 2
"""Of isal's levels 0 to 3; takes an eighth of the time of zlib's level 5, for a fifth more bytes."""

RATIO: Final = 200
"""The most bytes that a packed byte may unpack to, if the unpacked size is not known."""

LARGEST_UNPACKED: Final = 2 * 1024**3
"""The most bytes of an unpacked part: 5,000 events of the largest size, 256 KiB, are fewer."""

# zlib's interface: 16 more than the window's bits selects the format of gzip.
_GZIP_FORMAT: Final = isal_zlib.MAX_WBITS + 16
_DAMAGED: Final[tuple[type[Exception], ...]] = (OSError, EOFError, isal_zlib.error)  # type: ignore[assignment]


class PartBuilder:
    """Packs lines into one part as they arrive, so that no part is held unpacked in memory.

    Equal lines make equal parts, because the gzip header has no time.

    :param undated: the time to use for events without a time
    """

    def __init__(self, undated: datetime | None = None) -> None:
        self._undated = undated
        self._packed: list[bytes] = []
        self.events = 0
        self.unpacked = 0
        """The size of the lines in bytes, line ends included."""
        self.first: datetime | None = None
        self.last: datetime | None = None

    def add(self, events: Iterable[LookedUpEvent]) -> None:
        """Add events to the part."""
        for event in events:
            self._packed.append(self._packer.compress(event.line + b"\n"))
            self.unpacked += len(event.line) + 1
            self.events += 1
            time = event.time or self._undated
            if time is not None:
                self.first = min(self.first or time, time)
                self.last = max(self.last or time, time)

    @cached_property
    def _packer(self) -> Any:
        """The compressor; made for the first event: it takes much memory, and finished slices keep a builder."""
        return isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_FORMAT)

    def finish(self) -> bytes:
        """Return the packed lines; no events can be added afterwards."""
        self._packed.append(self._packer.flush())
        return b"".join(self._packed)


@dataclass(frozen=True, slots=True)
class PageHead:
    """A page's query, and the token of its next page."""

    until: int
    """The end of the query's range, in epoch seconds."""
    token: str | None
    """The next page's token, of the same query; None for the last page."""
    since: int = 0
    """The start of the query's range, in epoch seconds."""
    misplaced: tuple[str, ...] = ()
    """Ids of events whose record names another account or region than the window's."""
    asked: str | None = None
    """The token that the page was asked for with; None for a query's first page."""

    def answers(self, query: PageHead) -> bool:
        """Return whether the page answers the same request; a page of another query may overlap or leave gaps."""
        return (self.since, self.until, self.asked) == (query.since, query.until, query.asked)


@dataclass(frozen=True, slots=True)
class StagedPage:
    """A LookupEvents answer, stored until its events are in a part (ADR-0008)."""

    head: PageHead
    events: tuple[LookedUpEvent, ...]

    def pack(self) -> bytes:
        """Return the page as the content of an object."""
        lines = [msgspec.json.encode(self.head), *(event.line for event in self.events)]
        # No time in the header: equal pages must be equal objects (ADR-0004).
        return igzip.compress(b"\n".join(lines), GZIP_LEVEL, mtime=0)

    @classmethod
    def unpack(cls, packed: bytes) -> StagedPage:
        """Return the page that `pack` wrote.

        :raises ValueError: the content is not such a page
        """
        try:
            head, *lines = unpack(packed, guess_unpacked(packed))
            events = tuple(map(staged_event, lines))
            return cls(typed.decode(head, PageHead), events)
        except msgspec.MsgspecError as error:
            raise ValueError("its first line does not describe a page") from error


def guess_unpacked(packed: bytes) -> int:
    """Return the largest plausible unpacked size of packed events, for objects without a recorded size.

    Real events unpack to seven times their packed size; a deflate bomb reaches a thousand times.
    """
    return len(packed) * RATIO + 1024 * 1024


def unpack(packed: bytes, most: int) -> list[bytes]:
    """Return the lines of packed events; unpacking stops after `most` bytes.

    :raises ValueError: the content is truncated or damaged, or unpacks to more than `most` bytes
    """
    most = min(max(most, 0), LARGEST_UNPACKED)
    unpacking: Any = isal_zlib.decompressobj(_GZIP_FORMAT)
    try:
        # One byte more than expected shows that there are more.
        content: bytes = unpacking.decompress(packed, most + 1)
    except _DAMAGED as error:
        raise ValueError(str(error)) from error
    if len(content) > most:
        raise ValueError(f"its {len(packed)} bytes unpack to more than the {most} expected")
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("it is cut short" if not unpacking.eof else "data follows its end")
    lines = content.split(b"\n")
    # A part ends with a line end, a page without one.
    if not lines[-1]:
        lines.pop()
    return lines


def digest(content: bytes) -> str:
    """Return a content's SHA-256, in hex."""
    return hashlib.sha256(content).hexdigest()
