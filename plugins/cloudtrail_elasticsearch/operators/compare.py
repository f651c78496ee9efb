"""The compare task of a trail: the events of a day that only LookupEvents or only the trail has."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.core.errors import FileError, StagingError
from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX
from cloudtrail_elasticsearch.operators.base import StagingOperator
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.pipeline.trail_plan import DayPlan

_LEDGER_PATIENCE: Final = 300.0
"""Seconds for which requests to the ledger are retried: the ledger has the cells to compare."""


class CloudTrailCompareOperator(StagingOperator):
    """Compares the LookupEvents cells of the days around a trail's run with the trail, and stores the differences.

    A cell is compared if the ledger has both sources of its day, complete, and one of them changed since the
    newest comparison. Without such cells, the task costs one search. A cell whose staged events or log files
    cannot be read is logged and left as it is. `StagingOperator` has the arguments of the staging bucket.

    :param planned: the batches, from `CloudTrailTrailPlanOperator`
    :param index: the index pattern
    :param search_conn_id: the connection to the search server
    :param trail_conn_id: the AWS connection that reads the trail; its role may be one of another account
    """

    template_fields: Sequence[str] = ("planned", "index", "trail_conn_id", *StagingOperator.template_fields)
    ui_color = "#efe6f8"

    def __init__(
        self,
        *,
        planned: Any,
        index: str = DEFAULT_INDEX,
        search_conn_id: str = "elasticsearch_default",
        trail_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.planned: list[dict[str, Any]] | None = planned
        self.index = index
        self.search_conn_id = search_conn_id
        self.trail_conn_id = trail_conn_id

    @never_retry_final_errors
    def execute(self, context: Context) -> dict[str, int]:  # noqa: ARG002 - Airflow's
        """Return the number of compared cells, and the sums of their events.

        :raises StagingError: a plan is missing or altered
        :raises LoaderError: S3 or the search server cannot be asked
        """
        from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook
        from cloudtrail_elasticsearch.hooks.search import SearchHook
        from cloudtrail_elasticsearch.pipeline.compare import compare_window, find_windows_to_compare
        from cloudtrail_elasticsearch.staging import Staging

        s3 = self.aws().s3()
        plans = self._read_plans(s3)
        folders = {(each.account, each.region): (plan, each) for plan in plans for each in plan.regions}
        ledger = SearchHook(self.search_conn_id).open_ledger(self.index, _LEDGER_PATIENCE)
        windows = find_windows_to_compare(
            ledger, (plan.day for plan in plans), {account for account, _ in folders}
        )
        totals = {"cells": 0, "both": 0, "only_lookup_events": 0, "only_trail": 0}
        staging = Staging(s3, self.require_bucket(), self.prefix)
        trail = CloudTrailHook(aws_conn_id=self.trail_conn_id)
        open_bucket = cache(trail.open_trail_bucket)
        for window in windows:
            place = folders.get((window.account, window.region))
            if place is None:
                # A run of selected regions has not found where the others are.
                continue
            plan, region = place
            bucket = open_bucket(plan.bucket, plan.folder)
            try:
                found = compare_window(window, staging, bucket, region)
            except (FileError, StagingError) as error:
                self.log.warning("%s is not compared: %s", window.name, error)
                continue
            ledger.record_comparison(window, found)
            sums = {
                "cells": 1,
                "both": found.both,
                "only_lookup_events": found.only_lookup_events.events,
                "only_trail": found.only_trail.events,
            }
            totals = {name: totals[name] + figure for name, figure in sums.items()}
            self.log.info(
                "%s: %d events in both sources, %d only in LookupEvents, %d only in the trail.",
                window.name,
                found.both,
                found.only_lookup_events.events,
                found.only_trail.events,
            )
        return totals

    def _read_plans(self, s3: Any) -> list[DayPlan]:
        from cloudtrail_elasticsearch.pipeline.trail_plan import TrailBatch, read_plan

        plans = self.open_plans(s3)
        keys = {TrailBatch.from_dict(batch).plan for batch in self.planned or ()}
        return [read_plan(plans, key) for key in sorted(keys)]
