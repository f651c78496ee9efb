"""Helpers of the tests of trails: small plans."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any, Final

from devstack.simulator.trails import Plan, Trail, Volumes, plan_organization
from devstack.simulator.trails.keys import SigningKeys

DAY: Final = date(2026, 11, 20)
REGIONS: Final = ("us-east-1", "eu-west-1")
TRAIL: Final = Trail(bucket="trail-bucket", prefix="logs")
SMALL: Final = Volumes(management=120, data=60, network=30, insights=2.0)
KEYS: Final = SigningKeys(bits=1024)


def small_plan(trail: Trail = TRAIL, *, hours: int = 24, volumes: Volumes = SMALL, **changes: Any) -> Plan:
    """Return a plan of a busy and a quiet account, with signatures that cost little."""
    plan = plan_organization(trail, DAY, accounts=2, regions=REGIONS, volumes=volumes)
    return dataclasses.replace(plan, **{"keys": KEYS, "end": plan.start + hours * 3600, **changes})
