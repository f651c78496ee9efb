"""The report of one file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

MOST_PROBLEMS: Final = 5
"""The most problems of one file that are listed; further ones are only counted."""


@dataclass(slots=True)
class FileReport:
    """The counts and problems of one file; they grow while the file is read."""

    file: str
    read: int = 0
    """Lines passed to the loader: events, and unreadable lines."""
    indexed: int = 0
    duplicates: int = 0
    quarantined: int = 0
    left_out: int = 0
    """Events that rules leave out of the index."""
    unreadable: int = 0
    """Lines that are not CloudTrail events."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Objects of other known kinds, by kind."""
    shapes: Counter[str] = field(default_factory=Counter)
    """Opened wrappers and lists, and events outside of any, by shape."""
    problems: list[str] = field(default_factory=list)
    more_problems: int = 0

    def add_problem(self, problem: str) -> None:
        """Add a problem; each different problem is listed once."""
        if problem in self.problems:
            return
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)
        else:
            self.more_problems += 1

    def add_failure(self, failure: str) -> None:
        """Add the reason why reading stopped early; it comes first, because it may have caused the others."""
        # Not limited by `MOST_PROBLEMS`: the reading stops with it, so there is only one.
        self.problems.insert(0, failure)

    @property
    def error(self) -> str | None:
        """All problems as one text; None if there are none."""
        more = [f"{self.more_problems} more problems"] if self.more_problems else []
        return "; ".join(self.problems + more) or None

    @property
    def is_sound(self) -> bool:
        """Whether every value of the file is an event or a known other kind."""
        return not self.problems and not self.unreadable

    def as_json(self) -> dict[str, Any]:
        """Return the report as the command line prints it."""
        return {
            "file": self.file,
            "read": self.read,
            "indexed": self.indexed,
            "duplicates": self.duplicates,
            "quarantined": self.quarantined,
            "left_out": self.left_out,
            "unreadable": self.unreadable,
            "skipped": dict(self.skipped),
            "shapes": dict(self.shapes),
            "error": self.error,
        }
