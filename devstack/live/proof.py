"""Checks the runs: when each event was found, and that the daily run proves the day."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from devstack.live.hours import Observed
from devstack.live.scenario import PROMPT, Outage, ScenarioSettings, find_outages

_DONE: Final = frozenset({"complete", "quiet"})
_NAMED: Final = 3
"""The most events or cells of one kind that are named."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The figures of the runs; `broken` lists the broken promises."""

    states: Counter[str]
    """The live runs by their states."""
    killed: int
    throttled: int
    live: int
    """The events that live runs had to find."""
    late: int
    """Those of them that were found after more than the allowed time."""
    median_delay: float
    """Simulated seconds from an event's availability to the first run after which it was found; so is the next."""
    longest_delay: float
    left: int
    """Events that only the daily run had to find, and that no live run found."""
    events: int
    """The events of the day."""
    lost: int
    twice: int
    """Documents beyond one for each event."""
    strangers: int
    """Documents of other events."""
    live_calls: int
    daily_calls: int
    broken: tuple[str, ...]


def check_hours(scenario: ScenarioSettings, observed: Observed) -> Outcome:
    """Compare the times at which events were found, the documents and the ledger with the source's events."""
    outages = list(find_outages(list(observed.steps)))
    live = {event_id: event.available for event_id, event in observed.truth.items() if event.is_live}
    # An event that becomes available at the very end is left to the daily run.
    last = observed.steps[-1].now
    deadlines = {event_id: find_deadline(at, outages) for event_id, at in live.items()}
    due = {event_id: deadline for event_id, deadline in deadlines.items() if deadline <= last}
    never = last + PROMPT
    late = [event_id for event_id, deadline in due.items() if observed.found.get(event_id, never) > deadline]
    delays = [(at - live[each]).total_seconds() for each, at in observed.found.items() if each in due]
    found, wanted = observed.events, observed.truth.keys()
    outcome = Outcome(
        states=Counter(run.state for run in observed.runs),
        killed=sum(run.was_killed for run in observed.runs),
        throttled=observed.throttled,
        live=len(due),
        late=len(late),
        median_delay=statistics.median(delays) if delays else 0.0,
        longest_delay=max(delays, default=0.0),
        left=len(wanted - observed.found.keys()),
        events=len(wanted),
        lost=len(wanted - found.keys()),
        twice=found.total() - len(found),
        strangers=len(found.keys() - wanted),
        live_calls=observed.live_calls,
        daily_calls=observed.daily_calls,
        broken=(),
    )
    return replace(outcome, broken=(*_name_late(observed, late), *_check(scenario, observed, outcome)))


def find_deadline(available: datetime, outages: Iterable[Outage]) -> datetime:
    """Return the time until which a live run must have found an event.

    If a service is down in the time after the event became available, the time counts from the outage's end.
    """
    deadline = available + PROMPT
    for outage in sorted(outages, key=lambda each: each.start):
        if available < outage.end and outage.start <= deadline:
            deadline = max(deadline, outage.end + PROMPT)
    return deadline


def _check(scenario: ScenarioSettings, observed: Observed, outcome: Outcome) -> Iterator[str]:
    """Yield a sentence for each broken promise but late events."""
    for name in ("lost", "twice", "strangers"):
        if count := getattr(outcome, name):
            yield f"{count} events {name}"
    for run in observed.runs:
        if run.state != "success" and not run.step.down and not run.was_killed:
            yield f"the live run of {run.step.now:%H:%M} ended with state {run.state}, although no fault struck it"
    if outcome.killed != scenario.kills:
        yield f"{outcome.killed} runs were killed, not {scenario.kills}"
    if not outcome.live:
        yield "no event had to be found by live runs"
    if any(step.throttled for step in observed.steps) and not observed.throttled:
        yield "no request was throttled"
    if observed.daily != "success":
        yield f"the daily run ended with state {observed.daily}"
    yield from _check_cells(scenario, observed.cells)


def _check_cells(scenario: ScenarioSettings, cells: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    of_day = [cell for cell in cells if cell["day"] == str(scenario.day)]
    there = {(cell["account"], cell["region"]): cell["state"] for cell in of_day}
    if missing := set(scenario.regions) - {region for _, region in there}:
        yield f"the ledger has no cell of {', '.join(sorted(missing))}"
    if wrong := sorted(place for place, state in there.items() if state not in _DONE):
        some = ", ".join(f"{account} {region} ({there[account, region]})" for account, region in wrong[:_NAMED])
        yield f"{len(wrong)} cells are neither complete nor quiet: {some}"


def _name_late(observed: Observed, late: list[str]) -> Iterator[str]:
    if late:
        some = ", ".join(f"{event_id} ({_describe_times(observed, event_id)})" for event_id in late[:_NAMED])
        yield f"{len(late)} events were found too late or by no live run: {some}"


def _describe_times(observed: Observed, event_id: str) -> str:
    found = observed.found.get(event_id)
    available = observed.truth[event_id].available
    return f"available {available:%H:%M:%S}, " + (f"found {found:%H:%M:%S}" if found else "not found")
