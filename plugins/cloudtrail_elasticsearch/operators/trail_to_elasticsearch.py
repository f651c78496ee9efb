"""The load task of a trail: loads each window of a batch from the log files in their place, and verifies it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.operators.base import is_true
from cloudtrail_elasticsearch.operators.batch import BatchOperator
from cloudtrail_elasticsearch.operators.context import find_this_run, open_state_store, return_early
from cloudtrail_elasticsearch.operators.loading import LoadingOperator
from cloudtrail_elasticsearch.operators.metrics import add_to_counters
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors
from cloudtrail_elasticsearch.operators.supervision import exit_with_supervisor

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from cloudtrail_elasticsearch.core.coverage.ledger import VerifiedCell
    from cloudtrail_elasticsearch.core.coverage.windows import Window
    from cloudtrail_elasticsearch.core.loading.loader import Loader
    from cloudtrail_elasticsearch.core.loading.report import LoadReport
    from cloudtrail_elasticsearch.pipeline.trail_load import DayLedger, Work
    from cloudtrail_elasticsearch.pipeline.trail_plan import BatchWindow

_MANIFESTS_AT_ONCE: Final = 16
_LOADS_AT_ONCE: Final = 4
"""Windows that are loaded at once: a small one waits for S3, for the server and for Airflow most of the time."""


class CloudTrailTrailToElasticsearchOperator(LoadingOperator, BatchOperator):
    """Loads each window of a batch and counts its documents on the server; returns the cells.

    The failure of a window does not stop the others, and the task fails at its end with the names of those that
    failed. A retry goes on with the windows that were being loaded, and does not load the finished ones again.
    `BatchOperator` has the arguments of the batch, and `LoadingOperator` those of the documents.

    :param listed: the result of the list task of the same batch
    :param changes: only load windows that changed since they were loaded (``true`` or ``false``)
    """

    template_fields: Sequence[str] = (
        *BatchOperator.template_fields,
        *LoadingOperator.template_fields,
        "listed",
        "changes",
    )

    def __init__(self, *, listed: Any, changes: str | bool = False, **kwargs: Any) -> None:
        # Also after a failed list task: the windows that it listed are loaded.
        kwargs.setdefault("trigger_rule", "all_done")
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
        from cloudtrail_elasticsearch.core.coverage.batch_cells import pack_cells
        from cloudtrail_elasticsearch.pipeline.each_window import EachWindow
        from cloudtrail_elasticsearch.pipeline.trail_load import BatchLoad

        # First, so that a wrong name fails for windows without events, too.
        pattern = IndexPattern(self.index)
        if self.listed is None:
            raise StagingError(f"{self.batch['name']} was not listed: see the log of its list task.")
        batch = self.planned_batch()
        if any(self.listed[name] != value for name, value in batch.identity.items()):
            raise StagingError(f"{batch.name} was planned again after it was listed: clear its list task.")
        s3 = self.aws().s3()
        plan, windows = self.read_windows(s3)
        stagings = self.stagings(s3, plan.bucket)
        store = open_state_store(context, lambda: self.open_substitute_store(stagings, windows))
        run = find_this_run(context)
        bucket = self.trail_aws().open_trail_bucket(plan.bucket, plan.folder)
        load = BatchLoad(
            bucket, stagings, lambda: self._connect(pattern), store, run, self._choose_batch_work(), _count_sent
        )
        failed = set(self.listed["failed"])
        each_window = EachWindow()
        cells: dict[int, VerifiedCell] = {}
        busy: list[tuple[int, BatchWindow]] = []
        for number in failed:
            reason = StagingError("it was not listed; the log of the list task has the reason")
            each_window.fail(number, windows[number], reason)
        with exit_with_supervisor():
            wanted = ((number, each) for number, each in enumerate(windows) if number not in failed)
            for number, asked, cell in each_window.run(load.find_quiet, wanted, _MANIFESTS_AT_ONCE):
                if cell is None:
                    busy.append((number, asked))
                else:
                    cells[number] = cell
            busy.sort(key=lambda numbered: numbered[0])
            cells |= {number: loaded for number, _, loaded in each_window.run(load.load, busy, _LOADS_AT_ONCE)}
        self.log.info("%s: %d of %d windows have log files.", self.batch["name"], len(busy), len(windows))
        result = batch.identity | pack_cells(cells, run)
        with return_early(context, result):
            each_window.check("loaded", len(windows))
        load.forget()
        return result

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:  # noqa: ARG002 - its name
        """Return the task's inputs and outputs; OpenLineage's provider calls this, if it is installed."""
        from cloudtrail_elasticsearch.operators import lineage

        return lineage.describe_trail_load(self.trail_uri(), self.staged_uri(), self._server, self.index)

    def _connect(self, pattern: IndexPattern) -> tuple[Loader, DayLedger]:
        from cloudtrail_elasticsearch.pipeline.trail_load import DayLedger

        server, loader = self.connect(pattern)
        return loader, DayLedger(server, pattern.text)

    def _choose_batch_work(self) -> Work:
        from cloudtrail_elasticsearch.pipeline.load import WindowLoad

        return WindowLoad.load_changes if is_true(self.changes) else self.choose_work()


def _count_sent(window: Window, sent: LoadReport) -> None:
    add_to_counters(window, events_indexed=sent.indexed, events_quarantined=sent.quarantined)
