"""Boxes of chosen cells: exactly these cells, in few boxes."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.ui.boxes import Place, cover_cells, enclose_boxes

FIRST = date(2026, 11, 1)

CELLS = st.sets(
    st.tuples(st.sampled_from("ABC"), st.sampled_from(["", "r1", "r2", "r3"]), st.integers(0, 5)), max_size=40
)


def days_of(cells: set[tuple[str, str, int]]) -> dict[Place, list[date]]:
    found: dict[Place, list[date]] = {}
    for account, region, day in sorted(cells):
        found.setdefault((account, region), []).append(FIRST + timedelta(days=day))
    return found


def cells_of(drawn: str) -> set[tuple[str, str, int]]:
    """Return cells drawn as ``A r1 0-4, B r2 3``."""
    found = set()
    for each in filter(None, drawn.split(", ")):
        account, region, days = each.split(" ")
        first, _, last = days.partition("-")
        found |= {(account, region, day) for day in range(int(first), int(last or first) + 1)}
    return found


@given(CELLS)
def test_boxes_cover_exactly_the_cells(cells: set[tuple[str, str, int]]) -> None:
    """No cell is missing, and no box has another cell. An empty region is never in a box with others."""
    boxes = cover_cells(days_of(cells))
    covered = {
        (account, region, (day - FIRST).days)
        for box in boxes
        for account, region in box.places
        for day in box.days
    }
    assert covered == cells
    assert len(boxes) <= len(cells)
    assert boxes == sorted(boxes)


@pytest.mark.parametrize(
    ("drawn", "boxes"),
    [
        ("", 0),
        ("A r1 2", 1),
        ("A r1 0-4, A r2 0-4, B r1 0-4, B r2 0-4", 1),  # a rectangle of two accounts
        ("A r1 0-1, A r1 3-4", 2),  # a day is missing between
        ("A r1 0-4, A r2 0-4, A r3 0-4, B r2 0-4, C r2 0-4", 2),  # an account, and a region of all accounts
        ("A r1 0-4, A r2 2", 2),
        ("A r1 0, A r2 0, B r2 0, B r3 0, C r1 0, C r2 0, C r3 0", 2),  # boxes that share cells
        ("A r1 0-9, B r1 0-4, B r2 0-4", 2),
        ("A  0-4, B  0-4", 1),  # every region
        ("A  0-4, A r1 0-4", 2),
    ],
)
def test_few_boxes_are_found(drawn: str, boxes: int) -> None:
    """The smallest number for usual choices."""
    assert len(cover_cells(days_of(cells_of(drawn)))) == boxes


def test_many_scattered_cells_are_covered_in_time() -> None:
    """The search for larger boxes is left out if it would take long; the boxes then do not overlap."""
    cells = {
        (f"{account:03}", f"r{region}", day)
        for account in range(100)
        for region in range(17)
        for day in range(365)
        if (account * 31 + region * 7 + day * 13) % 37 == 0
    }
    boxes = cover_cells(days_of(cells))
    assert sum(len(list(box.places)) * len(box.days) for box in boxes) == len(cells)


def test_one_box_encloses_all_cells() -> None:
    """With every region, if one of the boxes has every region."""
    joint = enclose_boxes(cover_cells(days_of(cells_of("A r1 0-1, B r2 4"))))
    assert (joint.accounts, joint.regions, len(joint.days), joint.cells) == (("A", "B"), ("r1", "r2"), 5, 20)
    assert enclose_boxes(cover_cells(days_of(cells_of("A r1 0-1, B  4")))).regions == ()
