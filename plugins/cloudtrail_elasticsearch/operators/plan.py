"""The plan: a window for every region and every day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context, conf

from cloudtrail_elasticsearch.core.windows import check_size, choose_regions, parse_day, plan
from cloudtrail_elasticsearch.operators.retries import retry_policy


class CloudTrailPlanOperator(BaseOperator):
    """Plans the windows to load: the account's enabled regions by the days asked for.

    Without `start` and `end` it plans the run's data interval, and where there is none, yesterday.

    :param start: the first day, as ``2026-11-20``
    :param end: the first day left out
    :param regions: the regions to load; all enabled ones where it is empty
    :param aws_conn_id: the AWS connection
    """

    template_fields: Sequence[str] = ("start", "end", "regions")

    def __init__(
        self,
        *,
        start: str | None = None,
        end: str | None = None,
        regions: Sequence[str] | str = (),
        aws_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retry_policy", retry_policy())
        super().__init__(**kwargs)
        self.start = start
        self.end = end
        self.regions = regions
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> list[dict[str, str]]:
        """Return the windows as plain values.

        :raises PlanError: the range or the regions cannot be planned
        """
        from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook

        start, end = self._days(context)
        hook = CloudTrailHook(aws_conn_id=self.aws_conn_id)
        regions = choose_regions(_names(self.regions), hook.enabled_regions())
        windows = plan(hook.account, regions, start, end, now=datetime.now(UTC))
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

    def _days(self, context: Context) -> tuple[date, date]:
        """The days asked for; where only one end is given, one day."""
        one_day = timedelta(days=1)
        start = parse_day(self.start, "start") if self.start else None
        end = parse_day(self.end, "end") if self.end else None
        if start is None and end is None:
            interval = context.get("data_interval_start"), context.get("data_interval_end")
            if all(interval):
                start, end = (moment.astimezone(UTC).date() for moment in interval)  # type: ignore[union-attr]
            else:
                end = datetime.now(UTC).date()
        if start is None:
            assert end is not None  # noqa: S101 - one of the two was given
            start = end - one_day
        return start, end or start + one_day


def _names(regions: Sequence[str] | str) -> list[str]:
    """Read the regions from a list, or from text where a template has made it that."""
    if isinstance(regions, str):
        return [name for name in regions.replace(",", " ").split() if name]
    return list(regions)
