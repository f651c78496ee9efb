"""Sorts any number of ids in bounded memory: sorted runs on disk, merged when they are read."""

from __future__ import annotations

import heapq
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

IDS_IN_MEMORY: Final = 200_000
"""The most ids in memory: about 20 MB."""

MOST_RUNS: Final = 64
"""The most files that are open at a time."""


class SortedIds:
    """Ids, each with a mark; a context manager that deletes its files on exit.

    :param in_memory: the most ids in memory
    """

    def __init__(self, in_memory: int = IDS_IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._new: list[str] = []
        self._runs: list[Path] = []
        self._made = 0
        self._folder = Path(tempfile.mkdtemp(prefix="cloudtrail-ids-"))

    def __enter__(self) -> SortedIds:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, identifier: str, mark: bool) -> None:
        """Add an id, which has no blanks; an id may be added again, with the same mark or the other one."""
        self._new.append(f"{identifier} {mark:d}\n")
        if len(self._new) >= self._in_memory:
            self._write_run()

    def read(self) -> Iterator[tuple[str, bool]]:
        """Yield each id once, in order, and whether it was added with the mark at least once."""
        self._write_run()
        while len(self._runs) > MOST_RUNS:
            some, self._runs = self._runs[:MOST_RUNS], self._runs[MOST_RUNS:]
            self._runs.append(self._write(_merge(some)))
            for path in some:
                path.unlink()
        pairs = (line.split() for line in _merge(self._runs))
        for identifier, same in groupby(pairs, key=itemgetter(0)):
            yield identifier, any(mark == "1" for _, mark in same)

    def _write_run(self) -> None:
        if self._new:
            self._runs.append(self._write(sorted(set(self._new))))
            self._new = []

    def _write(self, lines: Iterable[str]) -> Path:
        self._made += 1
        path = self._folder / str(self._made)
        with path.open("w", encoding="ascii") as file:
            file.writelines(lines)
        return path


def _merge(runs: Iterable[Path]) -> Iterator[str]:
    """Yield the lines of sorted files, in order, each of a file's lines once."""
    files = [path.open(encoding="ascii") for path in runs]
    try:
        yield from (line for line, _ in groupby(heapq.merge(*files)))
    finally:
        for file in files:
            file.close()
