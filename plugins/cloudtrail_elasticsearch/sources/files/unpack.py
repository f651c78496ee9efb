"""Turns a file's bytes into UTF-8 text, in pieces; compression and encoding are detected from the content.

No function holds more than a few pieces, so a small file that unpacks to a huge one needs little memory.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Final

from isal import isal_zlib

from cloudtrail_elasticsearch.core.errors import FileError
from cloudtrail_elasticsearch.sources.files.encodings import to_utf8

PIECE: Final = 256 * 1024
"""The most bytes that are read or unpacked at once."""

MOST_LAYERS: Final = 4
"""The most layers of compression; a file with more is rejected."""

_HEAD: Final = 512
"""Bytes that are enough to detect a format; tar's mark is at byte 257."""

_GZIP: Final = b"\x1f\x8b"
_UNPACKERS: Final[dict[bytes, tuple[str, Callable[[], Any]]]] = {
    _GZIP: ("gzip", lambda: isal_zlib.decompressobj(isal_zlib.MAX_WBITS + 16)),
    b"BZh": ("bzip2", bz2.BZ2Decompressor),
    b"\xfd7zXZ\x00": ("xz", lzma.LZMADecompressor),
}
_NOT_SUPPORTED: Final = {
    b"PK\x03\x04": "a ZIP archive: unpack it first",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\x28\xb5\x2f\xfd": "packed with zstd: unpack it with zstd -dc, to a file or to standard input",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"\x04\x22\x4d\x18": "packed with lz4: unpack it with lz4 -dc, to a file or to standard input",
    b"PAR1": "a Parquet file, which CloudTrail never writes: load the files that the trail delivered",
    b"ORC": "an ORC file, which CloudTrail never writes: load the files that the trail delivered",
    b"Obj\x01": "an Avro file, which CloudTrail never writes: load the files that the trail delivered",
    b"%PDF": "a PDF document",
}
_DAMAGED: Final[tuple[type[Exception], ...]] = (OSError, EOFError, lzma.LZMAError, isal_zlib.error)  # type: ignore[assignment]


def unpack(pieces: Iterable[bytes], layers: int = MOST_LAYERS) -> Iterator[bytes]:
    """Yield the UTF-8 text of a file's bytes, with all layers unpacked and without a byte order mark.

    Text before a fault is yielded before the error is raised.

    :raises FileError: it is cut short, damaged, not text, or in a format that is not supported
    """
    head, pieces = peek(pieces)
    for magic, (name, unpacker) in _UNPACKERS.items():
        if head.startswith(magic):
            # A crafted file could be packed any number of times.
            if not layers:
                raise FileError(f"it has more than {MOST_LAYERS} layers of compression: unpack it first")
            # Each layer unpacks the next piece only when the layer above asks for it.
            yield from unpack(_unpack_members(pieces, name, magic, unpacker), layers - 1)
            return
    _check_supported(head)
    yield from to_utf8(head, pieces)


def unpack_gzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the unpacked members of gzip data, one after another.

    :raises FileError: it is cut short or damaged, or other data follows it
    """
    name, unpacker = _UNPACKERS[_GZIP]
    yield from _unpack_members(pieces, name, _GZIP, unpacker)


def peek(pieces: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes, and an iterator over all pieces, these bytes included."""
    remaining = iter(pieces)
    taken = b""
    while len(taken) < _HEAD:
        try:
            piece = next(remaining, None)
        except FileError as error:
            if not taken:
                raise
            # The bytes before the fault can have events.
            return taken[:_HEAD], _raise_after(taken, error)
        if piece is None:
            break
        taken += piece
    return taken[:_HEAD], chain([taken] if taken else [], remaining)


def _raise_after(taken: bytes, error: FileError) -> Iterator[bytes]:
    yield taken
    raise error


def _check_supported(head: bytes) -> None:
    for magic, problem in _NOT_SUPPORTED.items():
        if head.startswith(magic):
            raise FileError(f"it is {problem}")
    if head[257:262] == b"ustar":
        raise FileError("it is a tar archive: unpack it first")


def _unpack_members(
    pieces: Iterable[bytes], name: str, magic: bytes, unpacker: Callable[[], Any]
) -> Iterator[bytes]:
    """Yield the unpacked members of a file, one after another."""
    remaining = iter(pieces)
    rest = b""
    while True:
        rest = _find_member(rest, remaining, magic)
        if not rest:
            return
        if not rest.startswith(magic):
            raise FileError(f"data that is not {name} follows the {name} data: remove it")
        member = unpacker()
        try:
            yield from _unpack_member(member, rest, remaining)
        except _DAMAGED as error:
            raise FileError(f"its {name} data is damaged ({error}): fetch the file again") from error
        if not member.eof:
            raise FileError(f"its {name} data is cut short: fetch the file again")
        # Another member may follow: joined gzip files are a gzip file.
        rest = member.unused_data


def _find_member(rest: bytes, remaining: Iterator[bytes], magic: bytes) -> bytes:
    """Return the beginning of the next member; zeros between members are skipped (gzip(1) accepts them)."""
    rest = rest.lstrip(b"\0")
    while len(rest) < len(magic):
        piece = next(remaining, None)
        if piece is None:
            break
        rest = (rest + piece).lstrip(b"\0")
    return rest


def _unpack_member(member: Any, rest: bytes, remaining: Iterator[bytes]) -> Iterator[bytes]:
    """Yield one unpacked member, in pieces of bounded size."""
    while True:
        text = member.decompress(rest, PIECE)
        if text:
            yield text
        if member.eof:
            return
        # zlib returns the input that it has not used; bz2 and lzma keep it themselves.
        rest = getattr(member, "unconsumed_tail", b"")
        # The decompressor may have more output for the input that it has.
        if rest or not getattr(member, "needs_input", True) or (text and len(text) == PIECE):
            continue
        piece = next(remaining, None)
        if piece is None:
            return
        rest = piece
