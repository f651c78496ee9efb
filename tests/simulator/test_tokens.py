"""NextToken: bound to its request, and valid for a limited time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from devstack.simulator import ManualClock, Simulator
from devstack.simulator.tokens import InvalidTokenError, Tokens
from tests.simulator.lookups import FIRST, LAST, client, ids, look_up, quick

_RANGE: Mapping[str, Any] = {"StartTime": FIRST, "EndTime": LAST}


def refused(cloudtrail: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as caught:
        cloudtrail.lookup_events(**request)
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize(
    "change",
    [
        {"StartTime": FIRST + timedelta(seconds=1)},
        {"EndTime": LAST - timedelta(seconds=1)},
        {"LookupAttributes": [{"AttributeKey": "ReadOnly", "AttributeValue": "true"}]},
        {"EventCategory": "insight"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_token_fits_its_own_request_only(simulator: Simulator, change: dict[str, Any]) -> None:
    """A token in a request with other parameters is rejected."""
    cloudtrail = client(simulator)
    token = cloudtrail.lookup_events(**_RANGE)["NextToken"]
    assert refused(cloudtrail, **{**_RANGE, **change}, NextToken=token) == "InvalidNextTokenException"


def test_a_token_belongs_to_one_region_and_one_account(clock: ManualClock) -> None:
    """It is rejected in another."""
    with Simulator(quick(accounts={"AKIAOTHER": "999999999999"}), clock) as simulator:
        token = client(simulator).lookup_events(**_RANGE)["NextToken"]
        for other in (client(simulator, "us-west-2"), client(simulator, access_key="AKIAOTHER")):
            assert refused(other, **_RANGE, NextToken=token) == "InvalidNextTokenException"


def test_the_page_size_may_change_between_pages(simulator: Simulator) -> None:
    """A token is not bound to MaxResults."""
    cloudtrail = client(simulator)
    first = cloudtrail.lookup_events(**_RANGE, MaxResults=3)
    second = cloudtrail.lookup_events(**_RANGE, MaxResults=4, NextToken=first["NextToken"])
    assert ids(first["Events"]) + ids(second["Events"]) == ids(look_up(cloudtrail))[:7]


def test_a_token_gives_the_same_page_again(simulator: Simulator) -> None:
    """A repeated request returns the same events, and is counted."""
    cloudtrail = client(simulator)
    token = cloudtrail.lookup_events(**_RANGE)["NextToken"]
    pages = [cloudtrail.lookup_events(**_RANGE, NextToken=token)["Events"] for _ in range(3)]
    assert pages[0] == pages[1] == pages[2]
    counts = simulator.service.statistics.regions["us-east-1"]
    assert (counts.repeated_pages, counts.repeated_events) == (2, 100)


def test_a_token_expires(simulator: Simulator, clock: ManualClock) -> None:
    """It can be used during its lifetime, and no longer."""
    cloudtrail = client(simulator)
    token = cloudtrail.lookup_events(**_RANGE)["NextToken"]
    clock.move(3600)
    assert cloudtrail.lookup_events(**_RANGE, NextToken=token)["Events"]
    clock.move(1)
    assert refused(cloudtrail, **_RANGE, NextToken=token) == "InvalidNextTokenException"


def test_a_token_survives_a_restart(clock: ManualClock) -> None:
    """Another simulator with the same seed accepts it; one with another seed rejects it."""
    with Simulator(quick(), clock) as first:
        page = client(first).lookup_events(**_RANGE)
    with Simulator(quick(), clock) as second:
        following = client(second).lookup_events(**_RANGE, NextToken=page["NextToken"])
        assert ids(page["Events"]) + ids(following["Events"]) == ids(look_up(client(second)))[:100]
    with Simulator(quick(seed=2), clock) as other:
        assert refused(client(other), **_RANGE, NextToken=page["NextToken"]) == "InvalidNextTokenException"


@given(token=st.text(max_size=80))
def test_no_other_text_is_a_token(token: str) -> None:
    """Any text is accepted or rejected, and never causes a failure."""
    with pytest.raises(InvalidTokenError):
        Tokens(b"key").read(token, b"request", 0.0)


@given(time=st.integers(0, 1 << 40), event_id=st.uuids().map(str), flip=st.integers(0, 10**6))
def test_a_changed_token_is_rejected(time: int, event_id: str, flip: int) -> None:
    """One changed character is enough."""
    tokens = Tokens(b"key")
    token = tokens.make((time, event_id), b"request", 5.0)
    assert tokens.read(token, b"request", 6.0) == (time, event_id)
    place = flip % (len(token) - 4)
    changed = token[:place] + ("B" if token[place] == "A" else "A") + token[place + 1 :]
    with pytest.raises(InvalidTokenError):
        tokens.read(changed, b"request", 6.0)
