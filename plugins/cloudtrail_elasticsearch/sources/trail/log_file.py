"""Reads one log file: unpacks it in bounded pieces, hashes its content, and splits it into lines of events.

The text of an event is not decoded and encoded again: `sources.files` cuts it out of ``{"Records":[…]}``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from isal import isal_zlib

from cloudtrail_elasticsearch.core.errors import FileError
from cloudtrail_elasticsearch.sources.files.reader import Reader
from cloudtrail_elasticsearch.sources.files.report import FileReport
from cloudtrail_elasticsearch.sources.files.unpack import PIECE, unpack_gzip

LARGEST_UNPACKED: Final = 4 * 1024**3
"""The most bytes of an unpacked log file that are read. CloudTrail's log files have megabytes at most, but a small
object can unpack to a thousand times its size."""

_GZIP: Final = b"\x1f\x8b"
_GZIP_FORMAT: Final = isal_zlib.MAX_WBITS + 16
_DAMAGED: Final[tuple[type[Exception], ...]] = (OSError, EOFError, isal_zlib.error)  # type: ignore[assignment]


class LogFileContent:
    """The content of a log file that is in memory packed.

    :param key: the object's key, for its report
    """

    def __init__(self, key: str, body: bytes) -> None:
        self._body = body
        self.report = FileReport(key)
        self.sha256: str | None = None
        """Of the whole unpacked content, in hexadecimal digits; None before all lines are read, and if the object
        is not exactly one gzip member."""

    def lines(self) -> Iterator[bytes]:
        """Yield a line for each event, and for each value that is not an event; the loader quarantines the latter.

        Text that is not JSON is reported, and the events around it are yielded.
        """
        yield from Reader(self.report).lines(self._unpack())

    def hash(self) -> None:
        """Compute the hash without reading events; damaged gzip data is reported."""
        try:
            for _ in self._unpack():
                pass
        except FileError as error:
            self.report.add_failure(str(error))

    @property
    def problem(self) -> str | None:
        """Why events of the file may be missing or damaged; None if all of its text was read as events."""
        report = self.report
        if report.error is not None:
            return report.error
        if report.skipped:
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(report.skipped.items()))
            return f"it holds objects that are not events, and they are not loaded: {kinds}"
        if report.unreadable:
            return f"{report.unreadable} of its values are not events: they are quarantined"
        return None

    def _unpack(self) -> Iterator[bytes]:
        total = 0
        for piece in self._unpack_members():
            total += len(piece)
            if total > LARGEST_UNPACKED:
                self.sha256 = None
                raise FileError(f"it unpacks to more than {LARGEST_UNPACKED} bytes")
            yield piece
        if not total:
            # CloudTrail writes an empty list if anything, so the content is lost.
            raise FileError("it is empty: restore the object from a backup or a replica")

    def _unpack_members(self) -> Iterator[bytes]:
        body = self._body
        if not body.startswith(_GZIP):
            # A log file that somebody has unpacked in place still has its events.
            yield body
            return
        sha256 = hashlib.sha256()
        member: Any = isal_zlib.decompressobj(_GZIP_FORMAT)
        rest = body
        try:
            while not member.eof:
                text = member.decompress(rest, PIECE)
                rest = member.unconsumed_tail
                sha256.update(text)
                if text:
                    yield text
                elif not rest and not member.eof:
                    raise FileError("its gzip data is cut short: restore the object from a backup or a replica")
        except _DAMAGED as error:
            raise FileError(
                f"its gzip data is damaged ({error}): restore the object from a backup or a replica"
            ) from error
        if member.unused_data:
            # No digest covers what follows the first member, but its events are loaded, too.
            yield from unpack_gzip([member.unused_data])
        else:
            self.sha256 = sha256.hexdigest()
