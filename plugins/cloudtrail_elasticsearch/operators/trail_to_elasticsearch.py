"""The load task of a trail: loads each window of a batch from the log files in their place, and verifies it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.operators.base import is_true
from cloudtrail_elasticsearch.operators.batch_loading import BatchLoadingOperator
from cloudtrail_elasticsearch.operators.context import open_state_store
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors
from cloudtrail_elasticsearch.operators.trail_batch import TrailBatchOperator

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from cloudtrail_elasticsearch.core.search.server import SearchServer
    from cloudtrail_elasticsearch.pipeline.batch_load import Work
    from cloudtrail_elasticsearch.pipeline.trail_load import DayLedger


class CloudTrailTrailToElasticsearchOperator(BatchLoadingOperator, TrailBatchOperator):
    """Loads each window of a batch and counts its documents on the server; returns the cells.

    `BatchLoadingOperator` has the rules of failures and retries, `TrailBatchOperator` the arguments of the batch,
    and `LoadingOperator` those of the documents.

    :param listed: the result of the list task of the same batch
    :param changes: only load windows that changed since they were loaded (``true`` or ``false``)
    """

    STAGED_BY = ("list", "listed")

    template_fields: Sequence[str] = (
        *TrailBatchOperator.template_fields,
        *BatchLoadingOperator.template_fields,
        "listed",
        "changes",
    )

    def __init__(self, *, listed: Any, changes: str | bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.listed: dict[str, Any] | None = listed
        self.changes = changes

    @never_retry_final_errors
    def execute(self, context: Context) -> dict[str, Any]:
        """Load the windows and return their cells in a compact form.

        :raises MappingError: the index is not a valid index name
        :raises StagingError: the list task did not run
        :raises CoverageError: some windows were not loaded, and a retry would not help; the message names them
        :raises TransientError: some windows were not loaded, and a retry may help
        """
        from cloudtrail_elasticsearch.pipeline.trail_load import ListedWindows

        # First, so that a wrong name fails for windows without events, too.
        IndexPattern(self.index)
        batch = self.planned_batch()
        unstaged = self.read_unstaged(batch, self.listed)
        s3 = self.aws().s3()
        plan, windows = self.read_windows(s3)
        stagings = self.stagings(s3, plan.bucket)
        store = open_state_store(context, lambda: self.open_substitute_store(stagings, windows))
        bucket = self.trail_aws().open_trail_bucket(plan.bucket, plan.folder)
        return self.load_batch(context, batch, windows, unstaged, ListedWindows(bucket, stagings).read, store)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:  # noqa: ARG002 - its name
        """Return the task's inputs and outputs; OpenLineage's provider calls this, if it is installed."""
        from cloudtrail_elasticsearch.operators import lineage

        return lineage.describe_trail_load(self.trail_uri(), self.staged_uri(), self._server, self.index)

    def choose_batch_work(self) -> Work:
        """Return what to do with each window."""
        from cloudtrail_elasticsearch.pipeline.load import WindowLoad

        return WindowLoad.load_changes if is_true(self.changes) else self.choose_work()

    def make_ledger(self, server: SearchServer, pattern: str) -> DayLedger:
        """Return the ledger that records the cells."""
        from cloudtrail_elasticsearch.pipeline.trail_load import DayLedger

        return DayLedger(server, pattern)
