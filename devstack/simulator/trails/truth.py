"""The files and events that a writer wrote; tests compare a loader's result with them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from devstack.simulator.trails.trail import Kind


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A log file in the bucket; the hash is that of its uncompressed content, the size that of the object."""

    account: str
    region: str
    kind: Kind
    key: str
    delivered: int
    is_late: bool
    is_listed: bool
    size: int
    sha256: str
    event_ids: tuple[str, ...]

    @property
    def day(self) -> date:
        """The day of its folder."""
        return datetime.fromtimestamp(self.delivered, UTC).date()


@dataclass(frozen=True, slots=True)
class WrittenDigest:
    """A digest in the bucket, and the keys of the log files that it lists."""

    account: str
    region: str
    key: str
    start: int
    end: int
    is_backfill: bool
    begins_chain: bool
    log_files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """An account, a region and a day of delivery."""

    account: str
    region: str
    day: date


@dataclass(frozen=True, slots=True)
class Written:
    """The log files and digests that were written."""

    log_files: tuple[WrittenFile, ...] = ()
    digests: tuple[WrittenDigest, ...] = ()

    def __add__(self, other: Written) -> Written:
        """Return what both were."""
        return Written(self.log_files + other.log_files, self.digests + other.digests)

    def cells(self) -> dict[Cell, list[WrittenFile]]:
        """Return the log files of each account, region and day with one."""
        cells: dict[Cell, list[WrittenFile]] = {}
        for file in self.log_files:
            cells.setdefault(Cell(file.account, file.region, file.day), []).append(file)
        return cells

    def event_ids(self, *kinds: Kind) -> set[str]:
        """Return the ids of the events of these kinds of log file; of all kinds if none is named."""
        return set(_ids(file for file in self.log_files if not kinds or file.kind in kinds))

    def duplicates(self) -> set[str]:
        """Return the ids that are in two log files."""
        return {event_id for event_id, times in Counter(_ids(self.log_files)).items() if times > 1}

    def late(self) -> tuple[str, ...]:
        """Return the keys of the log files that arrived after the digest of their hour."""
        return tuple(file.key for file in self.log_files if file.is_late)

    def unlisted(self) -> tuple[str, ...]:
        """Return the keys of the log files that no digest lists."""
        return tuple(file.key for file in self.log_files if not file.is_listed)


def _ids(files: Iterable[WrittenFile]) -> Iterator[str]:
    return itertools.chain.from_iterable(file.event_ids for file in files)
