"""The squares of a coverage answer, by row and day."""

from __future__ import annotations

from typing import Any


def read_squares(answer: dict[str, Any]) -> dict[tuple[str, str, str], tuple[str, dict[str, int]]]:
    """Return the state and the figures of each square, by name and source of its row, and day."""
    table = answer["table"]
    _, _, *figures = answer["columns"]
    found = {}
    for day, columns in zip(table["days"], table["columns"], strict=True):
        for row, state, *numbers in zip(*columns, strict=True):
            place = table["names"][row], table["sources"][row], day
            found[place] = answer["states"][state], dict(zip(figures, numbers, strict=True))
    return found
