"""The part of a text that is in memory while the text is read piece by piece."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from cloudtrail_elasticsearch.core.errors import FileError

_BLANK: Final = re.compile(rb"[ \t\r\n\x1e]*+(?:\xef\xbb\xbf[ \t\r\n\x1e]*+)*+")
"""Text allowed between values: blanks, RFC 7464's separator, and byte order marks of joined files."""

_OVERLAP: Final = 32
"""Bytes to search again with the next piece, because the end of a piece may cut a match."""


class Held:
    """Collects the bytes of one value, up to a limit; beyond it all are dropped."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._parts: list[bytes] = []
        self._bytes = 0

    @property
    def is_too_long(self) -> bool:
        """Whether the value is longer than the limit."""
        return self._bytes > self._longest

    def add(self, part: bytes) -> None:
        """Add bytes of the value."""
        self._bytes += len(part)
        if self.is_too_long:
            self._parts.clear()
        else:
            self._parts.append(part)

    def take(self) -> bytes:
        """Return the collected bytes, and start again without any."""
        kept = b"".join(self._parts)
        self._parts.clear()
        return kept


class Feed:
    """A text that is read in pieces: `text` is the part in memory, `at` the position of its next unread byte."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._passed = 0
        self.text = b""
        self.at = 0
        self.failure: FileError | None = None
        """The error that ended the reading; None if the text ended normally."""

    @property
    def offset(self) -> int:
        """The number of bytes read so far."""
        return self._passed + self.at

    @property
    def is_used_up(self) -> bool:
        """Whether everything in memory was read."""
        return self.at >= len(self.text)

    def read_next(self) -> bool:
        """Add the next piece; return False if there is none."""
        try:
            piece = next(self._pieces, None)
        except FileError as error:
            # Kept until the text before the fault is read.
            self.failure = error
            piece = None
        if piece is None:
            self._pieces = iter(())
            return False
        self._passed += self.at
        # Without the part that was read, so that memory does not grow with the text.
        self.text = self.text[self.at :] + piece
        self.at = 0
        return True

    def put_back(self, before: bytes) -> None:
        """Put back bytes, so that they are read again before the rest."""
        self.text = before + self.text[self.at :]
        self._passed = self.offset - len(before)
        self.at = 0

    def take(self, end: int) -> bytes:
        """Return the text up to a position, and move there."""
        taken = self.text[self.at : end]
        self.at = end
        return taken

    def skip_blanks(self) -> bool:
        """Move to the next byte that is not blank; return False if there is none."""
        while True:
            blank = _BLANK.match(self.text, self.at)
            self.at = blank.end() if blank else self.at
            rest = len(self.text) - self.at
            # The end of a piece may have cut a byte order mark, which begins with 0xEF.
            if rest and not (rest < 3 and self.text[self.at] == 0xEF):
                return True
            if not self.read_next():
                return bool(rest)

    def take_until(self, pattern: re.Pattern[bytes], held: Held) -> None:
        """Move at least one byte on, to the next match of a pattern or to the end; collect the skipped bytes."""
        # One byte on at least, or the same broken text would be found without end.
        begin = self.at + 1
        while True:
            found = pattern.search(self.text, begin)
            if found is not None:
                held.add(self.take(found.start()))
                return
            cut = max(self.at, len(self.text) - _OVERLAP)
            held.add(self.take(cut))
            begin = max(begin - cut, 0)
            if not self.read_next():
                held.add(self.take(len(self.text)))
                return
