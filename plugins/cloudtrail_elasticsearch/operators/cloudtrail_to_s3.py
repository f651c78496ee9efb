"""The fetch task: looks up the events of a batch's windows with LookupEvents, and stages them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.operators.base import is_true, read_setting
from cloudtrail_elasticsearch.operators.batch_staging import BatchStagingOperator
from cloudtrail_elasticsearch.operators.context import find_this_run, name_this_run, open_state_store
from cloudtrail_elasticsearch.operators.lookup_batch import LookupBatchOperator
from cloudtrail_elasticsearch.operators.metrics import add_to_counters
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors
from cloudtrail_elasticsearch.operators.supervision import exit_with_supervisor

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from cloudtrail_elasticsearch.core.coverage.lookup_batches import LookupBatch, LookupWindow
    from cloudtrail_elasticsearch.core.coverage.windows import Window
    from cloudtrail_elasticsearch.core.joint_progress import JointProgress
    from cloudtrail_elasticsearch.core.progress import StateStore
    from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook
    from cloudtrail_elasticsearch.pipeline.lookup_fetch import FetchedWindow, FetchWork
    from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
    from cloudtrail_elasticsearch.staging import Staging


class CloudTrailToS3Operator(BatchStagingOperator, LookupBatchOperator):
    """Looks up every event of each window of a batch, and stages it in S3; returns figures of the windows.

    A window that is already staged costs no LookupEvents call, unless `force` or `late` is true. A retry fetches
    only those that are left, and does not look up the same pages again. `BatchStagingOperator` has the rules of
    failures, and `LookupBatchOperator` the arguments of the batch.

    :param external_id: the external id that the accounts' role requires; None: the value of the Airflow variable
        ``cloudtrail_external_id``
    :param late: look up a staged window again, and stage only its new events (``true`` or ``false``)
    :param look_up: false: make no LookupEvents call, even if a window is not staged
    """

    DONE = "fetched"
    FIGURES = ("looked_up", "staged", "calls", "throttled")

    template_fields: Sequence[str] = (*LookupBatchOperator.template_fields, "external_id", "late", "look_up")
    ui_color = "#dbe9f6"

    def __init__(
        self,
        *,
        external_id: str | None = None,
        late: str | bool = False,
        look_up: str | bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.external_id = external_id
        self.late = late
        self.look_up = look_up

    @never_retry_final_errors
    def execute(self, context: Context) -> dict[str, Any]:
        """Stage the windows; return the batch, figures of its windows, and the windows that failed.

        The error of a batch of a single window is that of the window.

        :raises CoverageError: some windows were not fetched, and a retry would not help; the message names them
        :raises TransientError: some windows were not fetched, and a retry may help
        """
        from cloudtrail_elasticsearch.pipeline.lookup_fetch import FetchWork, WindowFetcher

        batch = self.planned_batch()
        if not is_true(self.look_up):
            self.log.info("Looked up nothing: this run works on the windows that are staged already.")
            return self.describe_nothing(batch)
        aws = self.aws()
        staging = self.staging(aws)
        work = self._choose_work()
        # A new window is finished if it has a manifest; another one has a manifest before, too.
        finished = None if work is FetchWork.NEW else self._open_finished(batch, staging, context)
        fetcher = WindowFetcher(
            self._open_lookups(batch, aws), staging, self._share_store(staging, context), finished, work, _count
        )
        with exit_with_supervisor(), finished or nullcontext():
            result = self.stage_batch(context, batch, batch.windows, fetcher.fetch)
            if finished is not None:
                finished.finish()
        return result

    def count(self, window: Window, staged: FetchedWindow) -> dict[str, int]:
        """Return the figures of a window that was fetched, and add them to Airflow's metrics."""
        add_to_counters(window, events_looked_up=staged.looked_up, events_staged=staged.staged)
        return {name: getattr(staged, name) for name in self.FIGURES}

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:  # noqa: ARG002 - its name
        """Return the task's inputs and outputs; OpenLineage's provider calls this, if it is installed."""
        from cloudtrail_elasticsearch.operators import lineage

        return lineage.describe_fetch([each.window for each in self.planned_batch().windows], self.staged_uris())

    def _open_finished(self, batch: LookupBatch, staging: Staging, context: Context) -> JointProgress:
        from cloudtrail_elasticsearch.core.joint_progress import open_batch_progress

        first = batch.windows[0].window
        store = open_state_store(context, lambda: staging.state(first, self.task_id))
        return open_batch_progress(store, find_this_run(context))

    def _open_lookups(self, batch: LookupBatch, aws: CloudTrailHook) -> Callable[[LookupWindow], LookupEvents]:
        """Return a function that returns the LookupEvents client for a window."""
        has_roles = any(each.role for each in batch.windows)
        external_id = read_setting(self.external_id, "cloudtrail_external_id") if has_roles else ""

        def open_lookup(asked: LookupWindow) -> LookupEvents:
            return aws.open_account(asked.role, external_id).open_lookup(asked.window)

        return open_lookup

    def _share_store(self, staging: Staging, context: Context) -> Callable[[Window], StateStore]:
        """Return a function that returns the store of a window's progress."""
        from cloudtrail_elasticsearch.core.progress import PartOfStore

        turn = threading.Lock()
        # As in Airflow's store: a forced run must not continue the abandoned fetch of another one (ADR-0008).
        name = f"{self.task_id}/run={name_this_run(context)}"

        def store_of(window: Window) -> StateStore:
            store = open_state_store(context, lambda: staging.state(window, name))
            part = f"{window.account}-{window.region}-{window.start:%Y%m%dT%H%M%S}"
            return PartOfStore(store, part, turn)

        return store_of

    def _choose_work(self) -> FetchWork:
        from cloudtrail_elasticsearch.pipeline.lookup_fetch import FetchWork

        if self.forced:
            # All events are looked up again, late ones included.
            return FetchWork.AGAIN
        return FetchWork.LATE if is_true(self.late) else FetchWork.NEW


def _count(window: Window, calls: int, throttled: int) -> None:
    add_to_counters(window, calls=calls, calls_throttled=throttled)
