"""The simulated service: all parts behind the HTTP server, made from the settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from devstack.simulator.assume_role import AssumeRole
from devstack.simulator.clock import Clock, ShiftedClock, SystemClock
from devstack.simulator.draw import digest
from devstack.simulator.faults import Faults
from devstack.simulator.generator import Generator
from devstack.simulator.identities import Identities
from devstack.simulator.lookup import Lookup
from devstack.simulator.organization import DEFAULT_ACCOUNT, Organization
from devstack.simulator.quota import Quota
from devstack.simulator.recorded import RecordedEvents
from devstack.simulator.sessions import Sessions
from devstack.simulator.settings import SimulatorSettings
from devstack.simulator.statistics import Statistics
from devstack.simulator.store import Arrived, Entry, Span, Together
from devstack.simulator.tokens import Tokens
from devstack.simulator.trail_operations import TrailOperations
from devstack.simulator.trails.insights import Insights
from devstack.simulator.trails.keys import SigningKeys
from devstack.simulator.trails.trail import Trail
from devstack.simulator.unruly import UnrulyLookup


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of a simulator, for its HTTP handlers and for tests."""

    settings: SimulatorSettings
    clock: ShiftedClock
    events: Together
    arrived: Arrived
    insights: Arrived
    lookup: UnrulyLookup
    quota: Quota
    faults: Faults
    statistics: Statistics
    organization: Organization
    sessions: Sessions
    identities: Identities
    assume_role: AssumeRole
    trails: dict[str, Trail]
    """The trails by their ARNs."""
    trail_operations: TrailOperations

    @classmethod
    def make(cls, settings: SimulatorSettings, clock: Clock | None = None) -> Service:
        """Return a service. It reads the recorded files first.

        :raises ValueError: a recorded line is not a JSON object
        :raises OSError: a recorded file cannot be read
        """
        shifted = ShiftedClock(clock or SystemClock())
        account = settings.default_account or DEFAULT_ACCOUNT
        recorded = RecordedEvents(settings.recorded, account, settings.regions)
        densities = (settings.shares, settings.activity_of_accounts(), settings.shares_of_accounts())
        generator = Generator(settings.seed, settings.volume, *densities)
        events = Together(generator, recorded)
        arrived = Arrived(events, settings.lateness, shifted.now)
        arrived.schedule.update(settings.arrivals)
        tokens = Tokens(digest("tokens", settings.seed), settings.token_lifetime)
        insights = Arrived(Insights(settings.seed, settings.insights, *densities), settings.lateness, shifted.now)
        lookup = Lookup(arrived, insights, tokens, shifted.now)
        organization = Organization(settings.members, settings.management, settings.administrators)
        sessions = Sessions(digest("sessions", settings.seed))
        trails = {trail.arn: trail for trail in settings.trails}
        statistics = Statistics()
        return cls(
            settings=settings,
            clock=shifted,
            events=events,
            arrived=arrived,
            insights=insights,
            lookup=UnrulyLookup(lookup, arrived),
            quota=Quota(settings.quota, settings.burst, shifted.monotonic),
            faults=Faults(settings.seed),
            statistics=statistics,
            organization=organization,
            sessions=sessions,
            identities=Identities(organization, sessions, settings.account_of, statistics, shifted.now),
            assume_role=AssumeRole(organization, sessions, statistics, shifted.now),
            trails=trails,
            trail_operations=TrailOperations(trails, SigningKeys(settings.seed, settings.key_bits), shifted.now),
        )

    def regions_of(self, account: str) -> tuple[str, ...]:
        """Return the regions that an account has enabled."""
        member = self.organization.find(account)
        return self.settings.regions if member is None or member.regions is None else member.regions

    def offers(self, account: str, region: str) -> bool:
        """Return whether an account has enabled a region; recorded events can be in further ones."""
        regions = self.regions_of(account)
        return region in regions or (regions is self.settings.regions and region in self.events.regions())

    def truth(self, span: Span) -> Iterator[Entry]:
        """Yield the management events of a span that have arrived by now, of any age, newest first."""
        return self.arrived.newest_first(span)

    def insights_truth(self, span: Span) -> Iterator[Entry]:
        """Yield the Insights events of a span that have arrived by now, of any age, newest first."""
        return self.insights.newest_first(span)

    def arrivals(self, span: Span) -> Iterator[tuple[Entry, float]]:
        """Yield the events of a span, newest first, each with the time at which a lookup can first return it.

        The times are in epoch seconds, and can be in the future.
        """
        return ((entry, self.arrived.arrival(entry)) for entry in self.events.newest_first(span))

    def pending(self, span: Span) -> Iterator[Entry]:
        """Yield the events of a span that have not arrived yet, newest first."""
        now = self.clock.now()
        entries = self.events.newest_first(span)
        return (entry for entry in entries if entry.time > now or self.arrived.arrival(entry) > now)
