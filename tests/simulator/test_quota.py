"""The quota of two requests per second for each account and region."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from devstack.simulator import ManualClock, Simulator
from devstack.simulator.quota import Quota
from tests.simulator.lookups import client, quick


def throttled(cloudtrail: Any, calls: int) -> int:
    refused = 0
    for _ in range(calls):
        try:
            cloudtrail.lookup_events()
        except cloudtrail.exceptions.ClientError as error:
            refused += error.response["Error"]["Code"] == "ThrottlingException"
    return refused


def test_above_the_quota_calls_are_throttled(clock: ManualClock) -> None:
    """Of ten calls at once the burst is admitted; a second later, as many as the rate."""
    with Simulator(quick(quota=2.0, burst=2), clock) as simulator:
        cloudtrail = client(simulator)
        assert throttled(cloudtrail, 10) == 8
        clock.move(1.0)
        assert throttled(cloudtrail, 3) == 1
        assert simulator.service.statistics.regions["us-east-1"].throttled == 9


def test_each_region_and_account_has_a_quota_of_its_own(clock: ManualClock) -> None:
    """Calls in one region or account do not throttle those of another."""
    with Simulator(quick(quota=2.0, burst=2, accounts={"AKIAOTHER": "999999999999"}), clock) as simulator:
        assert throttled(client(simulator), 4) == 2
        assert throttled(client(simulator, "eu-west-1"), 2) == 0
        assert throttled(client(simulator, access_key="AKIAOTHER"), 2) == 0


def test_boto3_retries_a_throttled_call(clock: ManualClock) -> None:
    """botocore treats the error as transient and retries."""
    with Simulator(quick(quota=2.0, burst=2), clock) as simulator:
        throttled(client(simulator), 2)
        with pytest.raises(ClientError, match="reached max retries: 1"):
            client(simulator, attempts=2).lookup_events()


@given(pauses=st.lists(st.floats(0, 3), min_size=1, max_size=60), rate=st.floats(0.5, 10), burst=st.integers(1, 5))
def test_no_more_calls_pass_than_rate_and_burst_allow(pauses: list[float], rate: float, burst: int) -> None:
    """In any period, at most the burst plus the rate times the period."""
    clock = ManualClock(0.0)
    quota = Quota(rate, burst, clock.monotonic)
    passed = 0
    for pause in pauses:
        clock.move(pause)
        passed += quota.take("1", "r")
        assert passed <= burst + rate * clock.now() + 1e-6


@given(rate=st.floats(0.5, 10), calls=st.integers(1, 50))
def test_a_caller_at_the_rate_is_never_throttled(rate: float, calls: int) -> None:
    """Calls at the rate are all admitted, for any length of time."""
    clock = ManualClock(0.0)
    quota = Quota(rate, 2, clock.monotonic)
    for _ in range(calls):
        assert quota.take("1", "r")
        clock.move(1 / rate)
