"""Fetch: LookupEvents into staged parts and a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.operators.base import WindowOperator, is_true
from cloudtrail_elasticsearch.operators.context import state_store
from cloudtrail_elasticsearch.operators.metrics import count
from cloudtrail_elasticsearch.operators.retries import fails_for_good
from cloudtrail_elasticsearch.operators.supervision import ends_with_its_supervisor

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from cloudtrail_elasticsearch.core.windows import Window
    from cloudtrail_elasticsearch.sources.lookup_events import LookupEvents
    from cloudtrail_elasticsearch.staging import Staging


class CloudTrailToS3Operator(WindowOperator):
    """Looks up every event of a window and stages it in S3; returns where.

    A window that is staged already costs no LookupEvents call, unless `force` or `late` is true. What an attempt
    has looked up before it was ended, the next one does not look up again.

    :param late: look at a window that is staged again, and stage what has come since (``true`` or ``false``)
    :param look_up: false: nothing is looked up, whether the window is staged or not
    """

    template_fields: Sequence[str] = (*WindowOperator.template_fields, "late", "look_up")
    ui_color = "#dbe9f6"

    def __init__(self, *, late: str | bool = False, look_up: str | bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.late = late
        self.look_up = look_up

    @fails_for_good
    def execute(self, context: Context) -> str:
        """Stage the window and return the URI of its folder.

        :raises AccessDeniedError: a permission is missing
        :raises TransientError: AWS throttles or fails for longer than a page is asked for
        """
        window, aws = self.planned_window(), self.aws()
        staging = self.staging(aws)
        if not is_true(self.look_up):
            self.log.info("Nothing is looked up for %s.", window.name)
        elif not self.forced and not is_true(self.late) and staging.manifest(window) is not None:
            self.log.info("%s is staged already in %s: nothing to look up.", window.name, staging.uri(window))
        else:
            self._look_up(window, aws.source(window), staging, context)
        return staging.uri(window)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:  # noqa: ARG002 - its name
        """Return what was read and written; OpenLineage's provider asks for it, where it is installed."""
        from cloudtrail_elasticsearch.operators import lineage

        return lineage.of_fetch(self.planned_window(), self.staged_uri())

    def _look_up(self, window: Window, source: LookupEvents, staging: Staging, context: Context) -> None:
        from cloudtrail_elasticsearch.pipeline.fetch import fetch
        from cloudtrail_elasticsearch.pipeline.late import fetch_late

        looks_again = is_true(self.late) and not self.forced
        before = staging.standing(window).manifest if looks_again else None
        store = state_store(context, staging, window, self.task_id)
        try:
            with ends_with_its_supervisor():
                manifest = (fetch_late if looks_again else fetch)(window, source, staging, store)
        finally:
            count(window, calls=source.calls, calls_throttled=source.throttled)
        count(
            window,
            events_looked_up=manifest.looked_up - (before.looked_up if before else 0),
            events_staged=manifest.staged - (before.staged if before else 0),
        )
