"""The plan task of a trail: batches of windows for each day, found by listing the trail's bucket."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context, conf

from cloudtrail_elasticsearch.core.coverage.windows import check_tasks, list_days
from cloudtrail_elasticsearch.core.errors import PlanError
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.operators.base import StagingOperator, is_true, read_setting
from cloudtrail_elasticsearch.operators.days import DaysOperator, parse_whole, split_names
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors
from cloudtrail_elasticsearch.params import TASKS, TRAIL_PARAMS, TRAIL_SETTLE_MINUTES

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook
    from cloudtrail_elasticsearch.sources.trail.listing import Selection
    from cloudtrail_elasticsearch.sources.trail.settings import TrailSettings


class CloudTrailTrailPlanOperator(DaysOperator, StagingOperator):
    """Plans the days of a trail: every account, region and kind of event in its bucket, in batches of equal work.

    Give the trail by its ARN, or by its bucket and prefix. Any past day can be planned. `DaysOperator` has the
    arguments that choose the days, and `StagingOperator` those of the staging bucket, which stores the plan.

    :param trail: the trail's ARN; `cloudtrail:GetTrail` returns its bucket and prefix
    :param trail_bucket: the bucket that the trail writes to
    :param trail_prefix: the trail's key prefix; it may end with ``AWSLogs/o-…``, the folder of one organization
    :param accounts: the ids of the accounts to load; a minus before an id leaves it out; empty: all in the bucket
    :param regions: the regions to load; empty: all
    :param kinds: the kinds of event to load, by their folders, such as ``CloudTrail``; empty: all
    :param tasks: the most batches of a day
    :param lists: false: the run lists nothing, so the plan does not wait for the day to settle
    :param trail_conn_id: the AWS connection that reads the trail; its role may be one of another account

    If `trail` and `trail_bucket` are both empty, the Airflow variables ``cloudtrail_trail``,
    ``cloudtrail_trail_bucket`` and ``cloudtrail_trail_prefix`` are used. If `accounts`, `regions` or `kinds` is
    empty, the Airflow variable ``cloudtrail_trail_accounts``, ``cloudtrail_trail_regions`` or
    ``cloudtrail_trail_kinds`` is used: names with blanks or commas between them.
    """

    template_fields: Sequence[str] = (
        *DaysOperator.template_fields,
        *StagingOperator.template_fields,
        "trail",
        "trail_bucket",
        "trail_prefix",
        "accounts",
        "regions",
        "kinds",
        "tasks",
        "lists",
        "trail_conn_id",
    )
    ui_color = "#efe6f8"

    def __init__(
        self,
        *,
        trail: str = "",
        trail_bucket: str = "",
        trail_prefix: str = "",
        accounts: Sequence[str] | str = (),
        regions: Sequence[str] | str = (),
        kinds: Sequence[str] | str = (),
        tasks: str | int = TASKS,
        settle_minutes: str | int = TRAIL_SETTLE_MINUTES,
        lists: str | bool = True,
        trail_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(settle_minutes=settle_minutes, **kwargs)
        self.trail = trail
        self.trail_bucket = trail_bucket
        self.trail_prefix = trail_prefix
        self.accounts = accounts
        self.regions = regions
        self.kinds = kinds
        self.tasks = tasks
        self.lists = lists
        self.trail_conn_id = trail_conn_id

    @never_retry_final_errors
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return the batches of all days as plain values.

        :raises PlanError: no trail is configured, a param is unknown or wrong, or the days cannot be planned
        :raises AccessDeniedError: a permission is missing
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
        bucket, prefix, settings = self._find_trail(hook)
        selection = self._read_selection()
        plans = self.open_plans(self.aws().s3())
        planned = []
        opened = hook.open_trail_bucket(bucket, find_top_folder(prefix))
        for plan in plan_days(opened, prefix, days, self._read_tasks(), selection, settings):
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
        return [batch.to_dict() for batch in planned]

    def _find_trail(self, hook: CloudTrailHook) -> tuple[str, str, TrailSettings | None]:
        """Return the bucket and the prefix, and the trail's settings if its ARN is known."""
        given = {"trail": self.trail, "trail_bucket": self.trail_bucket, "trail_prefix": self.trail_prefix}
        if not self.trail and not self.trail_bucket:
            given = {name: value or read_setting(None, f"cloudtrail_{name}") for name, value in given.items()}
        arn, bucket, prefix = given.values()
        if arn and self.trail_bucket:
            raise PlanError(
                "Both trail and trail_bucket are given: give the trail's ARN, or its bucket and prefix."
            )
        if arn:
            settings = hook.read_trail(arn)
            return settings.bucket, settings.prefix, settings
        if not bucket:
            raise PlanError(
                "No trail is configured: set the Airflow variable cloudtrail_trail to the trail's ARN, or "
                "cloudtrail_trail_bucket (and cloudtrail_trail_prefix) to its bucket and prefix, or give them as "
                "params of the run."
            )
        return bucket, prefix, None

    def _read_selection(self) -> Selection:
        """Return the chosen accounts, regions and kinds of event.

        :raises PlanError: a name cannot be one
        """
        from cloudtrail_elasticsearch.sources.trail.listing import Selection

        chosen: dict[str, list[str]] = {}
        for name, given in {"accounts": self.accounts, "regions": self.regions, "kinds": self.kinds}.items():
            chosen[name] = split_names(given) or split_names(read_setting(None, f"cloudtrail_trail_{name}"))
            fits = re.compile(TRAIL_PARAMS[name]["items"]["pattern"]).fullmatch
            # A variable has no form that checks it, and a misspelt account would not be left out.
            if wrong := [each for each in chosen[name] if not fits(each)]:
                raise PlanError(
                    f"{name} has {safe_text(wrong[0])!r}: correct the run's param or the Airflow variable "
                    f"cloudtrail_trail_{name}; an example is {TRAIL_PARAMS[name]['examples'][0]}."
                )
        return Selection(**chosen)

    def _read_tasks(self) -> int:
        tasks = parse_whole(self.tasks, "tasks")
        if tasks < 1:
            raise PlanError(f"tasks is {tasks}: give at least 1.")
        return tasks
