"""Serve recorded events from files: newline-delimited JSON, plain or gzip, one record per line."""

from __future__ import annotations

import bisect
import gzip
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from devstack.simulator.store import NEWEST, Entry, Position, Record, Span
from devstack.simulator.values import iso_time

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAMESPACE: Final = uuid.UUID("6f6c1a3e-5a0c-4a9e-9c1d-1d9f5f0b8a77")


@dataclass(frozen=True, slots=True)
class Recorded:
    """The settings for recorded files.

    With `days`, the events are spread over these days in turn and keep their time of day. Events of a region that
    the simulator does not offer are served in `stray_region`. If that is None, they are served in the region of
    their awsRegion. The record keeps its awsRegion in any case.
    """

    files: tuple[Path, ...] = ()
    days: tuple[date, ...] = ()
    stray_region: str | None = None


class RecordedEvents:
    """An event store of recorded events: those of `account`, kept in memory.

    A record is changed in two ways only. A missing eventTime is added, and that of an event on another day is
    replaced. An eventID that is not a UUID, or that an earlier record has (anonymised records share one), is
    replaced too.

    :raises ValueError: a line is not a JSON object
    :raises OSError: a file cannot be read
    """

    def __init__(self, recorded: Recorded, account: str, offered: Iterable[str]) -> None:
        self._account = account
        self._entries: dict[str, list[Entry]] = {}
        known = frozenset(offered)
        taken: set[str] = set()
        for number, fields in enumerate(_records(recorded.files)):
            _give_id(fields, number, taken)
            time = _give_time(fields, number, recorded.days)
            region = str(fields.get("awsRegion"))
            if recorded.stray_region and region not in known:
                region = recorded.stray_region
            self._entries.setdefault(region, []).append(_entry(time, fields))
        for entries in self._entries.values():
            entries.sort(key=lambda entry: entry.position)

    def regions(self) -> frozenset[str]:
        """Return the regions with events."""
        return frozenset(self._entries)

    def count(self, span: Span) -> int:
        """Return how many events happened in a span."""
        return len(self._indices(span, NEWEST))

    def newest_first(self, span: Span, before: Position = NEWEST) -> Iterator[Entry]:
        """Yield the events of a span before a position, from the latest to the earliest."""
        entries = self._entries.get(span.region, [])
        return (entries[index] for index in reversed(self._indices(span, before)))

    def _indices(self, span: Span, before: Position) -> range:
        if span.account != self._account:
            return range(0)
        entries = self._entries.get(span.region, [])
        end = min(before, (span.end + 1, ""))
        first = bisect.bisect_left(entries, (span.start, ""), key=lambda entry: entry.position)
        return range(first, max(first, bisect.bisect_left(entries, end, key=lambda entry: entry.position)))


def _records(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        data = file.read_bytes()
        lines = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).splitlines()
        for number, line in enumerate(lines, start=1):
            yield _object(line, f"{file}, line {number}")


def _object(line: bytes, place: str) -> dict[str, Any]:
    # The standard library's reader keeps whole numbers of any size.
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{place}: not JSON: {error}") from error
    if not line.lstrip().startswith(b"{"):
        raise ValueError(f"{place}: not a JSON object")
    return dict(fields)


def _give_id(fields: dict[str, Any], number: int, taken: set[str]) -> None:
    event_id = fields.get("eventID")
    if not _is_uuid(event_id) or event_id in taken:
        fields["eventID"] = str(uuid.uuid5(_NAMESPACE, f"{number}/{event_id}"))
    taken.add(fields["eventID"])


def _is_uuid(value: Any) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def _give_time(fields: dict[str, Any], number: int, days: Sequence[date]) -> int:
    """Return the time of a record in epoch seconds, and write it into the record if it differs."""
    own = _time(fields.get("eventTime"))
    time = own or _time(fields.get("@timestamp")) or datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    if days:
        time = datetime.combine(days[number % len(days)], time.timetz())
    seconds = int(time.timestamp())
    if time != own:
        fields["eventTime"] = iso_time(seconds)
    return seconds


def _time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None
    return time.astimezone(UTC).replace(microsecond=0) if time.tzinfo else None


def _entry(time: int, fields: dict[str, Any]) -> Entry:
    record = Record(fields, json.dumps(fields, separators=(",", ":")))
    return Entry(time, fields["eventID"], lambda: record)
