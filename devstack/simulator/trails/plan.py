"""The plan of a trail: its accounts, regions, time and events, and the faults of its delivery."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Final

from devstack.simulator.draw import digest, uniform
from devstack.simulator.generator import Generator
from devstack.simulator.regions import REGIONS
from devstack.simulator.store import EventStore
from devstack.simulator.timeline import DAY
from devstack.simulator.trails.aggregated import Aggregated
from devstack.simulator.trails.data_events import DataEvents
from devstack.simulator.trails.insights import Insights
from devstack.simulator.trails.keys import SigningKeys
from devstack.simulator.trails.network_activity import NetworkActivity
from devstack.simulator.trails.trail import Kind, Trail

HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class Source:
    """A store of events, and the kind of log file that its events are delivered in."""

    kind: Kind
    events: EventStore


@dataclass(frozen=True, slots=True)
class Stop:
    """A time in which the trail is stopped, from `start` (included) to `end` (excluded), in epoch seconds.

    Events of this time are never delivered. A new chain of digests begins at its end.
    """

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Switches:
    """The irregularities of a delivery, each a share of all events or log files, chosen by a hash.

    :param slow: of the events: they are delivered up to two hours after the others of their time
    :param duplicates: of the events: they are delivered again, in a later log file
    :param late: of the log files: they arrive `late_by` seconds (least and most) after the time in their name;
        a backfill digest lists them
    :param unlisted: of the log files: no digest lists them
    """

    slow: float = 0.01
    duplicates: float = 0.0
    late: float = 0.0
    late_by: tuple[int, int] = (3 * HOUR, 30 * HOUR)
    unlisted: float = 0.0
    stops: tuple[Stop, ...] = ()

    def __post_init__(self) -> None:
        if self.late_by[0] < 2 * HOUR:
            raise ValueError("a log file is late only if it arrives after the digest of its hour: 2 hours or more")


@dataclass(frozen=True, slots=True)
class Plan:
    """The deliveries from `start` (included) to `end` (excluded), in epoch seconds, the first an hour's start.

    The same plan gives the same objects in every process. The time is that of delivery: the first log files have
    events from before `start`, and the last events are delivered after `end`.

    :param most: events in a log file
    :param digest_offset: seconds after the hour at which the digests of an account and region end; None for
        another offset, from 1 second to an hour, in each
    """

    trail: Trail
    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    start: int
    end: int
    sources: tuple[Source, ...]
    switches: Switches = field(default_factory=Switches)
    most: int = 1000
    digest_offset: int | None = None
    keys: SigningKeys = field(default_factory=SigningKeys)

    def __post_init__(self) -> None:
        if self.start % HOUR or self.end <= self.start:
            raise ValueError("a plan starts at the start of an hour and ends later")

    def cells(self) -> Iterator[tuple[str, str]]:
        """Yield each account and region."""
        return ((account, region) for account in self.accounts for region in self.regions)

    def activity(self) -> Mapping[str, float]:
        """Return the events of each quiet account per event of a busy one.

        A simulator with this `activity` returns the management events of every account for LookupEvents.
        """
        stores = (source.events for source in self.sources if isinstance(source.events, Generator))
        return next((store.activity for store in stores), {})

    def offset(self, account: str, region: str) -> int:
        """Return the seconds after the hour at which the digests of an account and region end."""
        if self.digest_offset is not None:
            return self.digest_offset
        return 1 + int(uniform("digest", account, region) * (HOUR - 1))

    def logged(self) -> Iterator[tuple[int, int]]:
        """Yield each time in which the trail is not stopped: its start, and its end (excluded)."""
        start = self.start
        for stop in sorted(self.switches.stops, key=lambda stop: stop.start):
            yield start, stop.start
            start = stop.end
        yield start, self.end


@dataclass(frozen=True, slots=True)
class Volumes:
    """Events a weekday in the busiest region of a busy account; `insights` counts times of unusual activity.

    A quiet account has up to `quiet` of a busy account's events: mostly none, or a few in the busy regions.
    """

    management: int = 2500
    data: int = 1000
    network: int = 60
    insights: float = 2.0
    quiet: float = 0.004


def plan_organization(
    trail: Trail,
    first: date,
    *,
    days: int = 1,
    accounts: int = 3,
    busy: int = 1,
    regions: Sequence[str] = REGIONS,
    volumes: Volumes | None = None,
    seed: int = 1,
) -> Plan:
    """Return a plan of the days of delivery from `first` on, with every kind of event.

    The management events are those that a simulator of this seed, this volume and the plan's `activity` returns
    for LookupEvents.

    :param accounts: of the organization; the first is the trail's own
    :param busy: of them, the first ones
    """
    volumes = volumes or Volumes()
    names = (trail.account, *(_account(seed, number) for number in range(1, accounts)))
    quiet = {name: volumes.quiet * uniform("quiet", seed, name) for name in names[busy:]}
    start = int(datetime.combine(first, time(), UTC).timestamp())
    data = DataEvents(seed, volumes.data, activity=quiet)
    sources = (
        Source(Kind.EVENTS, Generator(seed, volumes.management, activity=quiet)),
        Source(Kind.EVENTS, data),
        Source(Kind.NETWORK_ACTIVITY, NetworkActivity(seed, volumes.network, activity=quiet)),
        Source(Kind.INSIGHTS, Insights(seed, volumes.insights, activity=quiet)),
        Source(Kind.AGGREGATED, Aggregated(data)),
    )
    return Plan(trail, names, tuple(regions), start, start + days * DAY, sources, keys=SigningKeys(seed))


def _account(seed: int, number: int) -> str:
    return f"{200_000_000_000 + int.from_bytes(digest('account', seed, number), 'big') % 700_000_000_000}"
