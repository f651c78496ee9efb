"""Parts: compressed lines of events."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from isal import igzip, isal_zlib

from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.staging.manifest import Part

GZIP_LEVEL: Final = 2
"""Of isal's levels 0 to 3; takes an eighth of the time of zlib's level 5, for a fifth more bytes."""

RATIO: Final = 200
"""The most bytes that a packed byte may unpack to, if the unpacked size is not known.

Real events unpack to seven times their packed size; a deflate bomb reaches a thousand times.
"""

LARGEST_UNPACKED: Final = 2 * 1024**3
"""The most bytes of an unpacked part: 5,000 events of the largest size, 256 KiB, are fewer."""

# zlib's interface: 16 more than the window's bits selects the format of gzip.
_GZIP_FORMAT: Final = isal_zlib.MAX_WBITS + 16
_DAMAGED: Final[tuple[type[Exception], ...]] = (OSError, isal_zlib.error)  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class PackedPart:
    """The content of a part, and the figures for its entry in the manifest."""

    body: bytes
    events: int
    unpacked: int
    """The size of the lines in bytes, line ends included."""
    first: datetime
    """The time of its oldest event."""
    last: datetime
    """The time of its newest event."""

    def lines(self) -> list[bytes]:
        """Return its lines."""
        return unpack(self.body, self.unpacked)


def pack_events(events: Sequence[LookedUpEvent], undated: datetime) -> PackedPart:
    """Return a part of events; equal lines make equal content, because the gzip header has no time.

    :param undated: the time to use for events without a time, because a part must have a first and a last time
    """
    lines = b"".join([event.line + b"\n" for event in events])
    times = [event.time or undated for event in events]
    return PackedPart(pack(lines), len(times), len(lines), min(times), max(times))


def describe_part(key: str, packed: PackedPart, sha256: str | None = None) -> Part:
    """Return the entry of a part in the manifest.

    :param sha256: the checksum of the content; None: it is computed
    """
    return Part(
        key=key,
        events=packed.events,
        bytes=len(packed.body),
        sha256=sha256 or digest(packed.body),
        first=packed.first,
        last=packed.last,
        unpacked=packed.unpacked,
    )


def join_parts(members: Sequence[PackedPart]) -> PackedPart:
    """Return one part with the lines of all members, which are not packed again.

    Concatenated gzip files are a gzip file: https://www.rfc-editor.org/rfc/rfc1952#section-2.2
    """
    return PackedPart(
        body=b"".join(member.body for member in members),
        events=sum(member.events for member in members),
        unpacked=sum(member.unpacked for member in members),
        first=min(member.first for member in members),
        last=max(member.last for member in members),
    )


def pack(content: bytes) -> bytes:
    """Return a content as a gzip member."""
    packed: bytes = isal_zlib.compress(content, GZIP_LEVEL, _GZIP_FORMAT)
    return packed


def unpack(packed: bytes, most: int | None) -> list[bytes]:
    """Return the lines of packed events; unpacking stops after `most` bytes.

    :param most: the recorded size; None if there is none
    :raises ValueError: the content is truncated or damaged, or unpacks to more than `most` bytes
    """
    if not packed:
        raise ValueError("it is cut short")
    plausible = len(packed) * RATIO + 1024 * 1024
    most = min(max(plausible if most is None else most, 0), LARGEST_UNPACKED)
    unpacking: Any = igzip.IGzipFile(fileobj=io.BytesIO(packed))  # type: ignore[no-untyped-call]
    try:
        # One byte more than expected shows that there are more.
        content: bytes = unpacking.read(most + 1)
    except EOFError as error:
        raise ValueError("it is cut short") from error
    except _DAMAGED as error:
        raise ValueError(str(error)) from error
    if len(content) > most:
        raise ValueError(f"its {len(packed)} bytes unpack to more than the {most} expected")
    lines = content.split(b"\n")
    # The last line has a line end, too.
    if not lines[-1]:
        lines.pop()
    return lines


def digest(content: bytes) -> str:
    """Return a content's SHA-256, in hex."""
    return hashlib.sha256(content).hexdigest()
