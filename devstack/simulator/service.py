"""The simulated service: all parts behind the HTTP server, made from the settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from devstack.simulator.clock import Clock, ShiftedClock, SystemClock
from devstack.simulator.draw import digest
from devstack.simulator.faults import Faults
from devstack.simulator.generator import Generator
from devstack.simulator.lookup import Lookup
from devstack.simulator.quota import Quota
from devstack.simulator.recorded import RecordedEvents
from devstack.simulator.settings import DEFAULT_ACCOUNT, SimulatorSettings
from devstack.simulator.statistics import Statistics
from devstack.simulator.store import Arrived, Entry, Span, Together
from devstack.simulator.tokens import Tokens
from devstack.simulator.trail_operations import TrailOperations
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
    lookup: UnrulyLookup
    quota: Quota
    faults: Faults
    statistics: Statistics
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
        generator = Generator(settings.seed, settings.volume, settings.shares, settings.activity)
        events = Together(generator, recorded)
        arrived = Arrived(events, settings.lateness, shifted.now)
        arrived.schedule.update(settings.arrivals)
        tokens = Tokens(digest("tokens", settings.seed), settings.token_lifetime)
        lookup = Lookup(arrived, tokens, shifted.now)
        trails = {trail.arn: trail for trail in settings.trails}
        return cls(
            settings=settings,
            clock=shifted,
            events=events,
            arrived=arrived,
            lookup=UnrulyLookup(lookup, arrived),
            quota=Quota(settings.quota, settings.burst, shifted.monotonic),
            faults=Faults(settings.seed),
            statistics=Statistics(),
            trails=trails,
            trail_operations=TrailOperations(trails, SigningKeys(settings.seed, settings.key_bits), shifted.now),
        )

    def offers(self, region: str) -> bool:
        """Return whether the account has enabled a region."""
        return region in self.settings.regions or region in self.events.regions()

    def truth(self, span: Span) -> Iterator[Entry]:
        """Yield the events of a span that have arrived by now, of any age, newest first."""
        return self.arrived.newest_first(span)

    def pending(self, span: Span) -> Iterator[Entry]:
        """Yield the events of a span that have not arrived yet, newest first."""
        now = self.clock.now()
        entries = self.events.newest_first(span)
        return (entry for entry in entries if entry.time > now or self.arrived.arrival(entry) > now)
