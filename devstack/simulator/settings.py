"""How a simulator is set up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from devstack.simulator.generator import DEFAULT_VOLUME
from devstack.simulator.recorded import Recorded
from devstack.simulator.regions import REGIONS, SHARES
from devstack.simulator.store import Lateness

DEFAULT_ACCOUNT: Final = "123456789012"


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """A simulator's settings; the quota and the latency are real by default.

    `port` 0 takes a free one. `quota` is requests a second for each account and region, `burst` how many may come
    at once, `latency` seconds before an answer, `token_lifetime` seconds. `volume` is events a weekday of
    the busiest region, 0 for none generated; `shares` is what other regions have of it. `accounts` maps access
    keys to accounts; other keys are of `default_account`, or are refused where that is None. `arrivals` maps
    eventIDs to epoch seconds.
    """

    port: int = 0
    quota: float = 2.0
    burst: int = 2
    latency: float = 0.6
    token_lifetime: float = 3600.0
    seed: int = 1
    volume: int = DEFAULT_VOLUME
    shares: Mapping[str, float] = field(default_factory=lambda: SHARES)
    regions: tuple[str, ...] = REGIONS
    accounts: Mapping[str, str] = field(default_factory=dict)
    default_account: str | None = DEFAULT_ACCOUNT
    recorded: Recorded = field(default_factory=Recorded)
    lateness: Lateness = field(default_factory=Lateness)
    arrivals: Mapping[str, float] = field(default_factory=dict)

    def account_of(self, access_key: str) -> str | None:
        """Return the account that an access key belongs to; None for one that is not valid."""
        return self.accounts.get(access_key, self.default_account)
