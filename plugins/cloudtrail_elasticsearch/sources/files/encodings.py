"""Converts text in any Unicode encoding to UTF-8."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Final

from cloudtrail_elasticsearch.core.errors import FileError

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""UTF-32 first, because its little-endian mark begins with UTF-16's."""

_UNMARKED: Final = (
    (re.compile(rb"[^\0]\0\0\0"), "utf-32-le"),
    (re.compile(rb"\0\0\0[^\0]"), "utf-32-be"),
    (re.compile(rb"[^\0]\0(?:[^\0]|$)"), "utf-16-le"),
    (re.compile(rb"\0[^\0](?:\0|$)"), "utf-16-be"),
)
"""JSON begins with ASCII, so its zeros show the encoding: https://www.rfc-editor.org/rfc/rfc4627#section-3"""

# Without the escape of terminal colours (0x1B) and RFC 7464's separator (0x1E).
_NO_TEXT: Final = re.compile(rb"[\0-\x08\x0e-\x1a\x1c\x1d\x1f]")

_JSON: Final = (b"{", b"[", b'"')
"""A text that begins like JSON is read even if it has control characters: one damaged value costs no other."""


def to_utf8(head: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the text as UTF-8, without a byte order mark; `head` is the beginning of the text.

    :raises FileError: the bytes are not text
    """
    encoding, mark = _detect_encoding(head)
    pieces = _remove_mark(mark, pieces)
    if encoding != "utf-8":
        yield from _decode(encoding, pieces)
        return
    if _NO_TEXT.search(head) and not head.lstrip().startswith(_JSON):
        raise FileError("it is not text: CloudTrail's files are JSON, gzipped or not")
    yield from pieces


def _detect_encoding(head: bytes) -> tuple[str, bytes]:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, mark
    for pattern, name in _UNMARKED:
        if pattern.match(head):
            return name, b""
    return "utf-8", b""


def _remove_mark(mark: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces without the mark, which is in the first piece, because the head was read from it."""
    remaining = iter(pieces)
    for first in remaining:
        yield first[len(mark) :]
        break
    yield from remaining


def _decode(encoding: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    # Incremental, because a piece can end inside a character.
    decoder = codecs.getincrementaldecoder(encoding)()
    done = 0
    try:
        for piece in pieces:
            yield decoder.decode(piece).encode()
            done += len(piece)
        yield decoder.decode(b"", final=True).encode()
    except UnicodeDecodeError as error:
        # The text before the fault can hold events.
        yield error.object[: error.start].decode(encoding).encode()
        name = encoding.upper().removesuffix("-LE").removesuffix("-BE")
        raise FileError(f"it is not valid {name} after byte {done + error.start}: fetch the file again") from error
