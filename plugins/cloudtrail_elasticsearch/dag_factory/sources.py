"""The sources of a DAG's events, and the params that each of them has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudtrail_elasticsearch.params import (
    DEFAULT_CATEGORIES,
    LATE_PARAMS,
    LIVE_PARAMS,
    OVERLAP_MINUTES,
    PARAMS,
    TASKS,
    WORK_MINUTES,
)
from cloudtrail_elasticsearch.trail_params import LATE_FILES_PARAMS, LIVE_TRAIL_PARAMS, TRAIL_PARAMS

Params = Mapping[str, Mapping[str, Any]]
"""The JSON schemas of params by their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupEvents:
    """The management and Insights events of the last 90 days of one account or of many.

    :param accounts: the accounts of a run without the param `accounts`: ids of 12 digits, ``organization`` for all
        active accounts of the organization, and ids to leave out with a minus before them; empty: the Airflow
        variable ``cloudtrail_accounts``, or the account that the AWS connection belongs to
    :param role: the role to assume in each account but the connection's own: its name, with its path if it has
        one, or an ARN with ``{account}``; None: the Airflow variable ``cloudtrail_role``
    :param external_id: the external id that the role's trust policy requires; None: the Airflow variable
        ``cloudtrail_external_id``
    :param organization_conn_id: the AWS connection that lists the organization's accounts; None: the same one
    :param categories: the categories of events to look up: ``management``, ``insight``, or both
    :param regions: the regions of a run without the param `regions`; empty: every enabled region
    :param tasks: the most batches of a day and category
    """

    accounts: Sequence[str] = ()
    role: str | None = None
    external_id: str | None = None
    organization_conn_id: str | None = None
    categories: Sequence[str] = DEFAULT_CATEGORIES
    regions: Sequence[str] = ()
    tasks: int = TASKS

    @property
    def params(self) -> Params:
        """The params of its DAG, with its values as their defaults."""
        return _set_lookup_defaults(PARAMS, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateEvents(LookupEvents):
    """The events of a loaded day that LookupEvents returned only later. `LookupEvents` has the other arguments.

    :param days_ago: the day to look up again, counted back from the start of a run's data interval
    """

    days_ago: int = 1

    @property
    def params(self) -> Params:
        """The params of its DAG, with its values as their defaults."""
        return _set_defaults(_set_lookup_defaults(LATE_PARAMS, self), days_ago=self.days_ago)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvents(LookupEvents):
    """The events of the last minutes. `LookupEvents` has the other arguments.

    :param overlap_minutes: the minutes before a region's watermark that are looked up again
    :param work_minutes: the minutes after which a run begins no further page
    """

    overlap_minutes: int = OVERLAP_MINUTES
    work_minutes: int = WORK_MINUTES

    @property
    def params(self) -> Params:
        """The params of its DAG, with its values as their defaults."""
        return _set_defaults(
            _set_lookup_defaults(LIVE_PARAMS, self),
            overlap_minutes=self.overlap_minutes,
            work_minutes=self.work_minutes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """All events that a trail has delivered to S3. Its values are those of a run without the params.

    :param arn: the trail's ARN; empty: `bucket` is used, or the Airflow variable ``cloudtrail_trail``
    :param bucket: the trail's bucket, if its ARN is not given
    :param prefix: the trail's prefix in its bucket
    :param accounts: the accounts to load; a minus before an id leaves it out; empty: all in the bucket
    :param regions: the regions to load; empty: all in the bucket
    :param kinds: the kinds of event to load, by the names of their folders; empty: all in the bucket
    :param tasks: the most batches of a day
    :param conn_id: the AWS connection that reads the trail; None: the one that the Airflow variable
        ``cloudtrail_trail_conn_id`` names
    """

    arn: str = ""
    bucket: str = ""
    prefix: str = ""
    accounts: Sequence[str] = ()
    regions: Sequence[str] = ()
    kinds: Sequence[str] = ()
    tasks: int = TASKS
    conn_id: str | None = None

    @property
    def params(self) -> Params:
        """The params of its DAG, with its values as their defaults."""
        return _set_trail_defaults(TRAIL_PARAMS, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateFiles(Trail):
    """The log files of a trail's loaded day that were delivered late. `Trail` has the other arguments.

    :param days_ago: the day to list again, counted back from the start of a run's data interval
    """

    days_ago: int = 1

    @property
    def params(self) -> Params:
        """The params of its DAG, with its values as their defaults."""
        return _set_defaults(_set_trail_defaults(LATE_FILES_PARAMS, self), days_ago=self.days_ago)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTrail(Trail):
    """The log files that a trail delivered in the last minutes. `Trail` has the other arguments.

    :param overlap_minutes: the minutes before a folder's watermark that are listed again
    :param work_minutes: the minutes after which a run begins no further log files
    """

    overlap_minutes: int = OVERLAP_MINUTES
    work_minutes: int = WORK_MINUTES

    @property
    def params(self) -> Params:
        """The params of its DAG, with its values as their defaults."""
        return _set_defaults(
            _set_trail_defaults(LIVE_TRAIL_PARAMS, self),
            overlap_minutes=self.overlap_minutes,
            work_minutes=self.work_minutes,
        )


Source = LookupEvents | LateEvents | LiveEvents | Trail | LateFiles | LiveTrail


def _set_lookup_defaults(declared: Params, source: LookupEvents) -> Params:
    return _set_defaults(
        declared,
        accounts=source.accounts,
        categories=source.categories,
        regions=source.regions,
        tasks=source.tasks,
    )


def _set_trail_defaults(declared: Params, trail: Trail) -> Params:
    return _set_defaults(
        declared,
        trail=trail.arn,
        trail_bucket=trail.bucket,
        trail_prefix=trail.prefix,
        accounts=trail.accounts,
        regions=trail.regions,
        kinds=trail.kinds,
        tasks=trail.tasks,
    )


def _set_defaults(declared: Params, **values: Any) -> Params:
    """Return params with these defaults; texts and numbers are kept, and other sequences become lists."""
    plain = {name: value if isinstance(value, str | int) else list(value) for name, value in values.items()}
    return {name: {**schema, "default": plain.get(name, schema["default"])} for name, schema in declared.items()}
