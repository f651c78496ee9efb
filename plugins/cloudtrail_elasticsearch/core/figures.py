"""The figures of a window, declared once for manifest, cell, ledger, totals, pages and log lines."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Final


def _figure(label: str, *, default: Any = MISSING) -> Any:
    return field(default=default, metadata={"label": label})


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingFigures:
    """The events of a window, counted when they are staged."""

    looked_up: int = _figure("looked up")
    """Events that the source returned: looked up with LookupEvents, or listed in a trail's log files."""
    duplicates: int = _figure("duplicates")
    """Events that the source returned more than once; they are staged once."""
    files: int = _figure("log files", default=0)
    """Log files of a trail."""
    late: int = _figure("late", default=0)
    """Events that CloudTrail delivered after the window was first staged."""
    strays: int = _figure("outside the window", default=0)
    """Events outside the window that AWS returned; they are not staged."""
    misplaced: int = _figure("other account or region", default=0)
    """Staged events whose record names another account or region than the window's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFigures(StagingFigures):
    """The events of a window, counted when the loader verified them on the search server."""

    staged: int = _figure("staged")
    indexed: int = _figure("indexed")
    """Documents that the server confirmed it holds."""
    quarantined: int = _figure("quarantined")
    own: int = _figure("from the loader's calls", default=0)
    """Events of the loader's own calls."""
    left_out: int = _figure("left out", default=0)
    """Events that rules, or the treatment of the loader's own calls, leave out of the index."""


@dataclass(frozen=True, kw_only=True)  # no slots, so that a class can have both these figures and those above
class CallFigures:
    """The LookupEvents calls for a window."""

    calls: int = _figure("calls")
    throttled: int = _figure("throttled")


def copy_figures(source: StagingFigures | CallFigures, kind: type[StagingFigures | CallFigures]) -> dict[str, Any]:
    """Return the figures of one kind by their names, to make another object with them."""
    return {each.name: getattr(source, each.name) for each in fields(kind)}


MAIN: Final = ("looked_up", "staged", "indexed", "duplicates", "quarantined")
"""The figures of every cell, in the order in which they are shown."""

FURTHER: Final = ("files", "late", "own", "left_out", "strays", "misplaced")
"""The figures that most cells lack; they are shown if they are not 0."""

_CALLS: Final = ("calls", "throttled")
_LABELS: Final[dict[str, str]] = {
    each.name: each.metadata["label"] for kind in (CellFigures, CallFigures) for each in fields(kind)
}

LABELS: Final[dict[str, str]] = {name: _LABELS[name] for name in (*MAIN, *FURTHER, *_CALLS)}
"""Each figure's label on pages and in log lines, in the order in which the figures are shown."""
