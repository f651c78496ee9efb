"""MaxMind-format databases (``.mmdb``): the place and the network of an address.

The files are memory-mapped, so that the processes of a machine share their pages. A file that was replaced is
read again. https://maxmind.github.io/MaxMind-DB/
"""

from __future__ import annotations

import logging
import stat
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from cloudtrail_elasticsearch.core.enrichment.layouts import describe_record
from cloudtrail_elasticsearch.core.enrichment.packages import require_package
from cloudtrail_elasticsearch.core.errors import EnrichmentError
from cloudtrail_elasticsearch.core.user_files import show_path

if TYPE_CHECKING:
    from maxminddb import Reader

log = logging.getLogger(__name__)

CHECK_SECONDS: Final = 60.0
"""Seconds between two checks whether a file was replaced."""

_PROBED: Final = 1_000
"""The records of a file that are read until one has fields: nearly always the first has."""

_IPV4: Final = 4

_Stamp: TypeAlias = tuple[int, int, int, int]
_Fields: TypeAlias = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Database:
    file: Path
    stamp: _Stamp
    """Of the file that was opened; a replaced file has another one."""
    reader: Reader
    kind: str
    is_ipv4_only: bool

    def find(self, address: str) -> _Fields:
        # The reader raises an error for such an address.
        if self.is_ipv4_only and ":" in address:
            return {}
        from maxminddb import InvalidDatabaseError

        try:
            return describe_record(self.reader.get(address))
        except (InvalidDatabaseError, UnicodeDecodeError) as error:
            raise _make_broken_error(self.file) from error


class Databases:
    """The databases of addresses that a user names; of several with the same fields, the first one prevails.

    Threads may share it.

    :param files: the paths of the files
    :param clock: returns seconds of a clock that never goes back
    :raises EnrichmentError: a file is missing, is broken, or has neither places nor networks, or the package
        ``maxminddb`` is not installed
    """

    def __init__(self, files: Sequence[Path], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._databases = tuple(_open_database(file) for file in files)
        self._version = 0
        self._next_check = clock() + CHECK_SECONDS
        self._checking = threading.Lock()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The types of the databases, such as ``GeoLite2-City``."""
        return tuple(database.kind for database in self._databases)

    def find(self, address: str) -> _Fields:
        """Return the ECS objects ``geo`` and ``as`` of an IPv4 or IPv6 address; one without values is missing.

        :raises EnrichmentError: the database is broken
        """
        found: dict[str, Mapping[str, Any]] = {}
        for database in reversed(self._databases):
            # The objects are not merged: two databases can disagree about a place.
            found |= database.find(address)
        return dict(sorted(found.items()))

    def version(self) -> int:
        """Return a number that changes when a file was read again; caches of the results depend on it."""
        # One thread checks, and the others go on with the databases that are open.
        if self._clock() >= self._next_check and self._checking.acquire(blocking=False):
            try:
                self._reopen()
                self._next_check = self._clock() + CHECK_SECONDS
            finally:
                self._checking.release()
        return self._version

    def _reopen(self) -> None:
        current = tuple(map(_reopen_database, self._databases))
        if any(new is not old for new, old in zip(current, self._databases, strict=True)):
            # The old readers are not closed: another thread may be reading. They end with their last user.
            self._databases = current
            self._version += 1


def _reopen_database(database: _Database) -> _Database:
    """Return the database of the current file; the old one if the file is the same, or cannot be read."""
    try:
        if _read_stamp(database.file) == database.stamp:
            return database
        opened = _open_database(database.file)
    except (OSError, EnrichmentError) as error:
        # It may just be replaced, and the load need not stop for that.
        reason = error if isinstance(error, EnrichmentError) else error.strerror
        log.warning("%s was not read again; the earlier one stays in use: %s", show_path(database.file), reason)
        return database
    log.info("%s was replaced, and is in use now.", show_path(database.file))
    return opened


def _open_database(file: Path) -> _Database:
    require_package("maxminddb", "a database of addresses")
    import maxminddb

    try:
        # Before it is opened: if the file is replaced meanwhile, the next check reads it again.
        stamp = _read_stamp(file)
        reader = maxminddb.open_database(file)
    except maxminddb.InvalidDatabaseError as error:
        raise _make_broken_error(file) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a regular file"
        raise EnrichmentError(
            f"The database {show_path(file)} cannot be read: {reason}. Put a database in MaxMind's format (.mmdb) "
            f"there that the loader may read, or name another one."
        ) from error
    metadata = reader.metadata()
    try:
        has_fields = any(describe_record(record) for _, record in islice(reader, _PROBED))
    except (maxminddb.InvalidDatabaseError, UnicodeDecodeError) as error:
        raise _make_broken_error(file) from error
    if not has_fields:
        raise EnrichmentError(
            f"The database {show_path(file)} has neither places nor autonomous systems. Name a City, Country or "
            f"ASN database of MaxMind, DB-IP or IPinfo."
        )
    return _Database(file, stamp, reader, metadata.database_type, metadata.ip_version == _IPV4)


def _read_stamp(file: Path) -> _Stamp:
    found = file.stat()
    # Opening a pipe would block.
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("not a regular file")
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _make_broken_error(file: Path) -> EnrichmentError:
    return EnrichmentError(
        f"The database {show_path(file)} is broken, or not in MaxMind's format (.mmdb). Download it again, and "
        f"move the complete file to its place."
    )
