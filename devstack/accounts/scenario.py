"""The accounts of the backfills: some busy, most quiet, some without the role, and one whose sessions expire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final, NamedTuple

from cloudtrail_elasticsearch.core.coverage.windows import midnight
from devstack.days import last_settled_day
from devstack.simulator import (
    DEFAULT_ACCOUNT,
    REGIONS,
    Member,
    Role,
    Simulator,
    SimulatorSettings,
    make_members,
)

ROLE: Final = Role("security/cloudtrail-reader", external_id="backfill-of-accounts")
CLOSED_ACCOUNT: Final = "999988887777"
"""A closed account of the organization, which no run may load."""

_ONE_SECOND: Final = timedelta(seconds=1)
_QUIET: Final = 0.02
"""The most events of a quiet account, per event of a busy one."""


class Cell(NamedTuple):
    """An account's region on a day."""

    account: str
    region: str
    day: date


@dataclass(frozen=True, slots=True)
class ScenarioSettings:
    """The size of the organization, and the days.

    :param accounts: active accounts, with the worker's own; at least `refused` and 3 more
    :param refused: accounts without the role, at least 1
    :param events: management events on a weekday in the busiest region of a busy account
    """

    accounts: int = 30
    refused: int = 3
    regions: tuple[str, ...] = REGIONS
    days: int = 3
    events: int = 1000
    last: date = field(default_factory=last_settled_day)

    def __post_init__(self) -> None:
        if self.refused < 1 or self.accounts < self.refused + 3:
            raise ValueError("at least one account lacks the role, and three more have it")

    @property
    def first(self) -> date:
        """The first day."""
        return self.last - timedelta(days=self.days - 1)


@dataclass(frozen=True, slots=True)
class Scenario:
    """An organization: its members, and which of them lack the role or have sessions that expire."""

    settings: ScenarioSettings
    members: tuple[Member, ...]
    refused: tuple[str, ...]
    """The accounts without the role."""
    expiring: str
    """The account whose sessions expire while it is looked up."""

    @classmethod
    def make(cls, settings: ScenarioSettings) -> Scenario:
        """Return an organization, the same one in every process.

        The worker's own account, the expiring one and the first one without the role are busy.
        """
        active = make_members(settings.accounts - 1, ROLE, quiet=_QUIET)
        refused = {member.id for member in active[1 : 1 + settings.refused]}
        members = [replace(member, roles=()) if member.id in refused else member for member in active]
        own = Member(DEFAULT_ACCOUNT, "Management", activity=1.0)
        closed = Member(CLOSED_ACCOUNT, "Closed", state="SUSPENDED", roles=(ROLE,))
        return cls(settings, (own, *members, closed), tuple(sorted(refused)), active[0].id)

    @property
    def days(self) -> list[date]:
        """The days to load."""
        return [self.settings.first + timedelta(days=number) for number in range(self.settings.days)]

    @property
    def active(self) -> list[str]:
        """The accounts to load."""
        return [member.id for member in self.members if member.state == "ACTIVE"]

    def simulate(self) -> Simulator:
        """Return a simulator of this organization, with AWS's own quota and latency."""
        settings = self.settings
        return Simulator(SimulatorSettings(volume=settings.events, regions=settings.regions, members=self.members))

    def list_cells(self) -> set[Cell]:
        """Return every cell that both backfills plan."""
        return {
            Cell(account, region, day)
            for account in self.active
            for region in self.settings.regions
            for day in self.days
        }

    def list_truth(self, simulator: Simulator) -> Mapping[str, list[str]]:
        """Return the eventIDs of the days by account, as the simulator lists them."""
        start = midnight(self.settings.first)
        end = midnight(self.settings.last + timedelta(days=1)) - _ONE_SECOND
        return {
            account: [
                event for region in self.settings.regions for event in simulator.truth(region, start, end, account)
            ]
            for account in self.active
        }
