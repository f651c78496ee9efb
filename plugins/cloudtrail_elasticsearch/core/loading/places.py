"""Places: the id and the day of an event's document, by which the server is asked for it.

`RecordedPlaces` keeps the places of a whole window in a temporary file while the window is loaded. So the
verification on the server does not read the window a second time, and repeated events are counted exactly. Memory
does not grow with the window: the file is divided by id, and only one division is in memory at a time (ADR-0018).
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from cloudtrail_elasticsearch.core.documents.event_filter import EventFilter
from cloudtrail_elasticsearch.core.documents.events import line_place
from cloudtrail_elasticsearch.core.documents.own_events import is_own_line
from cloudtrail_elasticsearch.core.documents.times import parse_time

_DIVISIONS: Final = 256
"""A window of ten million events has 40,000 in each, which take 4 MB of memory."""

_BLOCK: Final = 16 * 1024
"""Bytes of a division that are collected before they are written, so that the file is read in few pieces."""

_DAY: Final = len("2026-11-20")

_UNDATED: Final = "-"
_OWN: Final = "o"
_NONE: Final = " "
_FIRST_RULE: Final = 0x100
"""The character of the first rule in an entry; each further rule has the next one."""


class Place(NamedTuple):
    """The place of an event's document."""

    id: str
    day: str | None
    """The event's day in UTC (``2026-11-20``), from which its index follows; None without a time."""
    is_own: bool
    """Whether the event records one of the loader's own calls."""
    time: str | None = None
    """The event's time in UTC, to the second (``2026-11-20T01:02:03Z``);
    None without one, and for a place that is read back."""
    rule: str | None = None
    """The name of the rule that leaves the event out of the index; None if no rule does."""


def locate_line(line: bytes) -> Place:
    """Return the place of a line's document, or of its quarantine entry if the line holds no event."""
    identifier, time = line_place(line)
    return Place(identifier, time and time[:_DAY], is_own_line(line), time)


def make_locate(event_filter: EventFilter) -> Callable[[bytes], Place]:
    """Return a function like `locate_line`, whose places name the rule that leaves the event out."""
    if event_filter.is_empty:
        return locate_line

    def locate(line: bytes) -> Place:
        place, rule = locate_line(line), event_filter.find_rule(line)
        return place if rule is None else place._replace(rule=rule)

    return locate


class RecordedPlaces:
    """The places of a window's events, in a temporary file that vanishes with the process."""

    def __init__(self) -> None:
        # Without a name, so that nothing is left behind after a kill.
        self._file = tempfile.TemporaryFile(prefix="places-")  # noqa: SIM115 - closed by `close`
        self._end = 0
        self._waiting = [bytearray() for _ in range(_DIVISIONS)]
        self._blocks: list[list[tuple[int, int]]] = [[] for _ in range(_DIVISIONS)]
        """For each division, the offsets and the lengths of its blocks in the file."""
        self.recorded = 0
        self._rules: dict[str, str] = {}
        """The character of each rule in entries."""
        self._first: str | None = None
        self._last: str | None = None

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    @property
    def first(self) -> datetime | None:
        """The time of the oldest event so far; None if none has a time."""
        return parse_time(self._first)

    @property
    def last(self) -> datetime | None:
        """The time of the newest event so far; None if none has a time."""
        return parse_time(self._last)

    def add(self, place: Place) -> None:
        """Record the place of an event."""
        time = place.time
        if time is not None:
            if self._first is None or time < self._first:
                self._first = time
            if self._last is None or time > self._last:
                self._last = time
        rule = _NONE
        if place.rule is not None:
            rule = self._rules.setdefault(place.rule, chr(_FIRST_RULE + len(self._rules)))
        # An id and a day have no line ends, so that entries can be split again.
        waiting = self._waiting[division := zlib.crc32(place.id.encode()) % _DIVISIONS]
        waiting += f"{place.day or _UNDATED}{_OWN if place.is_own else _NONE}{rule}{place.id}\n".encode()
        self.recorded += 1
        if len(waiting) >= _BLOCK:
            self._write(division)

    def read_distinct(self, index_of: Callable[[str | None], str]) -> Iterator[Place]:
        """Yield one place of each document: events with the same id and index have one document.

        :param index_of: returns the index of a day's events
        """
        rules = {character: name for name, character in self._rules.items()}
        for division in range(_DIVISIONS):
            distinct: dict[tuple[str, str], Place] = {}
            for entry in self._read_division(division):
                place = _decode(entry, rules)
                key = index_of(place.day), place.id
                # If copies of an event differ, one may be left out and another one indexed.
                if place.rule is None or key not in distinct:
                    distinct[key] = place
            yield from distinct.values()

    def _read_division(self, division: int) -> Iterator[bytes]:
        # Equal entries are dropped before they are decoded.
        entries = set(bytes(self._waiting[division]).splitlines())
        for offset, length in self._blocks[division]:
            self._file.seek(offset)
            entries.update(self._file.read(length).splitlines())
        return iter(entries)

    def _write(self, division: int) -> None:
        waiting = self._waiting[division]
        self._file.seek(self._end)
        self._file.write(waiting)
        self._blocks[division].append((self._end, len(waiting)))
        self._end += len(waiting)
        waiting.clear()


def _decode(entry: bytes, rules: Mapping[str, str]) -> Place:
    text = entry.decode()
    at = len(_UNDATED) if text.startswith(_UNDATED) else _DAY
    day = None if at == len(_UNDATED) else text[:at]
    return Place(text[at + 2 :], day, text[at] == _OWN, None, rules.get(text[at + 1]))
