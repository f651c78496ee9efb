"""Windows: the units of work, each one region of one account and usually one day; and the plan of a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from cloudtrail_elasticsearch.core.coverage.source import NAMES, Source
from cloudtrail_elasticsearch.core.errors import PlanError

HISTORY = timedelta(days=90)
"""The age of the oldest events that LookupEvents returns.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

DAY = timedelta(days=1)

GLOBAL_REGION = "us-east-1"
"""The region of the events of IAM, STS' global endpoint, CloudFront, Route 53 and other global services.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html
"""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One region of one account from `start` (included) to `end` (excluded), both UTC and whole seconds.

    The times are those of the events (LookupEvents) or of the delivery of their log files (a trail).
    """

    account: str
    region: str
    start: datetime
    end: datetime
    source: Source = Source.LOOKUP_EVENTS

    @property
    def name(self) -> str:
        """A readable name: ``123456789012 us-east-1 2026-11-20``, with the times if it is not a whole day.

        It begins with the source of all but management events: ``trail 123456789012 us-east-1 2026-11-20``.
        """
        place = f"{NAMES[self.source]}{self.account} {self.region}"
        if self.is_day:
            return f"{place} {self.start:%Y-%m-%d}"
        return f"{place} {self.start:%Y-%m-%dT%H:%M:%SZ}/{self.end:%Y-%m-%dT%H:%M:%SZ}"

    @property
    def is_day(self) -> bool:
        """Whether the window is exactly one UTC day."""
        # 24 hours from any other time are not a day of the coverage page.
        return self.length == DAY and self.start.time() == datetime.min.time()

    @property
    def length(self) -> timedelta:
        """The time from start to end."""
        return self.end - self.start

    def to_dict(self) -> dict[str, str]:
        """Return plain values for an XCom or a manifest; `from_dict` reads them back."""
        return {
            "account": self.account,
            "region": self.region,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "source": self.source.value,
            "name": self.name,
        }

    @classmethod
    def from_dict(cls, value: dict[str, str]) -> Window:
        """Return the window of the values that `to_dict` returned; those of version 0.1 name no source."""
        return cls(
            account=value["account"],
            region=value["region"],
            start=datetime.fromisoformat(value["start"]),
            end=datetime.fromisoformat(value["end"]),
            source=Source(value.get("source", Source.LOOKUP_EVENTS)),
        )


def midnight(day: date) -> datetime:
    """Return the first instant of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def parse_day(text: str, name: str) -> date:
    """Return the day of a text like ``2026-11-20``.

    :param name: the param's name, for the error
    :raises PlanError: the text is not a day
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise PlanError(f"{name} is {text!r}, which is not a day. Write it like 2026-11-20.") from error


def list_days(start: date, end: date, now: datetime) -> list[date]:
    """Return the UTC days from `start` (included) to `end` (excluded).

    :raises PlanError: the range is empty, or not over yet
    """
    if end <= start:
        raise PlanError(
            f"The range is empty: end ({end}) must be after start ({start}). "
            f"end is the first day that is not loaded."
        )
    # A day that is not over would look complete although events are still to come.
    if midnight(end) > now:
        raise PlanError(
            f"end ({end}) is in the future. Only days that are over can be verified as complete, so end can be "
            f"{now.date()} at the latest."
        )
    return [start + DAY * offset for offset in range((end - start).days)]


def check_history(start: date, now: datetime) -> None:
    """Check that LookupEvents still returns the events of a range's first day.

    :raises PlanError: it begins before CloudTrail's 90 days
    """
    if midnight(start) < now - HISTORY:
        # The first day of the history is not whole, so the next one is the oldest.
        oldest = (now - HISTORY).date() + DAY
        raise PlanError(
            f"start ({start}) is more than 90 days ago, and LookupEvents returns no older events. "
            f"The oldest whole day that can still be loaded is {oldest}."
        )


def check_tasks(tasks: int, limit: int) -> None:
    """Check that Airflow can map a plan's batches.

    :raises PlanError: there are more batches than ``[core] max_map_length``
    """
    if tasks > limit:
        raise PlanError(
            f"The plan has {tasks} tasks, more than Airflow maps at once ([core] max_map_length = {limit}). "
            f"Choose fewer days or a lower `tasks`, or use Airflow's backfill command, which makes a run for "
            f"each day."
        )
