"""Coverage: what became of every planned window, and whether it adds up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from cloudtrail_elasticsearch.core.errors import CoverageError
from cloudtrail_elasticsearch.core.windows import Window


class State(StrEnum):
    """How a cell of the coverage stands."""

    COMPLETE = "complete"
    QUIET = "quiet"
    """Complete, with no event in it."""
    QUARANTINED = "quarantined"
    """Every event is accounted for, some in quarantine."""
    LOADING = "loading"
    FAILED = "failed"
    """It does not add up."""
    MISSING = "missing"
    """It was planned, and nothing came of it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A window's figures, in events; `indexed` is what the server was found to hold, not what it was sent."""

    window: Window
    looked_up: int
    staged: int
    duplicates: int
    """Events that LookupEvents gave twice, staged once."""
    indexed: int
    quarantined: int
    late: int = 0
    """Events that came after the window was first staged."""
    own: int = 0
    """Events of the loader's own calls."""
    left_out: int = 0
    """How many of these are not to be indexed."""

    @property
    def problem(self) -> str | None:
        """Why the cell does not add up, or None where looked up = staged = indexed + quarantined + left out."""
        if self.looked_up != self.staged + self.duplicates:
            return f"{self.looked_up} events were looked up but {self.staged} staged"
        if self.staged != self.indexed + self.quarantined + self.left_out:
            return (
                f"{self.staged} events are staged but the server holds {self.indexed} of them, "
                f"with {self.quarantined} in quarantine"
                + (f" and {self.left_out} left out" if self.left_out else "")
            )
        return None

    @property
    def state(self) -> State:
        """What a person wants to know of it first."""
        if self.problem:
            return State.FAILED
        if self.quarantined:
            return State.QUARANTINED
        return State.COMPLETE if self.staged else State.QUIET

    @property
    def sentence(self) -> str:
        """The figures for a log line."""
        more = {"late": self.late, "of the loader's own": self.own, "left out": self.left_out}
        return (
            f"{self.looked_up} looked up, {self.staged} staged, {self.indexed} indexed, "
            f"{self.duplicates} duplicates, {self.quarantined} quarantined"
            + "".join(f", {count} {name}" for name, count in more.items() if count)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for an XCom; `from_dict` reads them back."""
        return asdict(self) | {"window": self.window.to_dict()}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Cell:
        """Read what `to_dict` wrote; what else is there is not the cell's."""
        known = {each.name: value[each.name] for each in fields(cls) if each.name in value}
        return cls(**(known | {"window": Window.from_dict(value["window"])}))


@dataclass(frozen=True, slots=True)
class Coverage:
    """All planned windows with their cells; a window without one was not loaded."""

    cells: tuple[Cell, ...]
    missing: tuple[Window, ...]

    @classmethod
    def of(cls, planned: Iterable[Window], cells: Iterable[Cell]) -> Coverage:
        """Hold the cells against the plan."""
        found = {cell.window: cell for cell in cells}
        windows = list(planned)
        return cls(
            cells=tuple(found[window] for window in windows if window in found),
            missing=tuple(window for window in windows if window not in found),
        )

    def totals(self) -> dict[str, int]:
        """The sums over all cells, in events, with the number of planned and of missing cells."""
        names = ("looked_up", "staged", "indexed", "duplicates", "quarantined", "late", "own", "left_out")
        sums = {name: sum(getattr(cell, name) for cell in self.cells) for name in names}
        return {"cells": len(self.cells) + len(self.missing), "missing": len(self.missing), **sums}

    def prove(self) -> None:
        """Pass where every planned window adds up.

        :raises CoverageError: one or more do not, each with its reason
        """
        reasons = [f"{window.name}: was not loaded; its own log says why" for window in self.missing]
        reasons += [f"{cell.window.name}: {cell.problem}" for cell in self.cells if cell.problem]
        if reasons:
            raise CoverageError(
                f"{len(reasons)} of {len(self.cells) + len(self.missing)} cells are not covered. Clear them, or "
                f"run `airflow backfill create` over these days with --reprocess-behavior failed:\n"
                + "\n".join(f"  {reason}" for reason in reasons)
            )
