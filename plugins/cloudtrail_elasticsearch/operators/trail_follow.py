"""The task of live runs of a trail: loads the new log files of a batch's folders, and moves their watermarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.operators.live_work import PATIENCE, LiveWorkOperator
from cloudtrail_elasticsearch.operators.metrics import add_to_counters, report_lag
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors
from cloudtrail_elasticsearch.operators.supervision import exit_with_supervisor
from cloudtrail_elasticsearch.operators.trail_batch import TrailBatchOperator

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.run_clock import RunClock
    from cloudtrail_elasticsearch.pipeline.trail_live import LiveTrailBatch
    from cloudtrail_elasticsearch.sources.trail.follow import FollowedFolder, TrailFolder

_AT_ONCE: Final = 32
"""Folders that are listed at once: a listing waits for S3 most of the time."""


class CloudTrailTrailFollowOperator(LiveWorkOperator, TrailBatchOperator):
    """Loads the log files that were delivered to each folder of a batch, up to now, and moves its watermark.

    A folder without new log files costs one listing, and writes nothing. Log files that cannot be read as a whole
    do not stop the others: the watermark names the newest of them. No digest is verified: the daily run does that.
    The failure of a folder does not stop the others, and the task fails at its end with the names of those that
    failed. `LiveWorkOperator` has the arguments of the work, and `TrailBatchOperator` those of the batch; the
    staging bucket is not used.
    """

    template_fields: Sequence[str] = (*TrailBatchOperator.template_fields, *LiveWorkOperator.template_fields)

    def __init__(self, *, bucket: str = "", **kwargs: Any) -> None:
        super().__init__(bucket=bucket, **kwargs)

    @never_retry_final_errors
    def execute(self, context: Context) -> dict[str, Any]:
        """Load the new log files; return the totals of the batch, and its largest lag in seconds.

        :raises MappingError: the index is not a valid index name
        :raises PlanError: `until` is not a time, or in the future
        :raises CoverageError: some folders were not followed, and a retry would not help; the message names them
        :raises TransientError: some folders were not followed, and a retry may help
        """
        from cloudtrail_elasticsearch.pipeline.each_window import EachWindow
        from cloudtrail_elasticsearch.pipeline.trail_live import LiveTrailBatch

        del context
        batch = LiveTrailBatch.from_dict(self.batch)
        clock = self.start_clock()
        folders = batch.list_folders(clock.start)
        follow = self._make_follow(batch, folders, clock)
        totals = dict.fromkeys(("listings", "files", "read", "loaded", "quarantined"), 0)
        lags = [0.0]
        each_window = EachWindow()
        with exit_with_supervisor():
            for _, folder, followed in each_window.run(follow, enumerate(folders), min(_AT_ONCE, len(folders))):
                for name in totals:
                    totals[name] += getattr(followed, name)
                lags.append(followed.lag)
                add_to_counters(
                    folder.window,
                    files_followed=followed.files,
                    events_indexed=followed.loaded - followed.quarantined,
                    events_quarantined=followed.quarantined,
                )
                report_lag(folder.place, followed.lag)
        listed = ", ".join(f"{count} {name}" for name, count in totals.items())
        self.log.info("Followed %d folders: %s; at most %.0f s behind.", len(lags) - 1, listed, max(lags))
        each_window.check("followed", len(folders))
        return totals | {"folders": len(lags) - 1, "lag": round(max(lags))}

    def _make_follow(
        self, batch: LiveTrailBatch, folders: Sequence[TrailFolder], clock: RunClock
    ) -> Callable[[TrailFolder], FollowedFolder]:
        """Return a function that follows a folder."""
        from cloudtrail_elasticsearch.core.search.sender import LoadSettings
        from cloudtrail_elasticsearch.pipeline.live import SharedWatermarks
        from cloudtrail_elasticsearch.pipeline.trail_live import LiveFiles
        from cloudtrail_elasticsearch.sources.trail.follow import FolderFollower

        pattern, settings = IndexPattern(self.index), LoadSettings(patience=PATIENCE)
        server = self.connect()
        watermarks = SharedWatermarks(server, pattern.text, settings)
        known = watermarks.read([folder.place for folder in folders])
        bucket = self.trail_aws().open_trail_bucket(batch.bucket, batch.root.folder)
        loader = self.make_loader(server, pattern, settings)
        load, record = LiveFiles(bucket, loader).load, watermarks.record_one
        follower = FolderFollower(bucket, load, record, clock, self.parse_overlap())
        return lambda folder: follower.follow(folder, known.get(folder.place))
