"""Checks both backfills: every event by its id, every cell, and which requests were made with which identity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from cloudtrail_elasticsearch.hooks.account_clients import SESSION_NAME
from devstack.accounts.backfill import Loaded, Observed
from devstack.accounts.scenario import ROLE, Cell, Scenario
from devstack.endpoints import ACCESS_KEY

_DONE: Final = frozenset({"complete", "quiet"})
_NAMED: Final = 5
"""The most cells of one kind that are named."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a backfill; those of requests and tasks are its own."""

    cells: Counter[str]
    """The cells of the ledger by their states."""
    events: int
    """The events that must be on the server."""
    lost: int
    twice: int
    """Documents beyond one for each event."""
    strangers: int
    """Documents of other events."""
    tasks: int
    attempts: int
    calls: int
    """LookupEvents calls."""
    assumed: int
    """AssumeRole requests."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Both backfills; `broken` lists the broken promises."""

    first: Figures
    second: Figures
    broken: tuple[str, ...]


def check_backfills(scenario: Scenario, loaded: Loaded) -> Outcome:
    """Compare the documents, the ledger and the requests with the scenario and the simulator's events."""
    first, second = loaded.first, loaded.second
    of_others = [ids for account, ids in loaded.truth.items() if account not in scenario.refused]
    counted = _count(first, of_others, None), _count(second, loaded.truth.values(), first)
    broken = [
        f"{name} backfill: {sentence}"
        for name, figures, sentences in (
            ("first", counted[0], check_first(scenario, first)),
            ("second", counted[1], check_second(scenario, first, second)),
        )
        for sentence in (*_name_wrong_events(figures), *sentences)
    ]
    return Outcome(*counted, tuple(broken))


def check_first(scenario: Scenario, first: Observed) -> Iterator[str]:
    """Yield a sentence for each kind of wrong cell, run, task or request of the backfill without the roles."""
    refused = set(scenario.refused)
    cells = {_name_cell(document): document for document in first.cells}
    yield from _check_plan(scenario, cells)
    of_others = {cell: found for cell, found in cells.items() if cell.account not in refused}
    yield from _name_unfinished("cells of accounts with the role are neither complete nor quiet", of_others)
    yield from _name_some(
        "cells of accounts without the role are not missing, or do not name the role and what to do",
        (cell for cell, found in cells.items() if cell.account in refused and not _explains_role(cell, found)),
    )
    yield from _check_runs(scenario, first, "failed")
    strangers = {_name_task(task) for task in first.tasks if _is_strange_failure(task, refused)}
    if strangers:
        yield f"tasks failed that no account without the role explains: {', '.join(sorted(strangers)[:_NAMED])}"
    looked_up = sorted(account for account in refused if first.calls.get(account))
    if looked_up:
        yield f"LookupEvents was called in accounts without the role: {', '.join(looked_up)}"
    if not first.expired.get(scenario.expiring):
        yield f"no request of account {scenario.expiring} met an expired session"
    yield from _check_identities(first)


def check_second(scenario: Scenario, first: Observed, second: Observed) -> Iterator[str]:
    """Yield a sentence for each kind of wrong cell, run or request of the backfill with the roles."""
    cells = {_name_cell(document): document for document in second.cells}
    yield from _check_plan(scenario, cells)
    yield from _name_unfinished("cells are neither complete nor quiet", cells)
    yield from _check_runs(scenario, second, "success")
    called = {account for account, calls in second.calls.items() if calls != first.calls.get(account, 0)}
    if called != set(scenario.refused):
        yield f"LookupEvents was called in {_join(called)}, not in {_join(scenario.refused)}"
    yield from _check_identities(second)


def _check_plan(scenario: Scenario, cells: Mapping[Cell, Mapping[str, Any]]) -> Iterator[str]:
    planned = scenario.list_cells()
    yield from _name_some("cells are not in the ledger", planned - cells.keys())
    yield from _name_some("cells of the ledger were not planned", cells.keys() - planned)


def _check_runs(scenario: Scenario, observed: Observed, expected: str) -> Iterator[str]:
    for day in scenario.days:
        if observed.runs.get(str(day)) != expected:
            yield f"the run of {day} ended with state {observed.runs.get(str(day))}, not {expected}"


def _check_identities(observed: Observed) -> Iterator[str]:
    # The simulator opens a session only with the role's external id.
    if observed.sessions.keys() != {SESSION_NAME}:
        yield f"the sessions are named {_join(observed.sessions)}, not {SESSION_NAME}"
    if observed.access_keys != {ACCESS_KEY}:
        yield f"{len(observed.access_keys)} access keys were used for the staging bucket, not only the worker's"


def _explains_role(cell: Cell, found: Mapping[str, Any]) -> bool:
    problem = found["problem"] or ""
    wanted = (ROLE.arn(cell.account), "sts:AssumeRole", f"create the role in account {cell.account}")
    return found["state"] == "missing" and all(words in problem for words in wanted)


def _is_strange_failure(task: Mapping[str, Any], refused: Iterable[str]) -> bool:
    if task["state"] == "success":
        return False
    # The names of a batch's tasks begin with its account, or have it after the day and the number.
    return task["task_id"] != "coverage" and not any(account in _name_task(task) for account in refused)


def _name_task(task: Mapping[str, Any]) -> str:
    return f"{task['task_id']} {task['rendered_map_index'] or ''} ({task['state']})"


def _name_wrong_events(figures: Figures) -> Iterator[str]:
    for name in ("lost", "twice", "strangers"):
        if count := getattr(figures, name):
            yield f"{count} events {name}"


def _count(observed: Observed, truth: Iterable[list[str]], before: Observed | None) -> Figures:
    wanted, found = {event for ids in truth for event in ids}, observed.events
    return Figures(
        cells=Counter(document["state"] for document in observed.cells),
        events=len(wanted),
        lost=len(wanted - found.keys()),
        twice=found.total() - len(found),
        strangers=len(found.keys() - wanted),
        # A plan with fewer batches removes the further ones.
        tasks=sum(task["state"] != "removed" for task in observed.tasks),
        attempts=_count_attempts(observed) - (_count_attempts(before) if before else 0),
        calls=sum(observed.calls.values()) - (sum(before.calls.values()) if before else 0),
        assumed=observed.assumed - (before.assumed if before else 0),
    )


def _count_attempts(observed: Observed) -> int:
    return sum(int(task["try_number"]) for task in observed.tasks)


def _name_some(what: str, cells: Iterable[Cell]) -> Iterator[str]:
    if found := sorted(cells):
        some = ", ".join(f"{cell.account} {cell.region} {cell.day}" for cell in found[:_NAMED])
        yield f"{len(found)} {what}: {some}"


def _name_unfinished(what: str, cells: Mapping[Cell, Mapping[str, Any]]) -> Iterator[str]:
    unfinished = {cell: found for cell, found in cells.items() if found["state"] not in _DONE}
    yield from _name_some(what, unfinished)
    # Most cells fail for the same reason.
    for problem in sorted({str(found["problem"]) for found in unfinished.values()})[:_NAMED]:
        yield f"the problem of one of them: {problem}"


def _name_cell(document: Mapping[str, Any]) -> Cell:
    return Cell(document["account"], document["region"], date.fromisoformat(document["day"]))


def _join(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
