"""The simulated service: everything behind the HTTP server, put together from the settings."""

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


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of a simulator, as its HTTP handlers and tests use them."""

    settings: SimulatorSettings
    clock: ShiftedClock
    events: Together
    arrived: Arrived
    lookup: Lookup
    quota: Quota
    faults: Faults
    statistics: Statistics

    @classmethod
    def make(cls, settings: SimulatorSettings, clock: Clock | None = None) -> Service:
        """Return a service; recorded files are read now.

        :raises ValueError: a recorded line is no JSON object
        :raises OSError: a recorded file cannot be read
        """
        shifted = ShiftedClock(clock or SystemClock())
        account = settings.default_account or DEFAULT_ACCOUNT
        recorded = RecordedEvents(settings.recorded, account, settings.regions)
        events = Together(Generator(settings.seed, settings.volume, settings.shares), recorded)
        arrived = Arrived(events, settings.lateness, shifted.now)
        arrived.schedule.update(settings.arrivals)
        tokens = Tokens(digest("tokens", settings.seed), settings.token_lifetime)
        return cls(
            settings=settings,
            clock=shifted,
            events=events,
            arrived=arrived,
            lookup=Lookup(arrived, tokens, shifted.now),
            quota=Quota(settings.quota, settings.burst, shifted.monotonic),
            faults=Faults(settings.seed),
            statistics=Statistics(),
        )

    def offers(self, region: str) -> bool:
        """Return whether the account has a region enabled."""
        return region in self.settings.regions or region in self.events.regions()

    def truth(self, span: Span) -> Iterator[Entry]:
        """Yield the events of a span that can be looked up by now, the newest first, of whatever age."""
        return self.arrived.newest_first(span)

    def pending(self, span: Span) -> Iterator[Entry]:
        """Yield the events of a span that have not arrived, the newest first."""
        now = self.clock.now()
        entries = self.events.newest_first(span)
        return (entry for entry in entries if entry.time > now or self.arrived.arrival(entry) > now)
