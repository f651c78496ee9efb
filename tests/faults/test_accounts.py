"""The checks of ``make accounts``: they find wrong cells, runs, tasks and identities."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from cloudtrail_elasticsearch.hooks.account_clients import SESSION_NAME
from devstack.accounts.backfill import Loaded, Observed
from devstack.accounts.proof import check_backfills, check_first, check_second
from devstack.accounts.scenario import CLOSED_ACCOUNT, ROLE, Cell, Scenario, ScenarioSettings
from devstack.endpoints import ACCESS_KEY

DAY = date(2026, 11, 20)
SCENARIO = Scenario.make(ScenarioSettings(accounts=4, refused=1, regions=("us-east-1",), days=1, last=DAY))
(REFUSED,) = SCENARIO.refused
GOOD = next(account for account in SCENARIO.active if account not in (REFUSED, SCENARIO.expiring))
TRUTH = {account: [f"event-of-{account}"] for account in SCENARIO.active}
PROBLEM = f"AWS denied sts:AssumeRole of {ROLE.arn(REFUSED)}: create the role in account {REFUSED}"


def document(account: str, state: str = "complete", problem: str | None = None) -> dict[str, Any]:
    return {"account": account, "region": "us-east-1", "day": str(DAY), "state": state, "problem": problem}


def task(task_id: str, name: str, state: str) -> dict[str, Any]:
    return {"task_id": task_id, "rendered_map_index": name, "state": state, "try_number": 1}


def missing() -> dict[str, Any]:
    return document(REFUSED, "missing", PROBLEM)


def observe(*cells: dict[str, Any], state: str = "success") -> Observed:
    """Return a backfill without a mistake but for the cells."""
    loaded = {cell["account"] for cell in cells if cell["state"] == "complete"}
    return Observed(
        runs={str(DAY): state},
        tasks=(task("cell.fetch", f"{REFUSED} us-east-1 {DAY}", "failed"), task("coverage", "", "failed")),
        cells=cells,
        events=Counter(event for account in loaded for event in TRUTH[account]),
        calls=dict.fromkeys(loaded, 1),
        expired={SCENARIO.expiring: 1},
        assumed=3,
        sessions={SESSION_NAME: 3},
        access_keys=frozenset({ACCESS_KEY}),
        seconds=1.0,
        processor_seconds=1.0,
    )


OTHERS = [document(account) for account in SCENARIO.active if account != REFUSED]
FIRST = observe(missing(), *OTHERS, state="failed")
SECOND = observe(document(REFUSED), *OTHERS)


def test_a_scenario_has_a_busy_account_without_the_role_and_a_closed_account() -> None:
    """No cell of the closed account is expected."""
    members = {member.id: member for member in SCENARIO.members}
    assert members[REFUSED].roles == ()
    assert members[REFUSED].activity == 1.0
    assert members[CLOSED_ACCOUNT].state == "SUSPENDED"
    assert (
        {cell.account for cell in SCENARIO.list_cells()} == set(SCENARIO.active) == set(members) - {CLOSED_ACCOUNT}
    )
    with pytest.raises(ValueError, match="three more"):
        ScenarioSettings(accounts=3, refused=1)


def test_both_backfills_pass_if_every_promise_is_kept() -> None:
    """The figures of the second one are its own."""
    outcome = check_backfills(SCENARIO, Loaded(FIRST, SECOND, TRUTH))
    assert outcome.broken == ()
    assert (outcome.first.events, outcome.second.events) == (3, 4)
    assert (outcome.first.cells["missing"], outcome.second.cells["missing"]) == (1, 0)
    assert (outcome.first.calls, outcome.second.calls) == (3, 1)


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (observe(*OTHERS, state="failed"), f"cells are not in the ledger: {REFUSED}"),
        (observe(missing(), document(CLOSED_ACCOUNT, "quiet"), *OTHERS, state="failed"), "were not planned"),
        (observe(missing(), document(GOOD, "missing", PROBLEM), state="failed"), "neither complete"),
        (observe(document(REFUSED, "missing", "no reason"), *OTHERS, state="failed"), "do not name the role"),
        (observe(document(REFUSED, "quiet", PROBLEM), *OTHERS, state="failed"), "do not name the role"),
        (replace(FIRST, runs={str(DAY): "success"}), "ended with state success, not failed"),
        (
            replace(FIRST, tasks=(task("cell.load", f"{GOOD} us-east-1 {DAY}", "upstream_failed"),)),
            f"no account without the role explains: cell.load {GOOD} us-east-1 {DAY} (upstream_failed)",
        ),
        (replace(FIRST, calls={REFUSED: 1}), f"called in accounts without the role: {REFUSED}"),
        (replace(FIRST, expired={}), "met an expired session"),
        (replace(FIRST, sessions={"botocore-session-1": 3}), "are named botocore-session-1"),
        (replace(FIRST, access_keys=frozenset({ACCESS_KEY, "ASIA1"})), "2 access keys"),
    ],
)
def test_every_mistake_of_the_first_backfill_is_reported(first: Observed, words: str) -> None:
    """By name, and no other one unless it follows."""
    assert any(words in sentence for sentence in check_first(SCENARIO, first))


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (observe(missing(), *OTHERS), "cells are neither complete nor quiet"),
        (replace(SECOND, runs={str(DAY): "failed"}), "ended with state failed, not success"),
        (replace(SECOND, calls=FIRST.calls), f"was called in none, not in {REFUSED}"),
        (replace(SECOND, calls={**SECOND.calls, GOOD: 2}), "LookupEvents was called in"),
    ],
)
def test_every_mistake_of_the_second_backfill_is_reported(second: Observed, words: str) -> None:
    """Also a lookup in an account that was complete."""
    assert any(words in sentence for sentence in check_second(SCENARIO, FIRST, second))


def test_lost_repeated_and_strange_events_are_counted() -> None:
    """In each backfill for its own accounts."""
    events = Counter({**SECOND.events, f"event-of-{GOOD}": 2, "stranger": 1})
    del events[f"event-of-{REFUSED}"]
    outcome = check_backfills(SCENARIO, Loaded(FIRST, replace(SECOND, events=events), TRUTH))
    assert set(outcome.broken) == {
        "second backfill: 1 events lost",
        "second backfill: 1 events twice",
        "second backfill: 1 events strangers",
    }


def test_a_cell_is_named_by_account_region_and_day() -> None:
    """At most five of one kind."""
    (sentence,) = (each for each in check_second(SCENARIO, FIRST, replace(SECOND, cells=())) if "ledger" in each)
    assert sentence.startswith("4 cells are not in the ledger: ")
    assert all(f"{account} us-east-1 {DAY}" in sentence for account in SCENARIO.active)
    assert Cell(GOOD, "us-east-1", DAY) in SCENARIO.list_cells()
