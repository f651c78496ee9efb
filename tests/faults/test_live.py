"""The plan and the checks of ``make live``: they find late, lost and repeated events, and runs that failed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from devstack.live.events import Event
from devstack.live.hours import LiveRun, Observed
from devstack.live.proof import check_hours, find_deadline
from devstack.live.scenario import INTERVAL, Outage, ScenarioSettings, find_outages, plan_steps

SCENARIO = ScenarioSettings(
    runs=14, kills=1, outage=2, outages=("search",), regions=("us-east-1",), day=date(2026, 11, 20)
)
STEPS = plan_steps(SCENARIO)
(OUTAGE,) = find_outages(STEPS)
TIMES = [step.now for step in STEPS]
CELL = {"account": "123456789012", "region": "us-east-1", "day": "2026-11-20", "state": "complete"}
SECOND = timedelta(seconds=1)


def observe(events: dict[str, tuple[datetime, datetime | None]]) -> Observed:
    """Return runs without a mistake but for the times at which events became available and were found."""
    return Observed(
        steps=tuple(STEPS),
        runs=tuple(
            LiveRun(step, "failed" if step.down or step.is_killed else "success", step.is_killed, 1.0)
            for step in STEPS
        ),
        truth={name: Event(available, is_live=True) for name, (available, _) in events.items()},
        found={name: found for name, (_, found) in events.items() if found},
        daily="success",
        cells=(CELL,),
        events=Counter(dict.fromkeys(events, 1)),
        live_calls=20,
        throttled=3,
        daily_calls=1,
    )


GOOD = observe({"first": (TIMES[0], TIMES[1]), "second": (TIMES[1] - SECOND, TIMES[2])})


def test_a_plan_has_its_kills_and_outages_apart() -> None:
    """The same for the same seed; two runs at the end have no fault."""
    settings = ScenarioSettings()
    steps = plan_steps(settings)
    assert steps == plan_steps(settings)
    assert [step.now for step in steps] == [settings.begins + number * INTERVAL for number in range(50)]
    assert [step.number for step in steps] == list(range(50))
    killed = [step for step in steps if step.is_killed]
    assert len(killed) == 2
    assert killed[1].number - killed[0].number > 3
    assert not any(step.down for step in killed)
    assert [(outage.service, outage.end - outage.start) for outage in find_outages(steps)] == [
        ("search", 6 * INTERVAL),
        ("aws", 6 * INTERVAL),
    ]
    assert any(step.throttled for step in steps)
    assert not any(step.down or step.is_killed or step.throttled for step in steps[-2:])
    with pytest.raises(ValueError, match="too few runs"):
        ScenarioSettings(runs=12)


def test_the_time_to_find_an_event_counts_from_the_end_of_an_outage() -> None:
    """If it became available during the outage, or so late before it that no run had to find it yet."""
    start, end = OUTAGE.start, OUTAGE.end
    assert end - start == 2 * INTERVAL
    for available in (start - 2 * INTERVAL, start - SECOND, start, end - SECOND):
        assert find_deadline(available, [OUTAGE]) == end + 2 * INTERVAL
    for available in (start - 2 * INTERVAL - SECOND, end):
        assert find_deadline(available, [OUTAGE]) == available + 2 * INTERVAL
    later = Outage("aws", end + INTERVAL, end + 3 * INTERVAL)
    assert find_deadline(start, [later, OUTAGE]) == end + 5 * INTERVAL


def test_runs_without_a_mistake_break_no_promise() -> None:
    """A run may fail if it was killed, or if a service was down."""
    outcome = check_hours(SCENARIO, GOOD)
    assert outcome.broken == ()
    assert (outcome.live, outcome.late, outcome.events, outcome.left) == (2, 0, 2, 0)
    assert outcome.longest_delay == INTERVAL.total_seconds() + 1
    assert outcome.states == {"success": len(STEPS) - 3, "failed": 3}


@pytest.mark.parametrize("found", [TIMES[3], None])
def test_an_event_that_is_found_too_late_or_never_is_named(found: datetime | None) -> None:
    """With both times. One that only the daily run must find is not late."""
    observed = observe({"late": (TIMES[0] + SECOND, found), "prompt": (TIMES[0], TIMES[2])})
    outcome = check_hours(SCENARIO, observed)
    (sentence,) = outcome.broken
    assert outcome.late == 1
    assert sentence.startswith("1 events were found too late or by no live run: late (available 01:00:38, ")
    truth = {**observed.truth, "late": Event(TIMES[0], is_live=False)}
    assert check_hours(SCENARIO, replace(observed, truth=truth)).broken == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"events": Counter({"first": 1})}, "1 events lost"),
        ({"events": Counter({"first": 2, "second": 1})}, "1 events twice"),
        ({"events": Counter({"first": 1, "second": 1, "other": 1})}, "1 events strangers"),
        ({"runs": tuple(replace(run, state="failed") for run in GOOD.runs)}, "although no fault struck it"),
        ({"runs": tuple(replace(run, was_killed=False) for run in GOOD.runs)}, "0 runs were killed, not 1"),
        ({"throttled": 0}, "no request was throttled"),
        ({"daily": "failed"}, "the daily run ended with state failed"),
        ({"cells": ()}, "the ledger has no cell of us-east-1"),
        ({"cells": ({**CELL, "state": "failed"},)}, "123456789012 us-east-1 (failed)"),
        ({"truth": {}}, "no event had to be found by live runs"),
    ],
)
def test_every_other_mistake_is_reported(changes: dict[str, Any], words: str) -> None:
    """In a sentence of its own."""
    assert any(words in sentence for sentence in check_hours(SCENARIO, replace(GOOD, **changes)).broken)
