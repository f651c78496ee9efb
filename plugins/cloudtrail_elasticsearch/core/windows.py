"""Windows of time: what is asked of CloudTrail, one region and one day at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from cloudtrail_elasticsearch.core.errors import PlanError

HISTORY = timedelta(days=90)
"""How far back LookupEvents sees.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

DAY = timedelta(days=1)

GLOBAL_REGION = "us-east-1"
"""Where IAM, STS' global endpoint, CloudFront, Route 53 and other global services log.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html
"""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One region of one account from `start` (included) to `end` (excluded), both UTC and whole seconds."""

    account: str
    region: str
    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        """What people call it: ``us-east-1 2026-11-20``, with the times where it is not a whole day."""
        if self.is_day:
            return f"{self.region} {self.start:%Y-%m-%d}"
        return f"{self.region} {self.start:%Y-%m-%dT%H:%M:%SZ}/{self.end:%Y-%m-%dT%H:%M:%SZ}"

    @property
    def is_day(self) -> bool:
        """Whether it is exactly one UTC day."""
        return self.length == DAY and self.start.time() == datetime.min.time()

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start

    def to_dict(self) -> dict[str, str]:
        """Plain text for an XCom or a manifest; `from_dict` reads it back."""
        return {
            "account": self.account,
            "region": self.region,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "name": self.name,
        }

    @classmethod
    def from_dict(cls, value: dict[str, str]) -> Window:
        """Read what `to_dict` wrote."""
        return cls(
            account=value["account"],
            region=value["region"],
            start=datetime.fromisoformat(value["start"]),
            end=datetime.fromisoformat(value["end"]),
        )


def midnight(day: date) -> datetime:
    """The first instant of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def parse_day(text: str, name: str) -> date:
    """Read a day written as ``2026-11-20``; `name` is what to call it in the error.

    :raises PlanError: it is not a day
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise PlanError(f"{name} is {text!r}, which is not a day: write it as 2026-11-20.") from error


def plan(
    account: str,
    regions: Iterable[str],
    start: date,
    end: date,
    *,
    now: datetime,
    history: timedelta | None = HISTORY,
) -> list[Window]:
    """Return a window for every region and every UTC day from `start` (included) to `end` (excluded).

    Windows come day by day, so that the oldest day, the next to leave the 90 days, is loaded first; and in a
    day the region first that takes longest in most accounts, where the global services log.

    :param history: how far back can be looked; None where nothing is to be looked up
    :raises PlanError: the range is empty, not over yet, or begins before CloudTrail's 90 days
    """
    if end <= start:
        raise PlanError(
            f"The range is empty: end ({end}) must be after start ({start}); end is the first day left out."
        )
    if history is not None and midnight(start) < now - history:
        oldest = (now - history).date() + DAY
        raise PlanError(
            f"start ({start}) is more than 90 days ago, where LookupEvents sees nothing: "
            f"the oldest whole day that can still be loaded is {oldest}."
        )
    if midnight(end) > now:
        raise PlanError(
            f"end ({end}) is in the future: only days that are over can be proven complete, so end can be "
            f"{now.date()} at the latest."
        )
    days = [start + DAY * offset for offset in range((end - start).days)]
    names = sorted(set(regions), key=lambda region: (region != GLOBAL_REGION, region))
    if not names:
        raise PlanError("There are no regions to load: the account has none enabled, or the list is empty.")
    return [Window(account, region, midnight(day), midnight(day + DAY)) for day in days for region in names]


def choose_regions(wanted: Iterable[str], enabled: Iterable[str]) -> list[str]:
    """Return the regions to load: all enabled ones, or those wanted.

    :raises PlanError: a wanted region is unknown or not enabled for the account
    """
    available = set(enabled)
    chosen = sorted(set(wanted)) or sorted(available)
    unknown = [region for region in chosen if region not in available]
    if unknown:
        raise PlanError(
            f"Not an enabled region of this account: {', '.join(unknown)}. "
            f"Enabled are: {', '.join(sorted(available))}."
        )
    return chosen


def check_size(windows: int, limit: int) -> None:
    """Refuse a plan that Airflow would not map.

    :raises PlanError: more windows than ``[core] max_map_length``
    """
    if windows > limit:
        raise PlanError(
            f"The plan has {windows} cells (regions x days), more than Airflow maps at once "
            f"([core] max_map_length = {limit}): choose fewer days or regions, use `airflow backfill create`, "
            f"which makes a run per day, or raise AIRFLOW__CORE__MAX_MAP_LENGTH."
        )
