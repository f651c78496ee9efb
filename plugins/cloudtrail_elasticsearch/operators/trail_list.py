"""The list task of a trail: lists each window of a batch, and proves the list by AWS's digests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.operators.base import is_true
from cloudtrail_elasticsearch.operators.batch import BatchOperator
from cloudtrail_elasticsearch.operators.context import return_early
from cloudtrail_elasticsearch.operators.metrics import add_to_counters
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors
from cloudtrail_elasticsearch.operators.supervision import exit_with_supervisor

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

_SIDE_BY_SIDE: Final = 16
"""Windows that are listed at once: a quiet one waits for its digests all the time."""


class CloudTrailTrailListOperator(BatchOperator):
    """Lists each window of a batch, verifies the digests, and writes a manifest; returns figures of the windows.

    Nothing is copied: a manifest names the log files in their place. A window that has a manifest is not listed
    again, unless its proof still waits for a digest. The failure of a window does not stop the others, and a retry
    lists only those that are left.

    :param again: list windows again that have a manifest, for late log files (``true`` or ``false``)
    :param lists: false: list nothing, even if a window has no manifest
    """

    template_fields: Sequence[str] = (*BatchOperator.template_fields, "again", "lists")
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
        from cloudtrail_elasticsearch.pipeline.each_window import EachWindow
        from cloudtrail_elasticsearch.pipeline.trail_list import WindowLister

        totals = {"windows": 0, "listed": 0, "files": 0, "bytes": 0, "digests": 0}
        # The load task must work on the same windows.
        named = self.planned_batch().identity
        if not is_true(self.lists):
            self.log.info("Listed nothing: this run works on the windows that are listed already.")
            return named | totals | {"failed": []}
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
        each_window = EachWindow()
        with exit_with_supervisor():
            for _, asked, listed in each_window.run(lister.list, enumerate(windows), _SIDE_BY_SIDE):
                counted = {"files": listed.files, "bytes": listed.bytes, "digests": listed.digests}
                for name, figure in ({"windows": 1, "listed": int(listed.is_new)} | counted).items():
                    totals[name] += figure
                if listed.is_new:
                    add_to_counters(asked.window, files_listed=listed.files, digests_verified=listed.digests)
        self.log.info("Listed %s: %s.", self.batch["name"], ", ".join(f"{totals[name]} {name}" for name in totals))
        result = named | totals | {"failed": each_window.failed}
        with return_early(context, result):
            each_window.check("listed", len(windows))
        return result

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:  # noqa: ARG002 - its name
        """Return the task's inputs and outputs; OpenLineage's provider calls this, if it is installed."""
        from cloudtrail_elasticsearch.operators import lineage

        return lineage.describe_list(self.trail_uri(), self.staged_uri())
