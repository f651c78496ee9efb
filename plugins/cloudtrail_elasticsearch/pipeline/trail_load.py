"""The windows of a trail's batch, for its load: their manifests, and the ledger of whole days."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass

from cloudtrail_elasticsearch.core.coverage.days import find_day
from cloudtrail_elasticsearch.core.coverage.ledger import Run, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.core.loading.places import locate_line
from cloudtrail_elasticsearch.core.side_by_side import HoldMemory
from cloudtrail_elasticsearch.pipeline.batch_load import Locate, SharedLedger
from cloudtrail_elasticsearch.pipeline.log_files import LogFiles
from cloudtrail_elasticsearch.pipeline.trail_list import StagingOf
from cloudtrail_elasticsearch.pipeline.trail_plan import BatchWindow
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket
from cloudtrail_elasticsearch.sources.trail.window_files import WindowFiles
from cloudtrail_elasticsearch.staging import TrailManifest, TrailStaging


class DayLedger(SharedLedger):
    """A ledger without documents for the parts of a day: the coverage task merges their cells."""

    def record_loading(self, window: Window, run: Run | None) -> None:
        """Record that a task is loading a day, or a part of it."""
        super().record_loading(find_day(window), run)

    def record_verified(self, found: VerifiedCell) -> None:
        """Record the figures of a whole day, which were just verified on the server."""
        if found.cell.window.is_day:
            super().record_verified(found)


@dataclass(frozen=True, slots=True)
class ListedFiles:
    """The log files of a window's manifest."""

    manifest: TrailManifest
    records: TrailStaging
    bucket: TrailBucket

    @property
    def window(self) -> Window:
        """The window."""
        return self.manifest.window

    @property
    def is_quiet(self) -> bool:
        """Whether the window has no log files."""
        return not self.manifest.files

    @property
    def size(self) -> int:
        """The packed bytes of the log files."""
        return self.manifest.bytes

    @property
    def memory(self) -> int:
        """The packed bytes of the log files: they are read ahead, as far as memory allows."""
        return self.manifest.bytes

    def open(
        self, hold_memory: HoldMemory = nullcontext, locate: Locate = locate_line
    ) -> AbstractContextManager[LogFiles]:
        """Return the events of the log files."""
        manifest = self.manifest
        return closing(LogFiles(manifest, lambda: WindowFiles(manifest, self.bucket), hold_memory, locate))


class ListedWindows:
    """Reads the manifests that the list task wrote."""

    def __init__(self, bucket: TrailBucket, staging_of: StagingOf) -> None:
        self._bucket = bucket
        self._staging_of = staging_of

    def read(self, asked: BatchWindow) -> ListedFiles:
        """Return the log files of a window.

        :raises StagingError: the window is not listed
        """
        staging = self._staging_of(asked.region.root)
        manifest = staging.manifest(asked.window)
        if manifest is None:
            raise StagingError(
                f"{asked.window.name} is not listed in {staging.uri(asked.window)}: run its list task first."
            )
        return ListedFiles(manifest, staging, self._bucket)
