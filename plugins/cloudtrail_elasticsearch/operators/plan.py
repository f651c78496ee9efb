"""The plan: a window for every region and every day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context, conf

from cloudtrail_elasticsearch.core.errors import PlanError
from cloudtrail_elasticsearch.core.windows import HISTORY, check_size, choose_regions, midnight, parse_day, plan
from cloudtrail_elasticsearch.operators.base import is_true
from cloudtrail_elasticsearch.operators.retries import fails_for_good, retry_arguments
from cloudtrail_elasticsearch.params import SETTLE_MINUTES


class CloudTrailPlanOperator(BaseOperator):
    """Plans the windows to load: the account's enabled regions by the days asked for.

    Without `start` and `end` it plans the run's data interval, and where there is none, yesterday.

    :param start: the first day, as ``2026-11-20``
    :param end: the first day left out
    :param regions: the regions to load; all enabled ones where it is empty
    :param settle_minutes: how long to wait after the end of the last day, as CloudTrail delivers late; the task
        is rescheduled, and takes no slot meanwhile
    :param days_ago: plan an earlier day than the data interval's: so many days before it
    :param look_up: false: nothing is to be looked up, so days may be planned that LookupEvents no longer sees
    :param aws_conn_id: the AWS connection
    """

    template_fields: Sequence[str] = ("start", "end", "regions", "settle_minutes", "days_ago", "look_up")

    def __init__(
        self,
        *,
        start: str | None = None,
        end: str | None = None,
        regions: Sequence[str] | str = (),
        settle_minutes: str | int = SETTLE_MINUTES,
        days_ago: str | int = 0,
        look_up: str | bool = True,
        aws_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**retry_arguments() | kwargs)
        self.start = start
        self.end = end
        self.regions = regions
        self.settle_minutes = settle_minutes
        self.days_ago = days_ago
        self.look_up = look_up
        self.aws_conn_id = aws_conn_id

    @fails_for_good
    def execute(self, context: Context) -> list[dict[str, str]]:
        """Return the windows as plain values.

        :raises PlanError: the range or the regions cannot be planned
        :raises AirflowRescheduleException: the last day is not settled yet
        """
        from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook

        start, end = self._days(context)
        self._settle(end)
        hook = CloudTrailHook(aws_conn_id=self.aws_conn_id)
        regions = choose_regions(_names(self.regions), hook.enabled_regions())
        history = HISTORY if is_true(self.look_up) else None
        windows = plan(hook.account, regions, start, end, now=datetime.now(UTC), history=history)
        check_size(len(windows), conf.getint("core", "max_map_length"))
        self.log.info(
            "Planned %d cells of account %s: %d regions, %s up to %s.",
            len(windows),
            hook.account,
            len(regions),
            start,
            end - timedelta(days=1),
        )
        return [window.to_dict() for window in windows]

    def _settle(self, end: date) -> None:
        """Come back later where CloudTrail may still deliver events of the last day."""
        from airflow.exceptions import AirflowRescheduleException

        settled = midnight(end) + timedelta(minutes=_whole(self.settle_minutes, "settle_minutes"))
        now = datetime.now(UTC)
        if is_true(self.look_up) and midnight(end) <= now < settled:
            self.log.info("Waiting until %s for the late events of %s.", settled, end - timedelta(days=1))
            raise AirflowRescheduleException(settled)  # type: ignore[no-untyped-call]

    def _days(self, context: Context) -> tuple[date, date]:
        """The days asked for; where only one end is given, one day."""
        one_day = timedelta(days=1)
        start = parse_day(self.start, "start") if self.start else None
        end = parse_day(self.end, "end") if self.end else None
        if start is None and end is None:
            interval = context.get("data_interval_start"), context.get("data_interval_end")
            if all(interval):
                earlier = timedelta(days=_whole(self.days_ago, "days_ago"))
                start, end = (moment.astimezone(UTC).date() - earlier for moment in interval)  # type: ignore[union-attr]
            else:
                end = datetime.now(UTC).date()
        if start is None:
            assert end is not None  # noqa: S101 - one of the two was given
            start = end - one_day
        return start, end or start + one_day


def _whole(value: str | int, name: str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise PlanError(f"{name} is {value!r}, which is not a whole number.") from error


def _names(regions: Sequence[str] | str) -> list[str]:
    """Read the regions from a list, or from text where a template has made it that."""
    if isinstance(regions, str):
        return [name for name in regions.replace(",", " ").split() if name]
    return list(regions)
