"""A simulated CloudTrail: LookupEvents and trails, for an unmodified boto3 client."""

from __future__ import annotations

from devstack.simulator.clock import ManualClock
from devstack.simulator.faults import Fault, FaultKind
from devstack.simulator.generator import Generator, event_for, operations
from devstack.simulator.recorded import Recorded
from devstack.simulator.regions import REGIONS
from devstack.simulator.server import Simulator
from devstack.simulator.settings import DEFAULT_ACCOUNT, SimulatorSettings
from devstack.simulator.store import Lateness, Span
from devstack.simulator.unruly import Answers

__all__ = [
    "DEFAULT_ACCOUNT",
    "REGIONS",
    "Answers",
    "Fault",
    "FaultKind",
    "Generator",
    "Lateness",
    "ManualClock",
    "Recorded",
    "Simulator",
    "SimulatorSettings",
    "Span",
    "event_for",
    "operations",
]
