"""The plan task: the windows of each account, region and day, in batches for the mapped tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from airflow.providers.common.compat.sdk import Context, conf

from cloudtrail_elasticsearch.core.coverage.accounts import Account
from cloudtrail_elasticsearch.core.coverage.lookup_batches import plan_lookup_batches
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import check_history, check_tasks, list_days
from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX
from cloudtrail_elasticsearch.operators.accounts_plan import AccountsPlanOperator
from cloudtrail_elasticsearch.operators.base import is_true
from cloudtrail_elasticsearch.operators.days import DaysOperator, parse_tasks
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors
from cloudtrail_elasticsearch.operators.shard_advice import log_shard_advice
from cloudtrail_elasticsearch.params import SETTLE_MINUTES

_USUAL_DAYS: Final = timedelta(days=28)
"""The days of the ledger that show how many events a region usually has: four weeks, with their weekends."""

_LEDGER_PATIENCE: Final = 5.0
"""Seconds for which requests to the ledger are retried; without the ledger, the batches are only less balanced."""


class CloudTrailPlanOperator(AccountsPlanOperator, DaysOperator):
    """Plans the windows to load: each enabled region of each account, for each requested day.

    Quiet windows share a task: the ledger shows which they are. The windows of an account whose role AWS refuses
    are planned, too, in a task of their own, which fails with the reason. `AccountsPlanOperator` has the arguments
    that choose the accounts, and `DaysOperator` those that choose the days.

    :param look_up: false: the run looks up nothing, so days older than LookupEvents' 90 days are allowed
    :param index: the index pattern of the ledger's cells
    :param search_conn_id: the connection to the search server; None: the ledger is not used
    """

    template_fields: Sequence[str] = (
        *AccountsPlanOperator.template_fields,
        *DaysOperator.template_fields,
        "look_up",
        "index",
    )

    def __init__(
        self,
        *,
        settle_minutes: str | int = SETTLE_MINUTES,
        look_up: str | bool = True,
        index: str = DEFAULT_INDEX,
        search_conn_id: str | None = "elasticsearch_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(settle_minutes=settle_minutes, **kwargs)
        self.look_up = look_up
        self.index = index
        self.search_conn_id = search_conn_id

    @never_retry_final_errors
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return the batches as plain values.

        :raises PlanError: a param is unknown or wrong, or the range, the accounts or the regions cannot be planned
        :raises MappingError: the param `index` is not a valid index name
        :raises AirflowRescheduleException: CloudTrail may still deliver events of the last day
        """
        from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook

        # First, so that a wrong param fails before anything is requested.
        self.check_params(context)
        start, end = self.find_range(context)
        now = datetime.now(UTC)
        days = list_days(start, end, now)
        if is_true(self.look_up):
            self.wait_until_settled(end)
            # A replay or a verification reads staged events of any age.
            check_history(start, now)
        hook = CloudTrailHook(aws_conn_id=self.aws_conn_id)
        ids, organization = self.choose_accounts(hook)
        accounts = self.plan_accounts(hook, ids)
        if len(ids) > 1 and not organization:
            organization = self._find_names()
        sources, tasks = self.choose_sources(), parse_tasks(self.tasks)
        usual = self._learn({each.id: each.name for each in organization}, days[0], sources)
        batches = [
            batch
            for source in sources
            for batch in plan_lookup_batches(days, accounts, usual.get(source, {}), tasks, source)
        ]
        # Checked here, so that the error names the remedies.
        check_tasks(len(batches), conf.getint("core", "max_map_length"))
        self.log.info(
            "Planned %d windows of %d accounts in %d batches, %s to %s.",
            sum(len(batch.windows) for batch in batches),
            len(accounts),
            len(batches),
            start,
            end - timedelta(days=1),
        )
        log_shard_advice(self.search_conn_id, self.index, days[-1])
        return [batch.to_dict() for batch in batches]

    def _find_names(self) -> list[Account]:
        """Return the accounts of the organization, for their names; none if they cannot be listed."""
        try:
            return self.list_organization()
        except LoaderError as error:
            self.log.info("The coverage page shows the accounts without their names: %s", error)
            return []

    def _learn(
        self, names: Mapping[str, str], first_day: date, sources: Sequence[Source]
    ) -> dict[Source, dict[tuple[str, str], float]]:
        """Return the usual number of events of each source by account and region, and record the accounts' names.

        A ledger that cannot be reached does not stop the run: the load tasks then fail, and are retried.
        """
        from cloudtrail_elasticsearch.hooks.search import SearchHook

        if not self.search_conn_id:
            return {}
        try:
            ledger = SearchHook(self.search_conn_id).open_ledger(self.index, _LEDGER_PATIENCE)
            if names:
                ledger.record_account_names(names)
            return {source: ledger.find_usual_events(first_day - _USUAL_DAYS, source) for source in sources}
        except LoaderError as error:
            self.log.warning("Planned without the ledger, so batches may differ in size: %s", error)
            return {}
