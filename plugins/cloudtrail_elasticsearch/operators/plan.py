"""The plan task: one window for each region and day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import Context, conf

from cloudtrail_elasticsearch.core.coverage.windows import HISTORY, check_size, choose_regions, plan_windows
from cloudtrail_elasticsearch.operators.base import is_true
from cloudtrail_elasticsearch.operators.days import DaysOperator, split_names
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors
from cloudtrail_elasticsearch.params import SETTLE_MINUTES


class CloudTrailPlanOperator(DaysOperator):
    """Plans the windows to load: each enabled region of the account, for each requested day.

    `DaysOperator` has the arguments that choose the days.

    :param regions: the regions to load; empty: all enabled regions
    :param look_up: false: the run looks up nothing, so days older than LookupEvents' 90 days are allowed
    """

    template_fields: Sequence[str] = (*DaysOperator.template_fields, "regions", "look_up")

    def __init__(
        self,
        *,
        regions: Sequence[str] | str = (),
        settle_minutes: str | int = SETTLE_MINUTES,
        look_up: str | bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(settle_minutes=settle_minutes, **kwargs)
        self.regions = regions
        self.look_up = look_up

    @never_retry_final_errors
    def execute(self, context: Context) -> list[dict[str, str]]:
        """Return the windows as plain values.

        :raises PlanError: a param is unknown or wrong, or the range or the regions cannot be planned
        :raises MappingError: the param `index` is not a valid index name
        :raises AirflowRescheduleException: CloudTrail may still deliver events of the last day
        """
        from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook

        # First, so that a wrong param fails before anything is requested.
        self.check_params(context)
        start, end = self.find_range(context)
        looks_up = is_true(self.look_up)
        if looks_up:
            self.wait_until_settled(end)
        hook = CloudTrailHook(aws_conn_id=self.aws_conn_id)
        regions = choose_regions(split_names(self.regions), hook.enabled_regions())
        # A replay or a verification reads staged events of any age.
        history = HISTORY if looks_up else None
        windows = plan_windows(hook.account, regions, start, end, now=datetime.now(UTC), history=history)
        # Checked here, so that the error names the remedies.
        check_size(len(windows), conf.getint("core", "max_map_length"))
        self.log.info(
            "Planned %d cells of account %s: %d regions, %s to %s.",
            len(windows),
            hook.account,
            len(regions),
            start,
            end - timedelta(days=1),
        )
        return [window.to_dict() for window in windows]
