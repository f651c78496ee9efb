from __future__ import annotations

from collections.abc import Iterator

import pytest

from devstack.simulator import ManualClock, Simulator
from tests.simulator.lookups import quick, standing


@pytest.fixture
def clock() -> ManualClock:
    return standing()


@pytest.fixture
def simulator(clock: ManualClock) -> Iterator[Simulator]:
    with Simulator(quick(), clock) as running:
        yield running
