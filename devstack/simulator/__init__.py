"""A simulated CloudTrail with the accounts of an organization, for an unmodified boto3 client.

It serves LookupEvents and trails, STS's AssumeRole, Organizations' ListAccounts and EC2's DescribeRegions.
"""

from __future__ import annotations

from devstack.simulator.clock import ManualClock
from devstack.simulator.faults import Fault, FaultKind
from devstack.simulator.generator import Generator, event_for, operations
from devstack.simulator.organization import DEFAULT_ACCOUNT, Member, Role, make_members
from devstack.simulator.recorded import Recorded
from devstack.simulator.regions import REGIONS
from devstack.simulator.server import Simulator
from devstack.simulator.settings import SimulatorSettings
from devstack.simulator.store import Lateness, Latenesses, Span
from devstack.simulator.unruly import Answers

__all__ = [
    "DEFAULT_ACCOUNT",
    "REGIONS",
    "Answers",
    "Fault",
    "FaultKind",
    "Generator",
    "Lateness",
    "Latenesses",
    "ManualClock",
    "Member",
    "Recorded",
    "Role",
    "Simulator",
    "SimulatorSettings",
    "Span",
    "event_for",
    "make_members",
    "operations",
]
