"""The fetch task: looks up a window's events with LookupEvents, and stages them as parts and a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.operators.base import WindowOperator, is_true
from cloudtrail_elasticsearch.operators.context import open_state_store
from cloudtrail_elasticsearch.operators.metrics import add_to_counters
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors
from cloudtrail_elasticsearch.operators.supervision import exit_with_supervisor

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from cloudtrail_elasticsearch.core.coverage.windows import Window
    from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
    from cloudtrail_elasticsearch.staging import Staging


class CloudTrailToS3Operator(WindowOperator):
    """Looks up every event of a window and stages it in S3; returns the URI of the window's folder.

    A window that is already staged costs no LookupEvents call, unless `force` or `late` is true. A retry resumes
    the attempt before: it does not look up the same pages again.

    :param late: look up a staged window again, and stage only its new events (``true`` or ``false``)
    :param look_up: false: make no LookupEvents call, even if the window is not staged
    """

    template_fields: Sequence[str] = (*WindowOperator.template_fields, "late", "look_up")
    ui_color = "#dbe9f6"

    def __init__(self, *, late: str | bool = False, look_up: str | bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.late = late
        self.look_up = look_up

    @never_retry_final_errors
    def execute(self, context: Context) -> str:
        """Stage the window and return the URI of its folder.

        :raises AccessDeniedError: a permission is missing
        :raises TransientError: AWS throttles a page or fails to return it, in every retry
        """
        window, aws = self.planned_window(), self.aws()
        staging = self.staging(aws)
        if not is_true(self.look_up):
            self.log.info("Skipped the lookup of %s: this run looks up nothing.", window.name)
        elif not self.forced and not is_true(self.late) and staging.manifest(window) is not None:
            self.log.info("%s is already staged in %s: nothing to look up.", window.name, staging.uri(window))
        else:
            self._look_up(window, aws.source(window), staging, context)
        return staging.uri(window)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:  # noqa: ARG002 - its name
        """Return the task's inputs and outputs; OpenLineage's provider calls this, if it is installed."""
        from cloudtrail_elasticsearch.operators import lineage

        return lineage.describe_fetch(self.planned_window(), self.staged_uri())

    def _look_up(self, window: Window, source: LookupEvents, staging: Staging, context: Context) -> None:
        from cloudtrail_elasticsearch.sources.lookup_events.fetch import fetch
        from cloudtrail_elasticsearch.sources.lookup_events.late import fetch_late

        # A forced fetch looks up all events again, late ones included.
        is_late = is_true(self.late) and not self.forced
        before = staging.standing(window).manifest if is_late else None
        store = open_state_store(context, lambda: staging.state(window, self.task_id))
        try:
            with exit_with_supervisor():
                manifest = (fetch_late if is_late else fetch)(window, source, staging, store)
        finally:
            # A failed task's calls have used the quota, too.
            add_to_counters(window, calls=source.calls, calls_throttled=source.throttled)
        add_to_counters(
            window,
            # The manifest of a late fetch also counts the events of earlier fetches.
            events_looked_up=manifest.looked_up - (before.looked_up if before else 0),
            events_staged=manifest.staged - (before.staged if before else 0),
        )
