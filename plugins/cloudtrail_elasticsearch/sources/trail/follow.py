"""Follows a folder of a trail: lists the log files since its watermark, and moves the watermark (ADR-0025).

Nothing here proves that a day is complete: the daily run does. A live run can miss a log file that appears later
than the overlap. But it moves a watermark only over events that the search server has acknowledged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.watermarks import Place, Watermark
from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.errors import AccessDeniedError, LoaderError
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.run_clock import RunClock
from cloudtrail_elasticsearch.sources.trail.bucket import ListPage, TrailBucket
from cloudtrail_elasticsearch.sources.trail.layout import LogFileKey, TrailRoot
from cloudtrail_elasticsearch.sources.trail.listing import LogFile
from cloudtrail_elasticsearch.sources.trail.live_progress import Damage, ListingProgress, TrailProgress

log = logging.getLogger(__name__)

REACH: Final = timedelta(days=1)
"""A live run catches up from the start of the day before: the daily runs load and prove all earlier days."""

DAMAGE_SHOWN: Final = timedelta(hours=30)
"""The time for which a watermark names a damaged log file: by then, the daily run has listed and reported it."""

_AFTER_DIGITS: Final = ":"
"""The first character after the digits: the years of a folder are before it."""


@dataclass(frozen=True, slots=True)
class GroupBounds:
    """The most that is loaded before the watermark moves: seconds of work, which a kill repeats."""

    files: int = 100
    bytes: int = 4 * 1024 * 1024
    """Packed bytes, about 25,000 events; a larger log file is a group of its own."""


@dataclass(frozen=True, slots=True)
class TrailFolder:
    """The folder of one kind of event of a region."""

    root: TrailRoot
    account: str
    region: str
    kind: str
    window: Window
    """The time that a run works on, for messages."""

    @property
    def place(self) -> Place:
        """The place of its watermark."""
        return Place(self.account, self.region, Source.TRAIL, self.kind)

    @property
    def prefix(self) -> str:
        """The prefix of its keys."""
        return self.root.region_folder(self.account, self.kind, self.region)

    def find_key_before(self, minute: datetime) -> str:
        """Return a key that is before all log files of a minute of delivery, and after all earlier ones."""
        day = self.root.day_folder(self.account, self.kind, self.region, minute.date())
        return f"{day}{self.account}_{self.kind}_{self.region}_{minute:%Y%m%dT%H%M}"


@dataclass(frozen=True, slots=True)
class GroupOutcome:
    """What became of the events of some log files."""

    read: int = 0
    loaded: int = 0
    """Events that the server did not hold before, quarantined ones included."""
    quarantined: int = 0
    newest: datetime | None = None
    """The time of the newest event."""
    damage: Damage | None = None
    """The newest of the log files that could not be loaded as a whole."""


@dataclass(slots=True)
class FollowedFolder:
    """The figures of one run's work on a folder."""

    listings: int = 0
    files: int = 0
    read: int = 0
    loaded: int = 0
    quarantined: int = 0
    lag: float = 0.0
    """The seconds by which the watermark is behind at the end."""


class FolderFollower:
    """Follows folders of a bucket; threads may share it.

    :param load: loads log files, and returns only when the server has acknowledged their events
    :param record: stores a watermark
    :param overlap: the time by which a log file can appear after another one of a later minute
    """

    def __init__(
        self,
        bucket: TrailBucket,
        load: Callable[[Sequence[LogFile]], GroupOutcome],
        record: Callable[[Watermark], None],
        clock: RunClock,
        overlap: timedelta,
        bounds: GroupBounds | None = None,
    ) -> None:
        self._bucket = bucket
        self._load = load
        self._record = record
        self._clock = clock
        self._overlap = overlap
        self._bounds = bounds or GroupBounds()

    def follow(self, folder: TrailFolder, known: Watermark | None) -> FollowedFolder:
        """Load a folder's new log files up to the run's start, and move its watermark.

        It loads one group of log files at least, and begins no further one when the run's work is over; then the
        next run goes on. If a process is killed, the next attempt repeats at most one group.

        :param known: the folder's watermark; None if it was never followed
        :raises AccessDeniedError: the folder may not be listed, or none of its new log files may be read
        :raises TransientError: S3 or the search server did not recover within the patience
        """
        work = _FolderWork(folder, known, self._clock, self._overlap)
        is_at_end = self._load_groups(work)
        work.conclude(self._record, is_at_end=is_at_end)
        return work.figures

    def _load_groups(self, work: _FolderWork) -> bool:
        """Load the new log files in groups; return whether the listing was worked through to its end."""
        group = _Group()
        for file in self._list(work):
            is_new = not work.start.is_loaded(file.name)
            if is_new and group.new and group.is_full(self._bounds, file):
                if self._is_over(work):
                    return False
                self._take(work, group)
                self._record(work.make_watermark(work.known_problem))
                group = _Group()
            group.add(file, is_new=is_new)
        if group.new and self._is_over(work):
            return False
        self._take(work, group)
        return True

    def _is_over(self, work: _FolderWork) -> bool:
        return work.figures.files > 0 and self._clock.is_over

    def _take(self, work: _FolderWork, group: _Group) -> None:
        if group.new:
            try:
                # The watermark moves only after the load: it promises that the server has these events.
                outcome = self._load(group.new)
            except AccessDeniedError as error:
                self._record_failure(work, error)
                raise
            work.add(len(group.new), outcome)
        for file in group.files:
            work.listing.pass_file(file.name)

    def _list(self, work: _FolderWork) -> Iterator[LogFile]:
        """Yield the log files that were delivered since the progress begins, up to the goal.

        One listing has the log files of all days, because the order of keys is that of the minutes of delivery.
        """
        folder = work.folder
        beyond = folder.prefix + _AFTER_DIGITS
        for page in self._list_pages(work):
            work.figures.listings += 1
            for listed in page.objects:
                if listed.key >= beyond:
                    return
                name = folder.root.parse_key(listed.key)
                # The daily run reports objects with other names.
                if not isinstance(name, LogFileKey):
                    continue
                if name.delivered > work.goal:
                    return
                yield LogFile(name, listed.size, listed.etag)

    def _list_pages(self, work: _FolderWork) -> Iterator[ListPage]:
        folder = work.folder
        try:
            yield from self._bucket.list_pages(folder.prefix, start_after=folder.find_key_before(work.start.since))
        except LoaderError as error:
            self._record_failure(work, error)
            raise

    def _record_failure(self, work: _FolderWork, error: LoaderError) -> None:
        """Record why S3 cannot be asked, so that the coverage page shows the reason, too."""
        try:
            self._record(work.make_watermark(str(error)))
        except LoaderError as second:
            log.warning("%s: its watermark was not stored, either: %s", work.folder.window.name, second)


@dataclass(slots=True)
class _Group:
    """Files that follow each other in a listing, and those of them that are new."""

    files: list[LogFile] = field(default_factory=list)
    new: list[LogFile] = field(default_factory=list)
    bytes: int = 0

    def add(self, file: LogFile, *, is_new: bool) -> None:
        """Add a file."""
        self.files.append(file)
        if is_new:
            self.new.append(file)
            self.bytes += file.size

    def is_full(self, bounds: GroupBounds, file: LogFile) -> bool:
        """Return whether there is no room for a further new file."""
        return len(self.new) >= bounds.files or self.bytes + file.size > bounds.bytes


@dataclass(slots=True)
class _FolderWork:
    """The work of one run on one folder."""

    folder: TrailFolder
    known: Watermark | None
    clock: RunClock
    overlap: timedelta
    figures: FollowedFolder = field(default_factory=FollowedFolder)
    goal: datetime = field(init=False)
    start: TrailProgress = field(init=False)
    """The progress before the run."""
    listing: ListingProgress = field(init=False)
    _newest: datetime | None = field(init=False)

    def __post_init__(self) -> None:
        self.goal = self.clock.start.replace(microsecond=0)
        today = midnight(self.goal.date())
        if self.known is None:
            self.start = TrailProgress(today, today)
        else:
            found = TrailProgress.from_position(self.known.until, self.known.position, self.overlap)
            self.start = found.move_up(today - REACH)
        self.listing = ListingProgress(self.start, self.overlap)
        self._newest = self.known.last_event if self.known else None

    @property
    def known_problem(self) -> str | None:
        """The problem that the last watermark names."""
        return self.known.problem if self.known else None

    def add(self, files: int, outcome: GroupOutcome) -> None:
        """Add the outcome of a group."""
        figures = self.figures
        figures.files += files
        figures.read += outcome.read
        figures.loaded += outcome.loaded
        figures.quarantined += outcome.quarantined
        self._newest = max((time for time in (self._newest, outcome.newest) if time), default=None)
        self.listing.damage = outcome.damage or self.listing.damage

    def make_watermark(self, problem: str | None, progress: TrailProgress | None = None) -> Watermark:
        """Return the folder's watermark in the middle of the listing, or with the given progress."""
        now = self.clock.now()
        progress = progress or self.listing.pause()
        earlier = self.known.events if self.known and self.known.day == now.date() else 0
        return Watermark(
            place=self.folder.place,
            until=progress.until,
            checked_at=now,
            last_event=self._newest,
            day=now.date(),
            events=earlier + self.figures.loaded,
            problem=problem,
            position=progress.position,
        )

    def conclude(self, record: Callable[[Watermark], None], *, is_at_end: bool) -> None:
        """Find the lag, and record the watermark unless nothing happened."""
        progress = self.listing.finish(self.goal) if is_at_end else self.listing.pause()
        behind = max(0.0, (self.clock.now() - progress.until).total_seconds())
        self.figures.lag = behind
        problem = (
            None if is_at_end else f"It is {behind / 60:.0f} minutes behind, and catches up in the next runs."
        )
        if problem:
            log.warning("%s: %s", self.folder.window.name, problem)
        problem = " ".join(filter(None, (problem, self._describe_damage(progress.damage)))) or None
        # Without a new log file, the next run begins where this one began.
        if self.known is None or self.figures.files or problem != self.known_problem:
            record(self.make_watermark(problem, progress))

    def _describe_damage(self, damage: Damage | None) -> str | None:
        if damage is None or self.goal - damage.delivered > DAMAGE_SHOWN:
            return None
        key, reason = safe_text(damage.key), safe_text(damage.reason)
        return f"The log file {key} was not loaded as a whole: {reason}. The daily run reports it."
