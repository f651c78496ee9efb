"""The plan task of live runs: every region of every account, in batches for the mapped tasks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import Context, conf

from cloudtrail_elasticsearch.core.coverage.lookup_batches import plan_lookup_batches
from cloudtrail_elasticsearch.core.coverage.windows import check_tasks
from cloudtrail_elasticsearch.operators.accounts_plan import AccountsPlanOperator
from cloudtrail_elasticsearch.operators.days import parse_tasks
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors


class CloudTrailLivePlanOperator(AccountsPlanOperator):
    """Plans the regions that a live run follows; about 200 of them share a task.

    It writes nothing, and reads nothing of the ledger. `AccountsPlanOperator` has the arguments.
    """

    @never_retry_final_errors
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return the batches as plain values.

        :raises PlanError: a param is unknown or wrong, or the accounts or the regions cannot be planned
        :raises MappingError: the param `index` is not a valid index name
        """
        from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook

        self.check_params(context)
        hook = CloudTrailHook(aws_conn_id=self.aws_conn_id)
        ids, _ = self.choose_accounts(hook)
        accounts = self.plan_accounts(hook, ids)
        # A live run waits most of the time, so that its batches have as many regions as those of quiet ones.
        quiet = {(plan.account, region): 0.0 for plan in accounts for region in plan.regions}
        days, tasks = [datetime.now(UTC).date()], parse_tasks(self.tasks)
        batches = [
            batch.to_dict()
            for source in self.choose_sources()
            for batch in plan_lookup_batches(days, accounts, quiet, tasks, source)
        ]
        check_tasks(len(batches), conf.getint("core", "max_map_length"))
        self.log.info("Planned %d regions of %d accounts in %d batches.", len(quiet), len(accounts), len(batches))
        return batches
