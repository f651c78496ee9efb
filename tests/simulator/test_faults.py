"""Injected faults, and the counts of the simulator."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from devstack.simulator import Fault, FaultKind, Simulator
from devstack.simulator.faults import Faults
from tests.simulator.lookups import FIRST, LAST, REGION, client, ids, look_up


def control(simulator: Simulator, method: str, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        f"{simulator.endpoint_url}/_control/{path}",
        None if body is None else json.dumps(body).encode(),
        method=method,
    )
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle", "ThrottlingException", 400),
        ("internal_failure", "InternalFailure", 500),
        ("service_unavailable", "ServiceUnavailable", 503),
        ("expired_credentials", "ExpiredTokenException", 400),
        ("access_denied", "AccessDeniedException", 400),
    ],
)
def test_a_fault_strikes_as_often_as_asked(simulator: Simulator, kind: str, code: str, status: int) -> None:
    """The next calls fail with the fault's error. When its count is used up, calls succeed."""
    control(simulator, "POST", "faults", {"kind": kind, "count": 2})
    cloudtrail = client(simulator)
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            cloudtrail.lookup_events()
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert cloudtrail.lookup_events()["Events"]
    assert control(simulator, "GET", "faults") == []


@pytest.mark.parametrize(("kind", "pages"), [(FaultKind.RESET, 0), (FaultKind.RESET_AFTER_RESPONSE, 1)])
def test_a_broken_connection_returns_no_answer(simulator: Simulator, kind: FaultKind, pages: int) -> None:
    """It breaks before or after the answer is made."""
    simulator.service.faults.add(Fault(kind, count=1))
    with pytest.raises(ConnectionClosedError):
        client(simulator).lookup_events()
    assert simulator.service.statistics.regions[REGION].pages == pages
    assert client(simulator).lookup_events()["Events"]


@pytest.mark.parametrize("kind", ["throttle", "internal_failure", "service_unavailable", "reset"])
def test_boto3_recovers_from_a_transient_fault(simulator: Simulator, kind: str) -> None:
    """With retries, a fault of one call costs a retry and no event."""
    simulator.service.faults.add(Fault(FaultKind(kind), count=1))
    assert ids(look_up(client(simulator, attempts=3))) == simulator.truth(REGION, FIRST, LAST)


def test_a_fault_of_one_region_spares_the_others(simulator: Simulator) -> None:
    """A fault with a region strikes only there, until it is cleared."""
    control(simulator, "POST", "faults", {"kind": "access_denied", "region": "eu-west-1"})
    assert client(simulator).lookup_events()["Events"]
    for _ in range(3):
        with pytest.raises(ClientError, match="AccessDeniedException"):
            client(simulator, "eu-west-1").lookup_events()
    assert control(simulator, "DELETE", "faults") == []
    assert client(simulator, "eu-west-1").lookup_events()["Events"]


def test_a_random_fault_strikes_with_its_probability() -> None:
    """Equal seeds make equal choices."""
    runs = []
    for _ in range(2):
        faults = Faults(seed=3)
        faults.add(Fault(FaultKind.THROTTLE, probability=0.25))
        runs.append([faults.strike(REGION, "LookupEvents", "123456789012") is not None for _ in range(2000)])
    assert runs[0] == runs[1]
    assert 400 < sum(runs[0]) < 600


@pytest.mark.parametrize(
    "fault",
    [{"kind": "fire"}, {}, {"kind": "reset", "count": 0}, {"kind": "reset", "probability": 2}, {"when": 1}],
)
def test_an_invalid_fault_is_rejected(simulator: Simulator, fault: dict[str, Any]) -> None:
    """The control interface answers 400 and activates nothing."""
    with pytest.raises(urllib.error.HTTPError, match="400"):
        control(simulator, "POST", "faults", fault)
    assert control(simulator, "GET", "faults") == []


def test_the_statistics_count_requests(simulator: Simulator) -> None:
    """Calls, pages and events are counted by region, and by caller."""
    found = look_up(client(simulator))
    counts = control(simulator, "GET", "statistics")[REGION]
    assert counts["calls"] == counts["pages"] == -(-len(found) // 50)
    assert counts["events"] == len(found)
    assert (counts["throttled"], counts["failed"], counts["repeated_pages"]) == (0, 0, 0)
    assert all(agent.startswith("Boto3/") for agent in counts["user_agents"])


def test_repeated_pages_and_events_of_a_range_are_counted(simulator: Simulator) -> None:
    """Every page of a second attempt is a repeated one, the first too, although its tokens are new."""
    found = [ids(look_up(client(simulator))) for _ in range(2)]
    counts = simulator.service.statistics.regions[REGION]
    assert found[0] == found[1]
    assert counts.repeated_pages == counts.pages / 2 == -(-len(found[0]) // 50)
    assert counts.repeated_events == counts.events / 2 == len(found[0])


def test_a_range_divided_differently_has_repeated_events(simulator: Simulator) -> None:
    """Pages of another range are different pages, but their events were already fetched."""
    cloudtrail = client(simulator)
    look_up(cloudtrail)
    half = look_up(cloudtrail, EndTime=FIRST + (LAST - FIRST) / 2)
    counts = simulator.service.statistics.regions[REGION]
    assert (counts.repeated_pages, counts.repeated_events) == (0, len(half))


def test_a_page_that_no_client_got_is_not_repeated(simulator: Simulator) -> None:
    """If an answer is lost, the request is sent again, and no page is counted as repeated."""
    simulator.service.faults.add(Fault(FaultKind.RESET_AFTER_RESPONSE, count=2))
    look_up(client(simulator, attempts=3))
    counts = simulator.service.statistics.regions[REGION]
    assert (counts.failed, counts.repeated_pages, counts.repeated_events) == (2, 0, 0)


def test_the_truth_can_be_read_over_http(simulator: Simulator) -> None:
    """The control interface lists the eventIDs and times of a region and range, newest first."""
    query = f"events?region={REGION}&start={int(FIRST.timestamp())}&end={LAST:%Y-%m-%dT%H:%M:%S}"
    with urllib.request.urlopen(f"{simulator.endpoint_url}/_control/{query}") as answer:
        listed = [json.loads(line) for line in answer]
    found = look_up(client(simulator))
    assert [line["eventID"] for line in listed] == ids(found)
    assert [line["eventTime"] for line in listed] == [int(event["EventTime"].timestamp()) for event in found]
    assert all(line["arrival"] == line["eventTime"] for line in listed)


@pytest.mark.parametrize("query", ["", "region=us-east-1", "region=us-east-1&start=x&end=y"])
def test_the_truth_needs_a_region_and_a_range(simulator: Simulator, query: str) -> None:
    """An incomplete request is rejected."""
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(f"{simulator.endpoint_url}/_control/events?{query}")
