"""The list task of a trail: lists each window of a batch, and proves the list by AWS's digests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.operators.base import is_true
from cloudtrail_elasticsearch.operators.batch_staging import BatchStagingOperator
from cloudtrail_elasticsearch.operators.metrics import add_to_counters
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors
from cloudtrail_elasticsearch.operators.supervision import exit_with_supervisor
from cloudtrail_elasticsearch.operators.trail_batch import TrailBatchOperator

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from cloudtrail_elasticsearch.core.coverage.windows import Window
    from cloudtrail_elasticsearch.pipeline.trail_list import ListedWindow


class CloudTrailTrailListOperator(BatchStagingOperator, TrailBatchOperator):
    """Lists each window of a batch, verifies the digests, and writes a manifest; returns figures of the windows.

    Nothing is copied: a manifest names the log files in their place. A window that has a manifest is not listed
    again, unless its proof still waits for a digest, so that a retry lists only those that are left.
    `BatchStagingOperator` has the rules of failures, and `TrailBatchOperator` the arguments of the batch.

    :param again: list windows again that have a manifest, for late log files (``true`` or ``false``)
    :param lists: false: list nothing, even if a window has no manifest
    """

    DONE = "listed"
    FIGURES = ("listed", "files", "bytes", "digests")

    template_fields: Sequence[str] = (*TrailBatchOperator.template_fields, "again", "lists")
    ui_color = "#efe6f8"

    def __init__(self, *, again: str | bool = False, lists: str | bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.again = again
        self.lists = lists

    @never_retry_final_errors
    def execute(self, context: Context) -> dict[str, Any]:
        """Write the manifests; return the batch, figures of its windows, and the windows that failed.

        :raises CoverageError: some windows were not listed, and a retry would not help; the message names them
        :raises TransientError: some windows were not listed, and a retry may help
        """
        from cloudtrail_elasticsearch.pipeline.trail_list import WindowLister

        batch = self.planned_batch()
        if not is_true(self.lists):
            self.log.info("Listed nothing: this run works on the windows that are listed already.")
            return self.describe_nothing(batch)
        s3 = self.aws().s3()
        plan, windows = self.read_windows(s3)
        trail = self.trail_aws()
        lister = WindowLister(
            plan,
            trail.open_trail_bucket(plan.bucket, plan.folder),
            trail.public_keys(),
            self.stagings(s3, plan.bucket),
            is_again=is_true(self.again),
        )
        with exit_with_supervisor():
            return self.stage_batch(context, batch, windows, lister.list)

    def count(self, window: Window, staged: ListedWindow) -> dict[str, int]:
        """Return the figures of a window that was listed, and add them to Airflow's metrics."""
        if staged.is_new:
            add_to_counters(window, files_listed=staged.files, digests_verified=staged.digests)
        return {
            "listed": int(staged.is_new),
            "files": staged.files,
            "bytes": staged.bytes,
            "digests": staged.digests,
        }

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:  # noqa: ARG002 - its name
        """Return the task's inputs and outputs; OpenLineage's provider calls this, if it is installed."""
        from cloudtrail_elasticsearch.operators import lineage

        return lineage.describe_list(self.trail_uri(), self.staged_uri())
