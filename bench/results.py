"""Results: a typed value for each figure, and the file that stores them."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import psutil

FOLDER: Final = Path(__file__).parent
RESULTS: Final = FOLDER / "results.json"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One figure."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    how: str
    """How it was measured."""
    limited_by: str
    """What limits the figure, found by profiling."""
    parts: dict[str, float] = {}
    """The figures that it was computed from."""

    @property
    def reached(self) -> bool:
        """Whether the figure is within its bound."""
        enough = self.at_least is None or self.value >= self.at_least
        return enough and (self.at_most is None or self.value <= self.at_most)

    @property
    def bound(self) -> str:
        """The bound as a text."""
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"

    @property
    def sentence(self) -> str:
        """The figure as a line of output."""
        return f"{self.name} {self.value:.2f} {self.unit} ({self.bound}{'' if self.reached else ', NOT REACHED'})"


class Recorded(Result, frozen=True, kw_only=True):
    """A figure, and the machine, the day and the commit of its measurement."""

    machine: str
    day: str
    commit: str
    """The short name of the commit, with a `+` if a Python file had changes that were not committed."""


def read() -> dict[str, Recorded]:
    """Return the last stored results by name, sorted."""
    if not RESULTS.exists():
        return {}
    return {result.name: result for result in msgspec.json.decode(RESULTS.read_bytes(), type=list[Recorded])}


def store(results: Iterable[Result]) -> None:
    """Store new results with this machine, day and commit; the others stay."""
    machine, day, commit = _describe_machine(), f"{datetime.now(UTC):%Y-%m-%d}", _find_commit()
    new = {
        result.name: Recorded(**msgspec.structs.asdict(result), machine=machine, day=day, commit=commit)
        for result in results
    }
    rows = [row for _, row in sorted((read() | new).items())]
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n")


def _describe_machine() -> str:
    """Return a description of this machine, without its name."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, Python {platform.python_version()}"


def _find_commit() -> str:
    commit = _git("rev-parse", "--short=7", "HEAD")
    if not commit:
        return "unknown"
    return f"{commit}+" if _git("status", "--porcelain", "--", "*.py") else commit


def _git(*arguments: str) -> str:
    """Return the output of git; empty if this is no clone."""
    done = subprocess.run(
        ("git", *arguments),
        cwd=FOLDER.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return done.stdout.strip()
