"""The load task: sends the staged events of a batch's windows to the search server, and verifies the documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.operators.batch_loading import BatchLoadingOperator
from cloudtrail_elasticsearch.operators.context import open_state_store
from cloudtrail_elasticsearch.operators.lookup_batch import LookupBatchOperator
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


class S3ToElasticsearchOperator(BatchLoadingOperator, LookupBatchOperator):
    """Loads each staged window of a batch and counts its documents on the server; returns the cells.

    A window that is already loaded costs no bulk request if the server still holds every document, unless `force`
    is true. `BatchLoadingOperator` has the rules of failures and retries, `LookupBatchOperator` the arguments of
    the batch, and `LoadingOperator` those of the documents.

    :param fetched: the result of the fetch task of the same batch; empty: all windows that are staged are loaded
    """

    STAGED_BY = ("fetch", "fetched")

    template_fields: Sequence[str] = (
        *LookupBatchOperator.template_fields,
        *(name for name in BatchLoadingOperator.template_fields if name != "force"),
        "fetched",
    )

    def __init__(self, *, fetched: Any = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fetched: Any = fetched

    @never_retry_final_errors
    def execute(self, context: Context) -> dict[str, Any]:
        """Load the windows and return their cells in a compact form.

        A batch without events sends no request: the coverage task stores its cells. The error of a batch of a
        single window is that of the window.

        :raises MappingError: the index is not a valid index name
        :raises StagingError: the fetch task did not run
        :raises CoverageError: some windows were not loaded, and a retry would not help; the message names them
        :raises TransientError: some windows were not loaded, and a retry may help
        """
        from cloudtrail_elasticsearch.pipeline.lookup_load import StagedWindows

        # First, so that a wrong name fails for windows without events, too.
        IndexPattern(self.index)
        batch = self.planned_batch()
        unstaged = {} if self.fetched == () else self.read_unstaged(batch, self.fetched)
        staging = self.staging(self.aws())
        first = batch.windows[0].window
        store = open_state_store(context, lambda: staging.state(first, self.task_id))
        return self.load_batch(context, batch, batch.windows, unstaged, StagedWindows(staging).read, store)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:  # noqa: ARG002 - its name
        """Return the task's inputs and outputs; OpenLineage's provider calls this, if it is installed."""
        from cloudtrail_elasticsearch.operators import lineage

        return lineage.describe_load(self.staged_uris(), self._server, self.index)
