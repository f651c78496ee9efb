"""The progress of a load, on one line of a terminal."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final, TextIO

_EVERY: Final = 0.2
"""Seconds between two updates."""

_WIDTH: Final = 24
_CLEAR: Final = "\r\x1b[K"


class LoadProgress:
    """Shows the bytes read, the acknowledged events and their rate; only if the stream is a terminal.

    :param total: the size of all files in bytes; None if it is unknown
    """

    def __init__(self, stream: TextIO, total: int | None) -> None:
        self._stream = stream
        self._total = total
        # In a file, the control characters would only be noise.
        self._is_shown = stream.isatty()
        self._began = time.monotonic()
        self._shown = 0.0

    def __enter__(self) -> LoadProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_shown:
            self._stream.write(_CLEAR)
            self._stream.flush()

    def show(self, events: int, read: int) -> None:
        """Show the figures so far, if the last update is old enough."""
        now = time.monotonic()
        if self._is_shown and now - self._shown >= _EVERY:
            self._shown = now
            self._stream.write(_CLEAR + self._format_line(events, read, now - self._began))
            self._stream.flush()

    def _format_line(self, events: int, read: int, seconds: float) -> str:
        rate = events / seconds if seconds else 0.0
        return f"{self._format_share(read)}, {events:,} events, {rate:,.0f} events/s"

    def _format_share(self, read: int) -> str:
        if not self._total:
            return _format_megabytes(read)
        share = min(read / self._total, 1.0)
        bar = "#" * round(share * _WIDTH)
        return f"[{bar:<{_WIDTH}}] {share:4.0%} of {_format_megabytes(self._total)}"


def _format_megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
