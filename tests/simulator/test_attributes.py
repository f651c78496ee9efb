"""LookupAttributes: a lookup with one attribute."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from devstack.simulator import Simulator
from tests.simulator.lookups import FIRST, REGION, client, ids, look_up


def with_attribute(simulator: Simulator, key: str, value: str) -> list[dict[str, Any]]:
    return look_up(client(simulator), LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}])


_READERS: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "EventId": lambda event: [event["EventId"]],
    "EventName": lambda event: [event["EventName"]],
    "ReadOnly": lambda event: [event["ReadOnly"]],
    "EventSource": lambda event: [event["EventSource"]],
    "Username": lambda event: [event["Username"]] if "Username" in event else [],
    "AccessKeyId": lambda event: [event["AccessKeyId"]] if "AccessKeyId" in event else [],
    "ResourceType": lambda event: [resource["ResourceType"] for resource in event["Resources"]],
    "ResourceName": lambda event: [resource["ResourceName"] for resource in event["Resources"]],
}


@pytest.mark.parametrize("key", _READERS)
def test_a_lookup_finds_exactly_the_events_with_the_attribute(simulator: Simulator, key: str) -> None:
    """For each attribute: the events found are those that have it, in the same order."""
    everything = look_up(client(simulator))
    values = sorted({value for event in everything for value in _READERS[key](event)})
    for value in (values[0], values[len(values) // 2]):
        expected = [event["EventId"] for event in everything if value in _READERS[key](event)]
        assert ids(with_attribute(simulator, key, value)) == expected


def test_a_lookup_without_results_returns_an_empty_list(simulator: Simulator) -> None:
    """For a value that no event has."""
    assert with_attribute(simulator, "EventName", "NoSuchOperation") == []


def test_usernames_are_as_cloudtrail_gives_them(simulator: Simulator) -> None:
    """A role's user name is its session, a user's its own name, the root user's `root`; a service has none."""
    told = {"AssumedRole": 0, "IAMUser": 0, "AWSService": 0}
    for event in look_up(client(simulator)):
        identity = json.loads(event["CloudTrailEvent"])["userIdentity"]
        kind = identity.get("type")
        if kind == "AssumedRole":
            assert event["Username"] == identity["arn"].split("/")[-1]
        elif kind == "IAMUser":
            assert event["Username"] == identity["userName"]
        elif kind == "Root":
            assert event["Username"] == "root"
        elif kind == "AWSService":
            assert "Username" not in event
        told[kind] = told.get(kind, 0) + 1
    assert min(told.values()) > 0


def test_a_lookup_through_many_events_continues_by_token(simulator: Simulator) -> None:
    """A rare event is found even if a page finds nothing."""
    found = with_attribute(simulator, "EventSource", "signin.amazonaws.com")
    assert all(event["EventName"] == "ConsoleLogin" for event in found)
    nothing = look_up(
        client(simulator),
        StartTime=FIRST - timedelta(days=8),
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "NoSuchOperation"}],
    )
    assert nothing == []
    assert simulator.service.statistics.regions[REGION].pages > 2
