"""The task of live runs: loads the new events of a batch's regions, and moves their watermarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.operators.base import read_setting
from cloudtrail_elasticsearch.operators.live_work import PATIENCE, LiveWorkOperator
from cloudtrail_elasticsearch.operators.lookup_batch import LookupBatchOperator
from cloudtrail_elasticsearch.operators.metrics import add_to_counters, report_lag
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors
from cloudtrail_elasticsearch.operators.supervision import exit_with_supervisor

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.coverage.lookup_batches import LookupBatch, LookupWindow
    from cloudtrail_elasticsearch.core.coverage.watermarks import Place
    from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook
    from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
    from cloudtrail_elasticsearch.sources.lookup_events.follow import Followed

_AT_ONCE: Final = 32
"""Regions that are followed at once: each waits for AWS most of the time, and has a quota of its own."""


class CloudTrailFollowOperator(LiveWorkOperator, LookupBatchOperator):
    """Loads the new events of each region of a batch, up to now, and moves the region's watermark.

    A region without new events costs one LookupEvents call, and writes nothing. The failure of a region does not
    stop the others, and the task fails at its end with the names of those that failed. `LookupBatchOperator` has
    the arguments of the batch, and `LiveWorkOperator` those of the work.

    :param external_id: the external id that the accounts' role requires; None: the value of the Airflow variable
        ``cloudtrail_external_id``
    """

    template_fields: Sequence[str] = (
        *LookupBatchOperator.template_fields,
        *LiveWorkOperator.template_fields,
        "external_id",
    )

    def __init__(self, *, external_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.external_id = external_id

    @never_retry_final_errors
    def execute(self, context: Context) -> dict[str, Any]:
        """Load the new events; return the totals of the batch, and its largest lag in seconds.

        The error of a batch of a single region is that of the region.

        :raises MappingError: the index is not a valid index name
        :raises PlanError: `until` is not a time, or in the future
        :raises CoverageError: some regions were not followed, and a retry would not help; the message names them
        :raises TransientError: some regions were not followed, and a retry may help
        """
        from cloudtrail_elasticsearch.pipeline.each_window import EachWindow
        from cloudtrail_elasticsearch.pipeline.live import find_place

        del context
        batch = self.planned_batch()
        follow = self._make_follow(batch)
        totals = dict.fromkeys(("looked_up", "loaded", "quarantined", "calls", "throttled"), 0)
        lags = [0.0]
        each_window = EachWindow()
        with exit_with_supervisor():
            windows = enumerate(batch.windows)
            for _, asked, followed in each_window.run(follow, windows, min(_AT_ONCE, len(batch.windows))):
                for name in totals:
                    totals[name] += getattr(followed, name)
                lags.append(followed.lag)
                add_to_counters(
                    asked.window,
                    events_looked_up=followed.looked_up,
                    events_indexed=followed.loaded - followed.quarantined,
                    events_quarantined=followed.quarantined,
                    calls=followed.calls,
                    calls_throttled=followed.throttled,
                )
                report_lag(find_place(asked), followed.lag)
        listed = ", ".join(f"{count} {name}" for name, count in totals.items())
        self.log.info("Followed %d regions: %s; at most %.0f s behind.", len(lags) - 1, listed, max(lags))
        each_window.check("followed", len(batch.windows))
        return totals | {"regions": len(lags) - 1, "lag": round(max(lags))}

    def _make_follow(self, batch: LookupBatch) -> Callable[[LookupWindow], Followed]:
        """Return a function that follows a region."""
        from cloudtrail_elasticsearch.core.once import make_once
        from cloudtrail_elasticsearch.core.search.sender import LoadSettings
        from cloudtrail_elasticsearch.pipeline.live import LiveLoad, SharedWatermarks, find_place
        from cloudtrail_elasticsearch.sources.lookup_events.follow import Follower
        from cloudtrail_elasticsearch.sources.lookup_events.sharers import Sharers

        pattern, settings = IndexPattern(self.index), LoadSettings(patience=PATIENCE)
        clock = self.start_clock()
        server = self.connect()
        watermarks = SharedWatermarks(server, pattern.text, settings)
        known = watermarks.read([find_place(asked) for asked in batch.windows])
        aws = self.aws()
        # A quiet batch needs neither.
        open_loader = make_once(lambda: self.make_loader(server, pattern, settings))
        open_staging = make_once(lambda: self.staging(aws))
        follower = Follower(
            LiveLoad(open_loader).load,
            watermarks.record_one,
            lambda window: Sharers(open_staging(), window),
            clock,
            self.parse_overlap(),
        )
        open_lookup = self._open_lookups(batch, aws)

        def follow(asked: LookupWindow) -> Followed:
            place: Place = find_place(asked)
            return follower.follow(place, open_lookup(asked), known.get(place))

        return follow

    def _open_lookups(self, batch: LookupBatch, aws: CloudTrailHook) -> Callable[[LookupWindow], LookupEvents]:
        has_roles = any(each.role for each in batch.windows)
        external_id = read_setting(self.external_id, "cloudtrail_external_id") if has_roles else ""

        def open_lookup(asked: LookupWindow) -> LookupEvents:
            return aws.open_account(asked.role, external_id).open_lookup(asked.window, PATIENCE)

        return open_lookup
