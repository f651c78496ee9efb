"""The base of the tasks of live runs: the time that a run loads up to, its overlap and its work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from cloudtrail_elasticsearch.core.errors import PlanError
from cloudtrail_elasticsearch.operators.days import parse_whole
from cloudtrail_elasticsearch.operators.loading import LoadingOperator
from cloudtrail_elasticsearch.params import OVERLAP_MINUTES, WORK_MINUTES

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.run_clock import RunClock

PATIENCE: Final = 60.0
"""Seconds for which a request to AWS or to the search server is retried: the next run follows within minutes."""


class LiveWorkOperator(LoadingOperator):
    """Loads what is new since a watermark. `LoadingOperator` has the arguments of the documents.

    :param until: load only what came before this time (ISO 8601), and take it for the present; empty: now
    :param overlap_minutes: the minutes by which CloudTrail may deliver late: so much is read again
    :param work_minutes: the minutes after which the task begins no further work; the next run goes on
    """

    template_fields: Sequence[str] = (
        *(name for name in LoadingOperator.template_fields if name not in {"force", "replay", "verify"}),
        "until",
        "overlap_minutes",
        "work_minutes",
    )
    ui_color = "#fbe7c6"

    def __init__(
        self,
        *,
        until: str = "",
        overlap_minutes: str | int = OVERLAP_MINUTES,
        work_minutes: str | int = WORK_MINUTES,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.until = until
        self.overlap_minutes = overlap_minutes
        self.work_minutes = work_minutes

    def start_clock(self) -> RunClock:
        """Return the clock of the run, which starts now.

        :raises PlanError: `until` is not a time, or in the future
        """
        from cloudtrail_elasticsearch.core.run_clock import RunClock

        return RunClock(self._find_now(), timedelta(minutes=parse_whole(self.work_minutes, "work_minutes")))

    def parse_overlap(self) -> timedelta:
        """Return the overlap."""
        return timedelta(minutes=parse_whole(self.overlap_minutes, "overlap_minutes"))

    def _find_now(self) -> datetime:
        now = datetime.now(UTC)
        if not self.until:
            return now
        try:
            until = datetime.fromisoformat(self.until)
        except ValueError as error:
            raise PlanError(
                f"until is {self.until!r}, which is not a time such as 2026-11-20T12:00:00Z."
            ) from error
        until = until.replace(tzinfo=UTC) if until.tzinfo is None else until.astimezone(UTC)
        if until > now:
            raise PlanError(f"until is {self.until!r}, which is in the future: leave it empty for the present.")
        return until
