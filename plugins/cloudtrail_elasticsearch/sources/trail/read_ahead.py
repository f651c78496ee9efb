"""Reads log files ahead, in parallel and within bounds, and returns them in the order of the request."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from cloudtrail_elasticsearch.core.errors import AccessDeniedError, FileError
from cloudtrail_elasticsearch.sources.trail.bucket import ReadObject, TrailBucket
from cloudtrail_elasticsearch.staging import TrailFile


@dataclass(frozen=True, slots=True)
class AheadSettings:
    """The bounds of reading ahead; memory holds at most `bytes`, or one larger log file alone (ADR-0018)."""

    files: int = 32
    """GETs at once: at 30 ms each, 32 are enough for 1,000 files/s, more than one process can unpack and load."""
    bytes: int = 64 * 1024 * 1024
    """Bytes of packed log files, those in use included; their sizes are known from the listing."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A log file with its object, or with the reason why there is none."""

    file: TrailFile
    found: ReadObject | None
    """None if it was deleted since it was listed, or may not be read."""
    denial: str = ""
    """Why the loader may not read it, and what to do; empty if it was read or is missing."""


class ReadAhead:
    """Reads the log files of a bucket ahead."""

    def __init__(self, bucket: TrailBucket, settings: AheadSettings | None = None) -> None:
        self._bucket = bucket
        self._settings = settings or AheadSettings()

    def read(self, files: Iterable[TrailFile]) -> Iterator[ReadFile]:
        """Yield these log files with their objects, in the same order.

        A log file stays within the bounds until the next one is asked for.

        :raises TransientError: S3 does not recover in time; the message names the object
        :raises LoaderError: S3 cannot be asked for any object
        """
        settings = self._settings
        remaining = deque(files)
        running: deque[Future[ReadFile]] = deque()
        held = 0
        pool = ThreadPoolExecutor(settings.files, thread_name_prefix="get")
        try:
            while remaining or running:
                while remaining and len(running) < settings.files:
                    size = remaining[0].size
                    # A log file that is larger than the bound is read alone.
                    if running and held + size > settings.bytes:
                        break
                    running.append(pool.submit(self._read, remaining.popleft()))
                    held += size
                found = running.popleft().result()
                yield found
                held -= found.file.size
        finally:
            # After an error or an early end, waiting reads would only delay the end.
            pool.shutdown(cancel_futures=True)

    def _read(self, file: TrailFile) -> ReadFile:
        try:
            return ReadFile(file, self._bucket.get(file.key, file.size))
        except (AccessDeniedError, FileError) as error:
            return ReadFile(file, None, str(error))
