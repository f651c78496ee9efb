"""The cell of a day from the cells of its parts."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.coverage.cells import Cell
from cloudtrail_elasticsearch.core.coverage.days import find_day, merge_cells, merge_days, merge_verified_cells
from cloudtrail_elasticsearch.core.coverage.findings import Finding, FindingKind, ProofStatus
from cloudtrail_elasticsearch.core.coverage.ledger import Run, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.proof import FINDINGS_KEPT, Proof, merge_proofs
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import DAY, Window
from cloudtrail_elasticsearch.core.errors import PlanError
from cloudtrail_elasticsearch.core.figures import CellFigures
from tests.cells import cell, staged_at

START = datetime(2026, 11, 20, tzinfo=UTC)
DAY_WINDOW = Window("123456789012", "us-east-1", START, START + DAY, Source.TRAIL)


def part(begin: float, end: float) -> Window:
    """Return the part of the day between two hours."""
    return replace(DAY_WINDOW, start=START + timedelta(hours=begin), end=START + timedelta(hours=end))


def finding(number: int) -> Finding:
    return Finding(FindingKind.ALTERED_FILE, f"{number:04}", "its content has another hash")


def test_the_events_that_rules_left_out_are_summed_by_rule() -> None:
    """A part need not have an event of each rule."""
    counts: list[dict[str, int]] = [{"reads": 2}, {}, {"reads": 3, "s3": 1}]
    cells = [
        cell(
            part(8 * number, 8 * number + 8),
            10,
            10 - sum(each.values()),
            left_out=sum(each.values()),
            left_out_by=each,
        )
        for number, each in enumerate(counts)
    ]
    merged = merge_cells(DAY_WINDOW, cells)
    assert merged is not None
    assert (merged.left_out, merged.left_out_by, merged.problem) == (6, {"reads": 5, "s3": 1}, None)
    assert Cell.from_dict(merged.to_dict()) == merged
    assert "left_out_by" not in cells[1].to_dict()


@given(
    cuts=st.sets(st.integers(1, 23), max_size=5),
    figures=st.lists(st.integers(0, 9), min_size=66, max_size=66),
    order=st.randoms(),
)
def test_the_figures_of_a_day_are_the_sums_of_its_parts(cuts: set[int], figures: list[int], order: object) -> None:
    """In whatever order the parts come."""
    names = [each.name for each in fields(CellFigures)]
    rest = iter(figures)
    edges = [0, *sorted(cuts), 24]
    cells = [
        Cell.from_dict({"window": part(*pair).to_dict(), **{name: next(rest) for name in names}})
        for pair in itertools.pairwise(edges)
    ]
    order.shuffle(cells)  # type: ignore[attr-defined]
    merged = merge_cells(DAY_WINDOW, cells)
    assert merged is not None
    assert merged.window == DAY_WINDOW
    for name in names:
        assert getattr(merged, name) == sum(getattr(each, name) for each in cells)


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize(
    "parts", [[], [(0, 12)], [(12, 24)], [(0, 6), (12, 24)], [(1, 24)], [(0, 23.75)], [(6, 12), (12, 18)]]
)
def test_a_day_with_a_missing_part_has_no_cell(parts: list[tuple[float, float]]) -> None:
    """It is never counted as whole from the parts that are there."""
    assert merge_cells(DAY_WINDOW, [cell(part(*each), 1, 1) for each in parts]) is None


@pytest.mark.parametrize(
    "others",
    [
        [part(0, 12), part(11, 24)],
        [part(0, 12), part(0, 12), part(12, 24)],
        [part(0, 25)],
        [replace(DAY_WINDOW, region="eu-west-1")],
        [replace(DAY_WINDOW, source=Source.LOOKUP_EVENTS)],
        [replace(DAY_WINDOW, account="2")],
    ],
)
def test_parts_that_would_count_events_twice_or_wrongly_are_rejected(others: list[Window]) -> None:
    """Overlapping parts, and windows of another day, account, region or source."""
    with pytest.raises(PlanError, match=r"overlaps another part|is not a part of"):
        merge_cells(DAY_WINDOW, [cell(each, 1, 1) for each in others])


@pytest.mark.promise("nothing-lost")
def test_errors_of_two_parts_never_cancel() -> None:
    """The sums add up, but the day fails with the reason of the part."""
    merged = merge_cells(DAY_WINDOW, [cell(part(0, 12), 5, 4), cell(part(12, 24), 5, 6)])
    assert merged is not None
    assert merged.staged == merged.indexed
    assert merged.problem is not None
    assert merged.problem.startswith(f"{part(0, 12).name}: 5 events are staged but the server holds 4")
    assert Cell.from_dict(merged.to_dict()) == merged


@pytest.mark.parametrize("pair", list(itertools.product([None, *ProofStatus], repeat=2)))
def test_a_day_has_the_worst_proof_of_its_parts(pair: tuple[ProofStatus | None, ProofStatus | None]) -> None:
    """A part without a proof is not signed, and neither is the day."""
    proofs = [None if status is None else Proof(status, (finding(1),), 1) for status in pair]
    merged = merge_proofs(proofs)
    known = [status for status in pair if status]
    if merged is None:
        assert not known
        return
    order = list(ProofStatus)
    floor = [ProofStatus.UNSIGNED] if len(known) < 2 else []
    assert merged.status == max([*known, *floor], key=order.index)
    assert merged.findings == (finding(1),)
    assert merged.findings_total == 1


def test_findings_of_parts_are_joined_and_bounded() -> None:
    """Those that no part kept are still counted."""
    proofs = [
        Proof.from_findings(ProofStatus.INVALID, map(finding, range(first, first + 100))) for first in (0, 100)
    ]
    merged = merge_proofs(proofs)
    assert merged is not None
    assert merged.findings == tuple(finding(number) for number in range(FINDINGS_KEPT))
    assert merged.findings_total == 200


def test_a_plan_of_parts_is_covered_by_days() -> None:
    """A day with a part that was not loaded is missing; windows that are no part of a day stay as they are."""
    other = replace(DAY_WINDOW, region="eu-west-1")
    planned = [part(0, 12), part(12, 24), other, replace(other, start=START - DAY / 2)]
    cells = [cell(part(0, 12), 1, 1), cell(part(12, 24), 2, 2), cell(other, 3, 3)]
    coverage = merge_days(planned, cells)
    assert [(each.window, each.staged) for each in coverage.cells] == [(DAY_WINDOW, 3), (other, 3)]
    assert coverage.missing == (planned[-1],)
    assert merge_days(planned, cells[1:]).missing == (DAY_WINDOW, planned[-1])
    assert find_day(part(3, 4)) == find_day(DAY_WINDOW) == DAY_WINDOW


def test_a_part_that_was_not_planned_is_missing_from_the_day() -> None:
    """A plan with a hole covers no day, even if everything in it was loaded."""
    coverage = merge_days([part(0, 12)], [cell(part(0, 12), 1, 1)])
    assert (coverage.cells, coverage.missing) == ((), (DAY_WINDOW,))


def test_the_ledger_names_the_task_of_the_part_that_failed() -> None:
    """Its log has the reason. Calls are summed, times and attempts are those of the whole day."""
    found = [
        VerifiedCell(
            cell(part(begin, begin + 12), 5, indexed),
            staged_at(START, first, first),
            Run("dag", "run", "task", number, 1),
            START + timedelta(minutes=number),
        )
        for number, (begin, indexed, first) in enumerate([(0, 5, START), (12, 4, None)])
    ]
    merged = merge_verified_cells(DAY_WINDOW, reversed(found))
    assert merged is not None
    assert merged.run == found[1].run
    assert merged.at == START + timedelta(minutes=1)
    assert (merged.staged.calls, merged.staged.attempts, merged.staged.first) == (2, 1, START)
    assert merge_verified_cells(DAY_WINDOW, found[:1]) is None
