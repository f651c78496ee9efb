"""Live runs of a trail: plans the folders that are followed, and loads the log files that are new."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.documents.times import parse_time
from cloudtrail_elasticsearch.core.encoding import typed
from cloudtrail_elasticsearch.core.errors import AccessDeniedError
from cloudtrail_elasticsearch.core.loading.loader import Loader
from cloudtrail_elasticsearch.core.loading.places import Place
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket
from cloudtrail_elasticsearch.sources.trail.follow import GroupOutcome, TrailFolder
from cloudtrail_elasticsearch.sources.trail.layout import TrailRoot
from cloudtrail_elasticsearch.sources.trail.listing import LogFile, RegionFolders
from cloudtrail_elasticsearch.sources.trail.live_progress import Damage
from cloudtrail_elasticsearch.sources.trail.log_file import LogFileContent
from cloudtrail_elasticsearch.sources.trail.read_ahead import AheadSettings, ReadAhead, ReadFile
from cloudtrail_elasticsearch.staging import TrailFile

FOLDERS_PER_TASK: Final = 200
"""A task lists 32 folders at once: 200 take it less than a second, so that its start costs more than its work."""

_LOADS_AT_ONCE: Final = 4
"""Folders whose log files are loaded at once, with two bulk requests each; the others wait."""

_AHEAD: Final = AheadSettings(files=8, bytes=16 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class LiveTrailBatch:
    """The folders that one task follows, as Airflow's tasks pass them on."""

    name: str
    bucket: str
    prefix: str
    """The trail's key prefix."""
    organization: str | None
    """The organization whose trail it is."""
    folders: tuple[tuple[str, str, str], ...]
    """The account, the region and the kind of each folder."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for an XCom; `from_dict` reads them back."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> LiveTrailBatch:
        """Return the batch of the values that `to_dict` returned."""
        return typed.convert(value, cls)

    @property
    def root(self) -> TrailRoot:
        """The folder of all accounts."""
        return TrailRoot(self.prefix, self.organization)

    def list_folders(self, goal: datetime) -> list[TrailFolder]:
        """Return the folders, for a run that loads what was delivered up to a time."""
        today = midnight(goal.date())
        return [
            TrailFolder(self.root, account, region, kind, Window(account, region, today, goal, Source.TRAIL))
            for account, region, kind in self.folders
        ]


def plan_live_batches(bucket: str, regions: Sequence[RegionFolders], tasks: int) -> list[LiveTrailBatch]:
    """Return batches of about `FOLDERS_PER_TASK` folders, or of more if there would be too many batches.

    :param tasks: the most batches of each organization or trail
    """
    batches: list[LiveTrailBatch] = []
    by_root = groupby(sorted(regions, key=lambda each: each.root.folder), key=lambda each: each.root)
    for root, of_root in by_root:
        folders = [(each.account, each.region, kind) for each in of_root for kind in each.kinds]
        count = min(tasks, -(-len(folders) // FOLDERS_PER_TASK))
        for number in range(count):
            # Each batch has folders of many accounts: the large ones come one after another in the plan.
            some = tuple(folders[number::count])
            name = f"{len(some)} folders, {number + 1} of {count}"
            batches.append(LiveTrailBatch(name, bucket, root.prefix, root.organization, some))
    return batches


class LiveFiles:
    """Loads log files of several folders; threads share it.

    :param loader: a loader, which the first load prepares
    """

    def __init__(self, bucket: TrailBucket, loader: Loader) -> None:
        self._bucket = bucket
        self._loader = loader
        self._slots = threading.BoundedSemaphore(_LOADS_AT_ONCE)

    def load(self, files: Sequence[LogFile]) -> GroupOutcome:
        """Load the events of log files, and return what became of them.

        A file that cannot be read as a whole does not stop the others.

        :raises AccessDeniedError: none of the log files may be read
        :raises TransientError: S3 or the search server did not recover within the patience
        """
        with self._slots:
            self._loader.prepare()
            reading = _Reading(self._bucket, files, self._loader.locate)
            report = self._loader.load(reading.read_lines())
        new = report.indexed + report.quarantined
        return GroupOutcome(report.read, new, report.quarantined, parse_time(reading.newest), reading.damage)


class _Reading:
    """Reads the events of log files one after another."""

    def __init__(self, bucket: TrailBucket, files: Sequence[LogFile], locate: Callable[[bytes], Place]) -> None:
        self._bucket = bucket
        self._files = {file.key: file for file in files}
        self._locate = locate
        self.newest: str | None = None
        """The time of the newest event."""
        self.damage: Damage | None = None

    def read_lines(self) -> Iterator[bytes]:
        """Yield a line for each event."""
        denied = 0
        listed = [TrailFile(file.key, file.size, file.etag, None) for file in self._files.values()]
        for read in ReadAhead(self._bucket, _AHEAD).read(listed):
            denied += bool(read.denial)
            # A key or a policy for a single file does not stop the folder, but a missing permission is an error.
            if denied == len(listed):
                raise AccessDeniedError(f"None of the {denied} new log files may be read. {read.denial}")
            yield from self._read_file(read)

    def _read_file(self, read: ReadFile) -> Iterator[bytes]:
        if read.found is None:
            self._report(read, read.denial or "it was deleted after it was listed")
            return
        content = LogFileContent(read.file.key, read.found.body)
        for line in content.lines():
            time = self._locate(line).time
            if time is not None and (self.newest is None or time > self.newest):
                self.newest = time
            yield line
        if content.problem is not None:
            self._report(read, content.problem)

    def _report(self, read: ReadFile, reason: str) -> None:
        key = read.file.key
        self.damage = Damage(self._bucket.uri(key), reason, self._files[key].name.delivered)
