"""The checks of ``make organization``: they find wrong cells, wrong runs and objects that are not named."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.findings import FindingKind
from devstack.organization.damage import INTACT, Damage, damage_trail
from devstack.organization.proof import check_cells, check_runs
from devstack.organization.trail import OrganizationSettings, OrganizationTrail, write_organization
from devstack.simulator.trails import Cell

DAY = date(2026, 11, 20)
QUIET, BUSY = (Cell("123456789012", region, DAY) for region in ("eu-west-1", "us-east-1"))
NOTES = "AWSLogs/notes.txt"
DAMAGE = Damage({BUSY: (FindingKind.MISNAMED, NOTES)}, frozenset())


def signed(state: str = "complete") -> dict[str, Any]:
    return {"state": state, "proof": "signed", "findings": [], "problem": None}


def failed(*keys: str) -> dict[str, Any]:
    findings = [{"kind": "misnamed", "key": key, "reason": "its name is wrong"} for key in keys]
    return {"state": "failed", "proof": "invalid", "findings": findings, "problem": f"misnamed: {keys[0]}"}


@pytest.fixture(scope="module")
def trail() -> OrganizationTrail:
    regions = ("eu-west-1", "us-east-1", "us-west-2")
    settings = OrganizationSettings(
        accounts=3, busy=2, regions=regions, days=2, events=60, processes=1, last=DAY + timedelta(days=1)
    )
    return write_organization(settings)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({QUIET: signed("quiet"), BUSY: failed(NOTES)}, ()),
        ({BUSY: failed(NOTES)}, ("1 cells are not in the ledger: 123456789012 eu-west-1 2026-11-20",)),
        ({QUIET: signed("failed"), BUSY: failed(NOTES)}, ("intact cells are not complete and signed",)),
        ({QUIET: {**signed(), "proof": "gap"}, BUSY: failed(NOTES)}, ("intact cells are not complete",)),
        ({QUIET: failed(NOTES), BUSY: failed(NOTES)}, ("intact cells are not complete and signed",)),
        ({QUIET: signed(), BUSY: signed()}, ("the findings are []", "state complete")),
        ({QUIET: signed(), BUSY: failed(NOTES, "other")}, ("the findings are",)),
        (
            {QUIET: signed(), BUSY: failed("other")},
            ("the findings are", "state failed, problem 'misnamed: other'"),
        ),
    ],
)
def test_every_wrong_cell_is_reported(cells: dict[Cell, dict[str, Any]], words: tuple[str, ...]) -> None:
    """A damaged cell must name exactly its object."""
    broken = list(check_cells({QUIET, BUSY}, DAMAGE, cells))
    assert len(broken) == len(words)
    assert all(some in sentence for some, sentence in zip(words, broken, strict=True)), broken


def test_a_cell_that_was_not_planned_is_reported() -> None:
    """The ledger may have no other cells."""
    (broken,) = check_cells({QUIET}, INTACT, {QUIET: signed(), BUSY: signed()})
    assert broken.startswith("1 cells of the ledger were not planned")


def test_exactly_the_runs_with_damaged_windows_must_fail(trail: OrganizationTrail) -> None:
    """A run that is missing has not succeeded either."""
    first, last = map(str, trail.days)
    assert list(check_runs(trail, INTACT, {first: "success", last: "success"})) == []
    assert list(check_runs(trail, DAMAGE, {first: "failed", last: "success"})) == []
    assert len(list(check_runs(trail, DAMAGE, {first: "success", last: "failed"}))) == 2
    assert len(list(check_runs(trail, INTACT, {first: "success"}))) == 1


def test_each_damage_is_in_a_window_of_its_own(trail: OrganizationTrail) -> None:
    """The trail that is copied before stays intact."""
    before = dict(trail.bucket.objects)
    damaged = trail.copy()
    damage = damage_trail(damaged, trail.days[-1])
    assert trail.bucket.objects == before
    assert [kind for kind, _ in damage.findings.values()] == [
        "altered_file",
        "missing_file",
        "missing_digest",
        "misnamed",
        "unlisted_file",
    ]
    assert {cell.day for cell in damage.findings} == {trail.days[-1]}
    changed = {key for key, body in damaged.bucket.objects.items() if before.get(key) != body}
    assert changed | (before.keys() - damaged.bucket.objects.keys()) == {
        key for _, key in damage.findings.values()
    }
    lost = trail.event_ids() - trail.event_ids(without=damage.spoiled)
    assert 0 < len(lost) < 50
