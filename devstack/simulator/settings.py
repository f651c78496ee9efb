"""The settings of a simulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from devstack.simulator.generated import DEFAULT_VOLUME
from devstack.simulator.organization import DEFAULT_ACCOUNT, Member
from devstack.simulator.recorded import Recorded
from devstack.simulator.regions import REGIONS, SHARES
from devstack.simulator.store import Lateness, Latenesses
from devstack.simulator.trails.trail import Trail

DEFAULT_INSIGHTS: Final = 2.0
"""Times of unusual activity a day in the busiest region, each with two Insights events."""


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """A simulator's settings. By default the quota and the latency are those of AWS.

    `port` 0 takes a free one. `quota` is requests per second for each account and region, `burst` the most
    requests at once, `latency` the seconds before an answer, `token_lifetime` in seconds. `volume` is the events
    of the busiest region on a weekday, 0 for no generated events; `shares` is the share of each other region, and
    `activity` the events of an account per event of an account that is not listed.
    `insights` is the times of unusual activity a day in the busiest region, each with two Insights events.
    `accounts` maps access keys to accounts. Other keys belong to `default_account`; if that is None, they are
    rejected. The keys that AssumeRole gives out belong to the account of the role.
    `members` are the accounts of the organization with their roles, `management` is its management account, and
    `administrators` are its delegated administrators.
    `arrivals` maps eventIDs to epoch seconds. `trails` are the trails that DescribeTrails returns; `key_bits` is
    the size of the keys that ListPublicKeys returns, and `seed` their seed.
    """

    port: int = 0
    quota: float = 2.0
    burst: int = 2
    latency: float = 0.6
    token_lifetime: float = 3600.0
    seed: int = 1
    volume: int = DEFAULT_VOLUME
    shares: Mapping[str, float] = field(default_factory=lambda: SHARES)
    activity: Mapping[str, float] = field(default_factory=dict)
    regions: tuple[str, ...] = REGIONS
    accounts: Mapping[str, str] = field(default_factory=dict)
    default_account: str | None = DEFAULT_ACCOUNT
    members: tuple[Member, ...] = ()
    management: str = DEFAULT_ACCOUNT
    administrators: tuple[str, ...] = ()
    insights: float = DEFAULT_INSIGHTS
    recorded: Recorded = field(default_factory=Recorded)
    lateness: Lateness | Latenesses = field(default_factory=Lateness)
    arrivals: Mapping[str, float] = field(default_factory=dict)
    trails: tuple[Trail, ...] = ()
    key_bits: int = 2048

    def activity_of_accounts(self) -> dict[str, float]:
        """Return each quiet account's events per event of a busy one."""
        own = {member.id: member.activity for member in self.members if member.activity is not None}
        return {**self.activity, **own}

    def shares_of_accounts(self) -> dict[str, Mapping[str, float]]:
        """Return the shares of the regions of each account that has its own."""
        return {member.id: member.shares for member in self.members if member.shares is not None}

    def account_of(self, access_key: str) -> str | None:
        """Return the account of an access key; None for an invalid key."""
        return self.accounts.get(access_key, self.default_account)
