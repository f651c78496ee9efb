"""The plan task of a trail: batches of windows for each day, found by listing the trail's bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import Context, conf

from cloudtrail_elasticsearch.core.coverage.windows import check_tasks, list_days
from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX
from cloudtrail_elasticsearch.operators.base import StagingOperator, is_true
from cloudtrail_elasticsearch.operators.days import DaysOperator, parse_tasks
from cloudtrail_elasticsearch.operators.enrichment import read_settings
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors
from cloudtrail_elasticsearch.operators.shard_advice import log_shard_advice
from cloudtrail_elasticsearch.operators.trail_choice import TrailPlanOperator
from cloudtrail_elasticsearch.trail_params import TRAIL_SETTLE_MINUTES

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook

_LEDGER_PATIENCE: Final = 5.0
"""Seconds for which requests to the ledger are retried; without them, only names of accounts are missing."""


class CloudTrailTrailPlanOperator(TrailPlanOperator, DaysOperator, StagingOperator):
    """Plans the days of a trail: every account, region and kind of event in its bucket, in batches of equal work.

    Any past day can be planned. `TrailPlanOperator` has the arguments that choose the trail, `DaysOperator` those
    that choose the days, and `StagingOperator` those of the staging bucket, which stores the plan.

    :param lists: false: the run lists nothing, so the plan does not wait for the day to settle
    :param enrichment: as of `LoadingOperator`; if it has `account_names`, the plan records the names of the
        organization's accounts in the ledger
    :param index: the index pattern of the ledger's cells and of the advice on shards
    :param search_conn_id: the connection to the search server; None: no names are recorded, and no advice is given
    """

    template_fields: Sequence[str] = (
        *DaysOperator.template_fields,
        *StagingOperator.template_fields,
        *TrailPlanOperator.template_fields,
        "lists",
        "enrichment",
        "index",
    )

    def __init__(
        self,
        *,
        settle_minutes: str | int = TRAIL_SETTLE_MINUTES,
        lists: str | bool = True,
        enrichment: Mapping[str, Any] | str | None = None,
        index: str = DEFAULT_INDEX,
        search_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(settle_minutes=settle_minutes, **kwargs)
        self.lists = lists
        self.enrichment = enrichment
        self.index = index
        self.search_conn_id = search_conn_id

    @never_retry_final_errors
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return the batches of all days as plain values.

        :raises PlanError: no trail is configured, a param is unknown or wrong, or the days cannot be planned
        :raises AccessDeniedError: a permission is missing
        :raises EnrichmentError: the setting of enrichment is wrong
        :raises AirflowRescheduleException: CloudTrail may still deliver log files of the last day
        """
        from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook
        from cloudtrail_elasticsearch.pipeline.trail_plan import plan_days, store_plan
        from cloudtrail_elasticsearch.sources.trail.listing import find_top_folder

        self.check_params(context)
        start, end = self.find_range(context)
        days = list_days(start, end, datetime.now(UTC))
        if is_true(self.lists):
            self.wait_until_settled(end)
        hook = CloudTrailHook(aws_conn_id=self.trail_conn_id)
        bucket, prefix, settings = self.find_trail(hook)
        selection = self.read_selection()
        plans = self.open_plans(self.aws().s3())
        planned = []
        opened = hook.open_trail_bucket(bucket, find_top_folder(prefix))
        for plan in plan_days(opened, prefix, days, parse_tasks(self.tasks), selection, settings):
            batches = store_plan(plan, plans)
            planned += batches
            self.log.info(
                "Planned %s: %d log files (%d bytes) of %d accounts, %d windows in %d batches.",
                plan.day,
                sum(batch.files for batch in batches),
                sum(batch.bytes for batch in batches),
                len(plan.list_regions()),
                len(plan.regions),
                len(batches),
            )
        check_tasks(len(planned), conf.getint("core", "max_map_length"))
        if self.search_conn_id and read_settings(self.enrichment)[0].account_names:
            self._record_account_names(hook, self.search_conn_id)
        log_shard_advice(self.search_conn_id, self.index, days[-1])
        return [batch.to_dict() for batch in planned]

    def _record_account_names(self, hook: CloudTrailHook, search_conn_id: str) -> None:
        from cloudtrail_elasticsearch.hooks.search import SearchHook

        try:
            names = {account.id: account.name for account in hook.list_accounts()}
            SearchHook(search_conn_id).open_ledger(self.index, _LEDGER_PATIENCE).record_account_names(names)
        except LoaderError as error:
            self.log.warning("The names of accounts are those that the ledger has: %s", error)
