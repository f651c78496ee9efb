"""LookupEvents of Insights events."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from devstack.simulator import ManualClock, Simulator
from tests.simulator.lookups import FIRST, LAST, client, ids, look_up, quick
from tests.simulator.organizations import MEMBERS, OTHER, assume, client_of


def insights(cloudtrail: Any, **request: Any) -> list[dict[str, Any]]:
    """Return the Insights events of all pages."""
    return look_up(cloudtrail, EventCategory="insight", **request)


def test_insights_are_returned_with_their_category_only(simulator: Simulator) -> None:
    """Without the category only management events, and with it no management event."""
    found = insights(client(simulator))
    records = [json.loads(event["CloudTrailEvent"]) for event in found]
    assert found
    assert {record["eventCategory"] for record in records} == {"Insight"}
    others = [json.loads(event["CloudTrailEvent"]) for event in look_up(client(simulator))]
    assert {record["eventCategory"] for record in others} == {"Management"}
    assert ids(found) == simulator.insights("us-east-1", FIRST, LAST)


def test_an_insights_event_names_the_unusual_call(simulator: Simulator) -> None:
    """A start and an end share an id. The call's source and name are members, and can be looked up."""
    found = insights(client(simulator))
    details = [json.loads(event["CloudTrailEvent"])["insightDetails"] for event in found]
    assert [one["state"] for one in details].count("Start") == len(found) / 2
    for event, detail in zip(found, details, strict=True):
        assert (event["EventName"], event["EventSource"]) == (detail["eventName"], detail["eventSource"])
        assert event["Resources"] == []
        assert not {"Username", "AccessKeyId", "ReadOnly"} & set(event)
    name = found[0]["EventName"]
    named = insights(client(simulator), LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}])
    assert named == [event for event in found if event["EventName"] == name]


def test_insights_are_paged(clock: ManualClock) -> None:
    """A token of one category is not valid for the other."""
    with Simulator(quick(insights=30.0), clock) as simulator:
        cloudtrail = client(simulator)
        found = insights(cloudtrail, MaxResults=7)
        assert len(found) >= 60
        assert len(set(ids(found))) == len(found)
        assert ids(found) == simulator.insights("us-east-1", FIRST, LAST)
        token = cloudtrail.lookup_events(EventCategory="insight", MaxResults=7)["NextToken"]
        with pytest.raises(cloudtrail.exceptions.InvalidNextTokenException):
            cloudtrail.lookup_events(NextToken=token)


def test_each_account_has_its_own_insights(clock: ManualClock) -> None:
    """The control interface lists them, too."""
    with Simulator(quick(members=MEMBERS), clock) as simulator:
        found = insights(client_of(simulator, "cloudtrail", assume(simulator)))
        assert found
        assert set(ids(found)).isdisjoint(ids(insights(client(simulator))))
        start, end = int(FIRST.timestamp()), int(LAST.timestamp())
        query = f"region=us-east-1&start={start}&end={end}&account={OTHER}&state=insights"
        with urllib.request.urlopen(f"{simulator.endpoint_url}/_control/events?{query}") as answer:
            listed = [json.loads(line)["eventID"] for line in answer]
        assert ids(found) == listed == simulator.insights("us-east-1", FIRST, LAST, OTHER)


def test_a_simulator_without_insights_returns_none(clock: ManualClock) -> None:
    """The category is valid in any case."""
    with Simulator(quick(insights=0.0), clock) as simulator:
        assert insights(client(simulator)) == []
