"""A folder of a trail in a stand-in for S3, followed by live runs; loaded files are recorded by key."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.watermarks import Watermark
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.run_clock import RunClock
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket
from cloudtrail_elasticsearch.sources.trail.follow import (
    FolderFollower,
    FollowedFolder,
    GroupBounds,
    GroupOutcome,
    TrailFolder,
)
from cloudtrail_elasticsearch.sources.trail.layout import TrailRoot
from cloudtrail_elasticsearch.sources.trail.listing import LogFile
from devstack.simulator.trails import MemoryBucket

ACCOUNT, REGION = "111122223333", "eu-central-1"
OVERLAP: Final = timedelta(minutes=15)
MINUTE: Final = timedelta(minutes=1)
ENOUGH: Final = timedelta(minutes=4)

_numbers = itertools.count()


class KilledError(BaseException):
    """The process is killed."""


@dataclass
class LiveFolder:
    """The folder, the server's watermark, and the groups of log files that were loaded."""

    objects: MemoryBucket
    bucket: TrailBucket
    kind: str = "CloudTrail"
    bounds: GroupBounds = field(default_factory=GroupBounds)
    root: TrailRoot = field(default_factory=lambda: TrailRoot(f"trail-{next(_numbers)}"))
    delivered: list[str] = field(default_factory=list)
    loaded: list[list[str]] = field(default_factory=list)
    watermark: Watermark | None = None
    records: int = 0
    kill_in: int | None = None
    """The steps (loads and records) that the process survives."""

    def deliver(self, minute: datetime, suffix: str = "", body: bytes = b"x") -> str:
        """Put a log file, and return its key."""
        folder = self.root.day_folder(ACCOUNT, self.kind, REGION, minute.date())
        name = suffix or f"{len(self.delivered):016}"
        key = f"{folder}{ACCOUNT}_{self.kind}_{REGION}_{minute:%Y%m%dT%H%MZ}_{name}.json.gz"
        self.objects.put(key, body, {})
        self.delivered.append(key)
        return key

    def follow(self, now: datetime, work: timedelta = ENOUGH, overlap: timedelta = OVERLAP) -> FollowedFolder:
        """Run once, as a task does that read the watermark before."""
        clock = RunClock(now, work)
        follower = FolderFollower(self.bucket, self._load, self._record, clock, overlap, self.bounds)
        window = Window(ACCOUNT, REGION, now - MINUTE, now, Source.TRAIL)
        return follower.follow(TrailFolder(self.root, ACCOUNT, REGION, self.kind, window), self.watermark)

    def step(self) -> None:
        """Count a step of the process."""
        if self.kill_in is not None:
            if self.kill_in == 0:
                self.kill_in = None
                raise KilledError
            self.kill_in -= 1

    def keys_loaded(self) -> list[str]:
        """Return the keys of the loaded files in order."""
        return [key for group in self.loaded for key in group]

    def _load(self, files: Sequence[LogFile]) -> GroupOutcome:
        self.step()
        self.loaded.append([file.key for file in files])
        self.step()
        return GroupOutcome(read=len(files), loaded=len(files))

    def _record(self, watermark: Watermark) -> None:
        self.step()
        self.watermark = watermark
        self.records += 1
        self.step()


def count_requests(bucket: TrailBucket, folder: LiveFolder) -> Any:
    """Count each request to S3 as two steps of the process: before and after it."""
    http = bucket._http

    class Counted:
        def send(self, request: Any) -> Any:
            folder.step()
            answer = http.send(request)
            folder.step()
            return answer

    bucket._http = Counted()
    return http
