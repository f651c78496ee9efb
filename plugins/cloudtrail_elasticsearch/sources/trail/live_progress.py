"""The progress of live runs through the log files of one folder, and its form in a watermark (ADR-0025).

A log file's name has the minute of its delivery and a random suffix, and a file can appear after another one with
a later minute. So each run lists the last minutes again, and leaves out the log files that were already loaded.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import msgspec

from cloudtrail_elasticsearch.core.encoding import codec, typed
from cloudtrail_elasticsearch.sources.trail.layout import LogFileKey

MOST_MARKS: Final = 20_000
"""The most log files that a watermark names, in 210 KB. A busy region of a large account delivers hundreds within
the overlap."""

_MARK: Final = 8
"""Bytes of a log file's hash. With 20,000 marks, one new file in 10¹⁵ is taken for a loaded one."""

_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Damage:
    """A log file that a live run could not load as a whole."""

    key: str
    reason: str
    delivered: datetime


class _Position(msgspec.Struct, omit_defaults=True):
    """The text that a watermark keeps."""

    since: datetime
    marks: str = ""
    damage: Damage | None = None


_decode: Final = typed.make_decode(_Position)


@dataclass(frozen=True, slots=True)
class TrailProgress:
    """How far the log files of a folder were loaded."""

    until: datetime
    """All log files that a listing at this time returned are loaded."""
    since: datetime
    """The minute of delivery from which a listing begins: every loaded log file since then has a mark."""
    marks: frozenset[bytes] = frozenset()
    damage: Damage | None = None
    """The newest damaged log file."""

    @classmethod
    def from_position(cls, until: datetime, position: str, overlap: timedelta) -> TrailProgress:
        """Return the progress of a watermark; with a position of another version, some files are loaded again."""
        try:
            found = _decode(position)
            packed = b64decode(found.marks, validate=True)
        except (msgspec.MsgspecError, ValueError):
            return cls(until, until - overlap)
        marks = frozenset(packed[at : at + _MARK] for at in range(0, len(packed), _MARK))
        return cls(until, found.since, marks, found.damage)

    @property
    def position(self) -> str:
        """The text for the watermark; `from_position` reads it."""
        marks = b64encode(b"".join(sorted(self.marks))).decode()
        return codec.encode(msgspec.to_builtins(_Position(self.since, marks, self.damage))).decode()

    def is_loaded(self, file: LogFileKey) -> bool:
        """Return whether a run has loaded a log file."""
        return make_mark(file) in self.marks

    def move_up(self, oldest: datetime) -> TrailProgress:
        """Return the progress from a time on, if it is not that far: the daily runs load the time before it."""
        return self if self.until >= oldest else TrailProgress(oldest, oldest, damage=self.damage)


def make_mark(file: LogFileKey) -> bytes:
    """Return a short hash of a log file's key."""
    return hashlib.blake2b(file.key.encode(), digest_size=_MARK).digest()


@dataclass(slots=True)
class ListingProgress:
    """Moves the progress along one listing, in whose order the minutes of delivery ascend.

    :param known: the progress before the listing
    :param overlap: the time by which a log file can appear after another one of a later minute
    """

    known: TrailProgress
    overlap: timedelta
    damage: Damage | None = None
    """The newest damaged log file of the listing."""
    _passed: deque[tuple[datetime, bytes]] = field(default_factory=deque)
    """The minutes and the marks of the loaded files that the listing has passed."""
    _forgotten: datetime | None = None
    """The minute of the last file whose mark there was no room for."""

    def pass_file(self, file: LogFileKey) -> None:
        """Add the next file of the listing, which is loaded now."""
        self._passed.append((file.delivered, make_mark(file)))
        # Files before it are listed again only if they are within the overlap.
        while self._passed[0][0] < file.delivered - self.overlap - _MINUTE:
            self._passed.popleft()
        if len(self._passed) > MOST_MARKS:
            self._forgotten, _ = self._passed.popleft()

    def pause(self) -> TrailProgress:
        """Return the progress in the middle of the listing: all files up to the last one are loaded."""
        return self._make(self._passed[-1][0] if self._passed else self.known.until)

    def finish(self, listed_at: datetime) -> TrailProgress:
        """Return the progress at the end of the listing, which had all files up to a time."""
        return self._make(listed_at)

    def _make(self, until: datetime) -> TrailProgress:
        marks = frozenset(mark for _, mark in self._passed)
        damage = self.damage or self.known.damage
        if until <= self.known.until:
            # The marks of the files that the listing has not reached still count.
            return TrailProgress(self.known.until, self.known.since, marks | self.known.marks, damage)
        since = max(self.known.since, until - self.overlap)
        if self._forgotten is not None:
            # A file without a mark would be loaded in every run. The daily run finds those that are late now.
            since = max(since, self._forgotten + _MINUTE)
        since = since.replace(second=0, microsecond=0)
        kept = frozenset(mark for minute, mark in self._passed if minute >= since)
        return TrailProgress(until, since, kept, damage)
