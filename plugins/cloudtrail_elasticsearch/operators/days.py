"""The bases of the plan tasks: the run's params, which days it loads, and when they are settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context

from cloudtrail_elasticsearch.core.coverage.windows import midnight, parse_day
from cloudtrail_elasticsearch.core.errors import PlanError
from cloudtrail_elasticsearch.operators.base import read_setting
from cloudtrail_elasticsearch.operators.retries import make_retry_arguments
from cloudtrail_elasticsearch.run_params import check_params


class PlanOperator(BaseOperator):
    """Plans the work of a run.

    :param declared: the params that the DAG declares, as `params.PARAMS`; the run's params, including those of
        other tasks, are checked against them first; None: no check
    :param aws_conn_id: the AWS connection
    """

    def __init__(
        self,
        *,
        declared: Mapping[str, Mapping[str, Any]] | None = None,
        aws_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**make_retry_arguments() | kwargs)
        self.declared = declared
        self.aws_conn_id = aws_conn_id

    def check_params(self, context: Context) -> None:
        """Check the run's params against those that the DAG declares.

        :raises PlanError: a param is unknown or wrong
        :raises MappingError: the param `index` is not a valid index name
        """
        if self.declared is not None:
            check_params(self.declared, context["params"], context["dag_run"].conf or {})


class DaysOperator(PlanOperator):
    """Finds the days of a run.

    Without `start` and `end` it is the run's data interval, or yesterday if the run has none. `PlanOperator` has
    the other arguments.

    :param start: the first day, as ``2026-11-20``
    :param end: the day after the last day
    :param settle_minutes: minutes to wait after the end of the last day, because CloudTrail delivers late; the
        task is rescheduled and takes no worker slot meanwhile
    :param days_ago: plan the day that is this many days before the data interval
    """

    template_fields: Sequence[str] = (*PlanOperator.template_fields, "start", "end", "settle_minutes", "days_ago")

    def __init__(
        self,
        *,
        settle_minutes: str | int,
        start: str | None = None,
        end: str | None = None,
        days_ago: str | int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.start = start
        self.end = end
        self.settle_minutes = settle_minutes
        self.days_ago = days_ago

    def wait_until_settled(self, end: date) -> None:
        """Reschedule the task if CloudTrail may still deliver events of the last day.

        :raises AirflowRescheduleException: the day is not settled yet
        """
        from airflow.exceptions import AirflowRescheduleException

        settled = midnight(end) + timedelta(minutes=parse_whole(self.settle_minutes, "settle_minutes"))
        now = datetime.now(UTC)
        # Only after the day's end: the plan rejects a future one, which could be days away.
        if midnight(end) <= now < settled:
            self.log.info(
                "Waiting until %s, because CloudTrail delivers events of %s late.",
                settled,
                end - timedelta(days=1),
            )
            raise AirflowRescheduleException(settled)  # type: ignore[no-untyped-call]

    def find_range(self, context: Context) -> tuple[date, date]:
        """Return the requested range, its end excluded; one day if only `start` or only `end` is given.

        :raises PlanError: a value is not a day or not a number
        """
        one_day = timedelta(days=1)
        start = parse_day(self.start, "start") if self.start else None
        end = parse_day(self.end, "end") if self.end else None
        if start is None and end is None:
            # Not the logical date: of a manual run it is the interval's end, of a backfill its start.
            interval = context.get("data_interval_start"), context.get("data_interval_end")
            if all(interval):
                earlier = timedelta(days=parse_whole(self.days_ago, "days_ago"))
                start, end = (_read_day(moment) - earlier for moment in interval)  # type: ignore[arg-type]
            else:
                end = datetime.now(UTC).date()
        if start is None:
            assert end is not None  # noqa: S101 - one of the two was given
            start = end - one_day
        return start, end or start + one_day


def _read_day(moment: datetime) -> date:
    """Return the UTC day of a time of Airflow's, whose own dates have a type that no JSON encoder takes."""
    utc = moment.astimezone(UTC)
    return date(utc.year, utc.month, utc.day)


def parse_whole(value: str | int, name: str) -> int:
    """Return the whole number that a template rendered.

    :raises PlanError: it is none
    """
    try:
        return int(value)
    except ValueError as error:
        raise PlanError(f"{name} is {value!r}, which is not a whole number.") from error


def parse_tasks(value: str | int) -> int:
    """Return the most batches of a day.

    :raises PlanError: it is not a whole number of 1 or more
    """
    tasks = parse_whole(value, "tasks")
    if tasks < 1:
        raise PlanError(f"tasks is {tasks}: give at least 1.")
    return tasks


def read_names(given: Sequence[str] | str, variable: str) -> list[str]:
    """Return an operator's names, or if there are none, those in an Airflow variable.

    Reading a variable is a request to Airflow's API, so it is read only if it is needed.
    """
    return split_names(given) or split_names(read_setting(None, variable))


def split_names(names: Sequence[str] | str) -> list[str]:
    """Return the names from a list, or from the text that a template rendered."""
    if isinstance(names, str):
        return [name for name in names.replace(",", " ").split() if name]
    return list(names)
