"""Reads files one after another; a file that cannot be read does not stop the others."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol

from cloudtrail_elasticsearch.core.errors import FileError
from cloudtrail_elasticsearch.core.loading.report import Outcomes
from cloudtrail_elasticsearch.sources.files.names import STANDARD_INPUT, find_files
from cloudtrail_elasticsearch.sources.files.reader import Reader
from cloudtrail_elasticsearch.sources.files.report import FileReport
from cloudtrail_elasticsearch.sources.files.unpack import PIECE


class _Reader(Protocol):
    def lines(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield a line for each event or document of a text."""


class Files:
    """Reads files; `reports` has one report for each file, up to the one that is being read."""

    def __init__(self, files: Iterable[str], reader: Callable[[FileReport], _Reader] = Reader) -> None:
        self._files = list(files)
        self._reader = reader
        self.reports: list[FileReport] = []
        self._first_lines: list[int] = []
        """For each file in `reports`, the number of lines of all files before it."""
        self.bytes = 0
        """The number of bytes read from all files."""

    def lines(self) -> Iterator[bytes]:
        """Yield a line for each event of all files; problems are in each file's report."""
        for name in self._files:
            report = FileReport(name)
            self._first_lines.append(self._first_lines[-1] + self.reports[-1].read if self.reports else 0)
            self.reports.append(report)
            yield from self._reader(report).lines(self._read_pieces(name))

    @property
    def are_sound(self) -> bool:
        """Whether every value of every file is an event or a known other kind."""
        return all(report.is_sound for report in self.reports)

    def add_outcomes(self, outcomes: Outcomes) -> None:
        """Add the outcomes of lines to the reports of their files."""
        self._add_indexed(outcomes.lines)
        for number in outcomes.duplicates | outcomes.quarantined | outcomes.left_out:
            # `_add_indexed` has counted every line of the batch.
            self.reports[self._find_file(number)].indexed -= 1
        for number in outcomes.duplicates:
            self.reports[self._find_file(number)].duplicates += 1
        for number in outcomes.quarantined:
            self.reports[self._find_file(number)].quarantined += 1
        for number in outcomes.left_out:
            self.reports[self._find_file(number)].left_out += 1

    def _add_indexed(self, lines: range) -> None:
        at = lines.start
        while at < lines.stop:
            file = self._find_file(at)
            # A batch can have lines of several files.
            end = min([lines.stop, *self._first_lines[file + 1 : file + 2]])
            self.reports[file].indexed += end - at
            at = end

    def _find_file(self, line: int) -> int:
        """Return the index of a line's file; a file without lines has the same first line as the next file."""
        return bisect_right(self._first_lines, line) - 1

    def as_json(self) -> dict[str, Any]:
        """Return the totals and each file's report, as the command line prints them."""
        skipped: Counter[str] = Counter()
        shapes: Counter[str] = Counter()
        for report in self.reports:
            skipped.update(report.skipped)
            shapes.update(report.shapes)
        return {
            "unreadable": sum(report.unreadable for report in self.reports),
            "skipped": dict(skipped),
            "shapes": dict(shapes),
            "files": [report.as_json() for report in self.reports],
        }

    def _read_pieces(self, name: str) -> Iterator[bytes]:
        try:
            if name == STANDARD_INPUT:
                yield from self._read_stream(sys.stdin.buffer)
                return
            # Opened only when the loader asks for its lines, so at most one file is open.
            with Path(name).open("rb") as stream:
                yield from self._read_stream(stream)
        except OSError as error:
            raise FileError(f"it cannot be read: {error.strerror or error}") from error

    def _read_stream(self, stream: IO[bytes]) -> Iterator[bytes]:
        read = getattr(stream, "read1", stream.read)  # read1 does not wait for a full piece
        while piece := read(PIECE):
            self.bytes += len(piece)
            yield piece


def read_lines(names: Iterable[str]) -> Iterator[bytes]:
    """Yield a line for each event of the files of these names (see `find_files`).

    :raises FileError: a name matches no file, or something could not be read; all events are yielded before
    """
    files = Files(find_files(names))
    yield from files.lines()
    for report in files.reports:
        if report.error:
            raise FileError(f"{report.file}: {report.error}.")
