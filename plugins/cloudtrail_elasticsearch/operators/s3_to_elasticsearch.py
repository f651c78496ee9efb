"""The load task: sends a window's staged events to Elasticsearch or OpenSearch, and verifies the documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.operators.base import WindowOperator
from cloudtrail_elasticsearch.operators.context import find_this_run, open_state_store
from cloudtrail_elasticsearch.operators.loading import LoadingOperator
from cloudtrail_elasticsearch.operators.metrics import add_to_counters
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors
from cloudtrail_elasticsearch.operators.supervision import exit_with_supervisor

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


class S3ToElasticsearchOperator(LoadingOperator, WindowOperator):
    """Loads a staged window and counts its documents on the server; returns the cell's figures.

    A window that is already loaded costs no bulk request if the server still holds every document, unless `force`
    is true. `WindowOperator` has the arguments of the window, and `LoadingOperator` those of the documents.
    """

    template_fields: Sequence[str] = (
        *WindowOperator.template_fields,
        *(name for name in LoadingOperator.template_fields if name != "force"),
    )

    @never_retry_final_errors
    def execute(self, context: Context) -> dict[str, Any]:
        """Load the window and return its `Cell` as plain values.

        A window without events sends no request: it returns a `VerifiedCell`, which the coverage task stores.

        :raises MappingError: the index is not a valid index name
        :raises StagingError: the staged objects do not match the manifest
        :raises TransientError: the server does not recover in time
        """
        from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
        from cloudtrail_elasticsearch.pipeline.load import WindowLoad, make_quiet_cell
        from cloudtrail_elasticsearch.pipeline.staged_parts import StagedParts

        # First, so that a wrong name fails for a window without events, too.
        pattern = IndexPattern(self.index)
        window, staging = self.planned_window(), self.staging(self.aws())
        manifest = staging.manifest(window)
        if manifest is None:
            raise StagingError(f"{window.name} is not staged in {staging.uri(window)}: run its fetch task first.")
        parts = StagedParts(manifest, staging)
        if not manifest.parts:
            self.log.info("%s has no events: no request to the search server is needed.", window.name)
            # Quiet cells are stored in the ledger by the coverage task, all in one request (ADR-0010).
            return make_quiet_cell(parts, find_this_run(context)).to_dict()
        server, loader = self.connect(pattern)
        store = open_state_store(context, lambda: staging.state(window, self.task_id))
        ledger = Ledger(server, pattern.text)
        load = WindowLoad(parts, staging, loader, ledger, store, find_this_run(context))
        try:
            with exit_with_supervisor():
                return self.choose_work()(load).to_dict()
        finally:
            # Also after a failure: these events are on the server.
            add_to_counters(window, events_indexed=load.sent.indexed, events_quarantined=load.sent.quarantined)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:  # noqa: ARG002 - its name
        """Return the task's inputs and outputs; OpenLineage's provider calls this, if it is installed."""
        from cloudtrail_elasticsearch.operators import lineage

        return lineage.describe_load(self.staged_uri(), self._server, self.index)
