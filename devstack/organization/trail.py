"""The trail of an organization, in memory: some busy accounts, most quiet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

from devstack.days import last_settled_day
from devstack.simulator.regions import REGIONS
from devstack.simulator.trails import (
    Cell,
    MemoryBucket,
    Plan,
    Switches,
    Trail,
    Volumes,
    Written,
    plan_organization,
    write_trail,
)
from devstack.simulator.trails.keys import SigningKeys
from devstack.simulator.trails.plan import HOUR

KEY_BITS: Final = 1024
"""The size of the signing keys. With it, a signature costs a fifth of the time of one of AWS's 2,048 bits."""

TRAIL: Final = Trail(bucket="organization-trail", prefix="audit")

_DIGESTS_AFTER: Final = 3 * HOUR
"""Seconds after the last day that the trail goes on: the digests of this time cover the end of the day."""


@dataclass(frozen=True, slots=True)
class OrganizationSettings:
    """The size of the organization, and the days of delivery.

    :param busy: the accounts that have events in every region
    :param events: management events on a weekday in the busiest region of a busy account
    :param processes: the processes that make the objects
    """

    accounts: int = 50
    busy: int = 5
    regions: tuple[str, ...] = REGIONS
    days: int = 10
    events: int = 600
    processes: int = 2
    # Not the last day: its digests are not due yet, by the clock.
    last: date = field(default_factory=lambda: last_settled_day() - timedelta(days=1))

    @property
    def first(self) -> date:
        """The first day."""
        return self.last - timedelta(days=self.days - 1)


@dataclass(frozen=True, slots=True)
class OrganizationTrail:
    """A trail, its objects in the bucket, and the list of its files and events."""

    settings: OrganizationSettings
    plan: Plan
    bucket: MemoryBucket
    written: Written

    @property
    def days(self) -> list[date]:
        """The days of delivery to load."""
        return [self.settings.first + timedelta(days=number) for number in range(self.settings.days)]

    def cells(self) -> set[Cell]:
        """Return every account, region and day, quiet ones too."""
        return {Cell(account, region, day) for account, region in self.plan.cells() for day in self.days}

    def event_ids(self, *, without: frozenset[str] = frozenset()) -> set[str]:
        """Return the ids of the events of these days.

        :param without: keys of log files whose events do not count, unless another log file has them too
        """
        days = set(self.days)
        return {
            event_id
            for file in self.written.log_files
            if file.day in days and file.key not in without
            for event_id in file.event_ids
        }

    def copy(self) -> OrganizationTrail:
        """Return the same trail with a bucket of its own, to damage it."""
        bucket = MemoryBucket()
        bucket.objects.update(self.bucket.objects)
        return replace(self, bucket=bucket)


def write_organization(settings: OrganizationSettings) -> OrganizationTrail:
    """Write the log files and digests of an organization's trail."""
    events = settings.events
    volumes = Volumes(management=events, data=events // 2, network=events // 10)
    plan = plan_organization(
        TRAIL,
        settings.first,
        days=settings.days,
        accounts=settings.accounts,
        busy=settings.busy,
        regions=settings.regions,
        volumes=volumes,
    )
    switches = Switches(duplicates=0.01)
    plan = replace(plan, end=plan.end + _DIGESTS_AFTER, switches=switches, keys=SigningKeys(bits=KEY_BITS))
    bucket = MemoryBucket()
    return OrganizationTrail(settings, plan, bucket, write_trail(plan, bucket, processes=settings.processes))
