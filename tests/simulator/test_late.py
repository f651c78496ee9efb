"""Events that a lookup returns only some time after they happened."""

from __future__ import annotations

import json
import urllib.request
from datetime import timedelta

import pytest

from devstack.simulator import DEFAULT_ACCOUNT, Lateness, Latenesses, ManualClock, Simulator, Span
from tests.simulator.lookups import FIRST, LAST, NOON, REGION, client, ids, look_up, quick


def test_a_late_event_is_hidden_until_it_arrives(clock: ManualClock) -> None:
    """Afterwards a lookup returns every event."""
    today = {"StartTime": NOON - timedelta(hours=3), "EndTime": NOON}
    with Simulator(quick(lateness=Lateness(0.3, 600, 7200)), clock) as simulator:
        early = ids(look_up(client(simulator), **today))
        clock.move(7200)
        late = ids(look_up(client(simulator), **today))
    with Simulator(quick(), clock) as prompt:
        assert late == ids(look_up(client(prompt), **today))
    assert set(early) < set(late)


def test_the_delay_is_within_its_bounds() -> None:
    """About the configured fraction is late, none by less than the shortest or more than the longest delay."""
    lateness = Lateness(0.25, 100, 200)
    delays = [lateness.of(f"event {number}") for number in range(4000)]
    late = [delay for delay in delays if delay]
    assert 800 < len(late) < 1200
    assert (min(late), max(late)) == (100, 200)


def test_kinds_of_lateness_have_their_fractions() -> None:
    """Each of its own length; one kind alone delays the same events as before."""
    names = [f"event {number}" for number in range(4000)]
    short, long = Lateness(0.5, 100, 200), Lateness(0.25, 1000, 1100)
    both = Latenesses((short, long))
    delays = [both.of(name) for name in names]
    assert 1800 < sum(100 <= delay <= 200 for delay in delays) < 2200
    assert 800 < sum(1000 <= delay <= 1100 for delay in delays) < 1200
    assert sum(delay == 0 for delay in delays) == sum(not (100 <= delay <= 1100) for delay in delays)
    assert all(both.of(name) == short.of(name) for name in names if short.of(name))
    with pytest.raises(ValueError, match="more than all events"):
        Latenesses((short, Lateness(0.6)))


def test_an_arrival_shifts_only_later_pages(clock: ManualClock) -> None:
    """Two events arrive between two pages: the one on a later page is returned, the other is missed."""
    with Simulator(quick(), clock) as quiet:
        everything = quiet.truth(REGION, FIRST, LAST)
    newer, older = everything[5], everything[-5]
    arrival = NOON.timestamp() + 60
    with Simulator(quick(arrivals={newer: arrival, older: arrival}), clock) as simulator:
        cloudtrail = client(simulator)
        request = {"StartTime": FIRST, "EndTime": LAST}
        first = cloudtrail.lookup_events(**request)
        clock.move(60)
        rest, token = [], first["NextToken"]
        while token:
            page = cloudtrail.lookup_events(**request, NextToken=token)
            rest += ids(page["Events"])
            token = page.get("NextToken")
        assert ids(first["Events"]) + rest == [event_id for event_id in everything if event_id != newer]
        assert ids(look_up(cloudtrail)) == everything


def test_the_truth_distinguishes_arrived_and_pending_events(clock: ManualClock) -> None:
    """Together they are all events that happened."""
    span = Span(DEFAULT_ACCOUNT, REGION, int(FIRST.timestamp()), int(LAST.timestamp()))
    with Simulator(quick(lateness=Lateness(0.4, 5 * 86_400, 6 * 86_400)), clock) as simulator:
        service = simulator.service
        arrived = {entry.id for entry in service.truth(span)}
        pending = {entry.id for entry in service.pending(span)}
        everything = {entry.id for entry in service.events.newest_first(span)}
    assert arrived | pending == everything
    assert not arrived & pending
    assert pending


def test_arrivals_can_be_scheduled_and_time_moved_over_http(simulator: Simulator) -> None:
    """The control interface hides an event until its arrival, and moves the clock forward."""
    event_id = simulator.truth(REGION, FIRST, LAST)[0]
    post(simulator, "arrivals", {event_id: NOON.timestamp() + 100})
    assert event_id not in ids(look_up(client(simulator)))
    assert post(simulator, "clock", {"offset": 100}) == {"now": NOON.timestamp() + 100}
    assert event_id in ids(look_up(client(simulator)))


def test_a_standing_clock_shows_each_event_from_its_arrival_on(simulator: Simulator) -> None:
    """The truth has the times of arrival; the quota's time passes although the clock stands."""
    event = simulator.truth(REGION, FIRST, LAST)[0]
    arrival = NOON.timestamp() + 100
    post(simulator, "arrivals", {event: arrival})
    for now, is_there in ((arrival - 1, False), (arrival, True), (arrival - 1, False)):
        assert post(simulator, "clock", {"now": now}) == {"now": now}
        assert (event in ids(look_up(client(simulator)))) is is_there
    span = Span(DEFAULT_ACCOUNT, REGION, int(FIRST.timestamp()), int(LAST.timestamp()))
    arrivals = {entry.id: (entry.time, time) for entry, time in simulator.service.arrivals(span)}
    assert arrivals.pop(event)[1] == arrival
    assert all(happened == arrived for happened, arrived in arrivals.values())
    assert post(simulator, "clock", {"offset": 5}) == {"now": NOON.timestamp() + 5}


def post(simulator: Simulator, path: str, body: dict[str, float]) -> object:
    request = urllib.request.Request(f"{simulator.endpoint_url}/_control/{path}", json.dumps(body).encode())
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())
