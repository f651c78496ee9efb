"""Cells: planned windows with their figures, and the check that the figures add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

from cloudtrail_elasticsearch.core.coverage.findings import ProofStatus
from cloudtrail_elasticsearch.core.coverage.proof import Proof
from cloudtrail_elasticsearch.core.coverage.source import label_figures
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import CoverageError
from cloudtrail_elasticsearch.core.figures import FURTHER, MAIN, CellFigures

_ONLY_IF_ANY: Final = ("files", "strays", "misplaced")
"""The totals that are omitted if they are 0."""


class State(StrEnum):
    """The state of a cell."""

    COMPLETE = "complete"
    QUIET = "quiet"
    """Complete, without any event."""
    QUARANTINED = "quarantined"
    """Every event is accounted for; some are in quarantine."""
    LOADING = "loading"
    FAILED = "failed"
    """The figures do not add up, or the log files of a trail are not proven where they should be."""
    MISSING = "missing"
    """Planned, but not loaded."""


@dataclass(frozen=True, slots=True)
class Cell(CellFigures):
    """A window with its figures, and the proof of its log files if a trail is its source."""

    window: Window
    proof: Proof | None = None
    parts_problem: str | None = None
    """The problem of a part, if this cell was merged from parts: two parts' errors may cancel in the sums."""
    left_out_by: dict[str, int] = field(default_factory=dict, hash=False)
    """The numbers of events left out, by the name of the rule. Their sum is `left_out`."""

    @property
    def problem(self) -> str | None:
        """The reason why the cell has failed; None if it has not.

        The figures add up if looked up (or listed) = staged + duplicates, and staged = indexed + quarantined +
        left out. The proof of a trail's log files must be no failure, either (`ProofStatus.is_failure`).
        """
        reasons = (self.figures_problem, self.proof.problem if self.proof else None)
        return "; ".join(filter(None, reasons)) or None

    @property
    def figures_problem(self) -> str | None:
        """The reason why the figures do not add up; None if they do."""
        if self.parts_problem:
            return self.parts_problem
        # First: events that are not staged cannot be loaded either.
        if self.looked_up != self.staged + self.duplicates:
            returned = label_figures(self.window.source)["looked_up"]
            return f"{self.looked_up} events were {returned} but {self.staged} staged"
        if self.staged != self.indexed + self.quarantined + self.left_out:
            return (
                f"{self.staged} events are staged but the server holds {self.indexed} of them, "
                f"with {self.quarantined} in quarantine"
                + (f" and {self.left_out} left out" if self.left_out else "")
            )
        return None

    @property
    def left_out_rules(self) -> list[tuple[str, int]]:
        """The rules that left events out and their numbers of events, the largest first."""
        return sorted(self.left_out_by.items(), key=lambda counted: (-counted[1], counted[0]))

    @property
    def state(self) -> State:
        """The cell's state, as its figures and its proof give it."""
        if self.problem:
            return State.FAILED
        if self.quarantined:
            return State.QUARANTINED
        return State.COMPLETE if self.staged else State.QUIET

    @property
    def sentence(self) -> str:
        """The figures, and the status of the proof, as one sentence for a log line."""
        labels = label_figures(self.window.source)
        shown = [*MAIN, *(name for name in FURTHER if getattr(self, name))]
        figures = [f"{getattr(self, name)} {labels[name]}" for name in shown]
        return ", ".join([*figures, *([self.proof.status] if self.proof else [])])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for an XCom; `from_dict` reads them back."""
        plain = asdict(self) | {"window": self.window.to_dict()}
        if self.proof is not None:
            plain["proof"] = self.proof.to_dict()
        # Without empty members, the XComs of LookupEvents cells stay as they were in version 0.1.
        return {name: value for name, value in plain.items() if value is not None and value != {}}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Cell:
        """Return the cell of the values that `to_dict` returned; further values are ignored."""
        # An XCom of another version can have other figures.
        known = {each.name: value[each.name] for each in fields(cls) if each.name in value}
        proof = value.get("proof")
        return cls(
            **known
            | {
                "window": Window.from_dict(value["window"]),
                "proof": None if proof is None else Proof.from_dict(proof),
            }
        )


@dataclass(frozen=True, slots=True)
class Coverage:
    """The planned windows with their cells; a window without a cell was not loaded."""

    cells: tuple[Cell, ...]
    missing: tuple[Window, ...]

    @classmethod
    def from_plan(cls, planned: Iterable[Window], cells: Iterable[Cell]) -> Coverage:
        """Return the coverage of a plan, given its windows and the cells of those that were loaded."""
        # By window, so that cells of other plans are ignored.
        found = {cell.window: cell for cell in cells}
        windows = list(planned)
        return cls(
            cells=tuple(found[window] for window in windows if window in found),
            missing=tuple(window for window in windows if window not in found),
        )

    def totals(self) -> dict[str, int]:
        """Return the sums over all cells, in events, and the numbers of planned and of missing cells.

        The sums of log files, strays and misplaced events are omitted if they are 0. If cells have proofs, the
        number of cells with each status follows, such as ``signed``.
        """
        sums = {name: sum(getattr(cell, name) for cell in self.cells) for name in (*MAIN, *FURTHER)}
        shown = {name: total for name, total in sums.items() if total or name not in _ONLY_IF_ANY}
        proofs = Counter(cell.proof.status for cell in self.cells if cell.proof)
        statuses = {status.value: proofs[status] for status in ProofStatus if proofs[status]}
        return {"cells": len(self.cells) + len(self.missing), "missing": len(self.missing), **shown, **statuses}

    def check(self, reasons: Mapping[Window, str]) -> None:
        """Check that every planned window was loaded and adds up.

        :param reasons: the reasons of missing windows
        :raises CoverageError: some were not loaded or do not add up; the message has the reason of each
        """
        problems = [f"{window.name}: {reasons[window]}" for window in self.missing]
        problems += [f"{cell.window.name}: {cell.problem}" for cell in self.cells if cell.problem]
        if problems:
            raise CoverageError(
                f"{len(problems)} of {len(self.cells) + len(self.missing)} cells are not covered. Clear them, or "
                f"run a backfill of these days that repeats failed runs (--reprocess-behavior failed; in "
                f"Airflow 2.11, --rerun-failed-tasks):\n" + "\n".join(f"  {problem}" for problem in problems)
            )
