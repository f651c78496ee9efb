"""Page through a window with boto3, and compare the events with the complete list."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from devstack.simulator import REGIONS, ManualClock, Simulator
from tests.simulator.lookups import FIRST, LAST, NOON, REGION, client, ids, look_up, quick


@pytest.mark.parametrize("size", [1, 7, 50])
def test_all_pages_together_have_every_event_once(simulator: Simulator, size: int) -> None:
    """For any size of a page, in the right order."""
    end = FIRST + timedelta(hours=12)
    found = look_up(client(simulator), EndTime=end, MaxResults=size)
    assert ids(found) == simulator.truth(REGION, FIRST, end)
    assert len(found) > size


def test_events_come_newest_first(simulator: Simulator) -> None:
    """From the latest to the earliest."""
    times = [event["EventTime"] for event in look_up(client(simulator))]
    assert times == sorted(times, reverse=True)
    assert FIRST <= times[-1] < times[0] <= LAST


def test_every_page_but_the_last_is_full(simulator: Simulator) -> None:
    """A page has 50 events unless the request limits it, and only the last has no token."""
    pages = list(client(simulator).get_paginator("lookup_events").paginate(StartTime=FIRST, EndTime=LAST))
    sizes = [len(page["Events"]) for page in pages]
    assert sizes[:-1] == [50] * (len(pages) - 1)
    assert 0 < sizes[-1] <= 50
    assert "NextToken" not in pages[-1]


def test_both_ends_are_included(simulator: Simulator) -> None:
    """A range of one second has the events of this second."""
    event = look_up(client(simulator))[10]
    found = look_up(client(simulator), StartTime=event["EventTime"], EndTime=event["EventTime"])
    assert event["EventId"] in ids(found)
    assert {one["EventTime"] for one in found} == {event["EventTime"]}


def test_fractions_of_a_second_are_ignored(simulator: Simulator) -> None:
    """Times have a resolution of one second."""
    event = look_up(client(simulator))[10]
    time = event["EventTime"] + timedelta(milliseconds=600)
    assert event["EventId"] in ids(look_up(client(simulator), StartTime=time, EndTime=time))


def test_adjacent_windows_share_no_event(simulator: Simulator) -> None:
    """Together they have the events of the range over both."""
    noon = FIRST + timedelta(hours=12)
    early = look_up(client(simulator), EndTime=noon - timedelta(seconds=1))
    late = look_up(client(simulator), StartTime=noon)
    assert ids(late) + ids(early) == ids(look_up(client(simulator)))


def test_a_quiet_region_costs_one_request(simulator: Simulator) -> None:
    """A region without events answers with one empty page without a token."""
    assert look_up(client(simulator, "eu-north-1")) == []
    assert simulator.service.statistics.regions["eu-north-1"].calls == 1


def test_regions_and_accounts_have_events_of_their_own(clock: ManualClock) -> None:
    """No eventID is in two regions or two accounts. The access key decides the account."""
    with Simulator(quick(accounts={"AKIAOTHER": "999999999999"}), clock) as simulator:
        lists = [ids(look_up(client(simulator, region))) for region in REGIONS]
        other = client(simulator, access_key="AKIAOTHER")
        lists.append(ids(look_up(other)))
        record = json.loads(look_up(other)[0]["CloudTrailEvent"])
    assert record["recipientAccountId"] == "999999999999"
    together = [event_id for listed in lists for event_id in listed]
    assert len(set(together)) == len(together)


def test_events_older_than_90_days_are_not_returned(simulator: Simulator) -> None:
    """A range that starts earlier is cut to the last 90 days."""
    oldest = NOON - timedelta(days=90)
    found = look_up(client(simulator), StartTime=oldest - timedelta(days=2), EndTime=oldest + timedelta(hours=8))
    assert ids(found) == simulator.truth(REGION, oldest, oldest + timedelta(hours=8))
    assert found


def test_future_events_are_not_returned(simulator: Simulator, clock: ManualClock) -> None:
    """They are returned when their time has come."""
    today = {"StartTime": NOON.replace(hour=0), "EndTime": NOON.replace(hour=23)}
    before = look_up(client(simulator), **today)
    clock.move(3600)
    after = look_up(client(simulator), **today)
    assert max(event["EventTime"] for event in before) <= NOON
    assert ids(after)[-len(before) :] == ids(before)
    assert len(after) > len(before)


def test_without_a_range_the_newest_events_are_returned(simulator: Simulator) -> None:
    """A request without times starts at the current time."""
    page = client(simulator).lookup_events(MaxResults=5)
    start = NOON - timedelta(days=1)
    assert ids(page["Events"]) == simulator.truth(REGION, start, NOON)[:5]


def test_an_event_agrees_with_its_record(simulator: Simulator) -> None:
    """The members around a record have its values."""
    for event in look_up(client(simulator)):
        record = json.loads(event["CloudTrailEvent"])
        assert event["EventId"] == record["eventID"]
        assert event["EventName"] == record["eventName"]
        assert event["EventSource"] == record["eventSource"]
        assert event["ReadOnly"] == str(record["readOnly"]).lower()
        assert event["EventTime"].strftime("%Y-%m-%dT%H:%M:%S") == record["eventTime"].removesuffix("Z")
        assert event.get("AccessKeyId") == record["userIdentity"].get("accessKeyId")
        assert record["awsRegion"] == REGION
