"""Results: a typed value for each figure, and the two files that they are written to."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import psutil

FOLDER: Final = Path(__file__).parent
RESULTS: Final = FOLDER / "results.json"
README: Final = FOLDER / "README.md"

_INTRODUCTION: Final = """\
# Benchmarks

`make bench` measures all of it on the local stack and writes this page and `results.json`; `make bench ARGS=NAME`
measures one figure again. Each figure is a ratio of two things that were run side by side, alternating, in one
run; medians are of at least three. Nothing is timed inside the test suite.

Measured on {machine}.

| figure | value | to reach | what | single figures |
|---|---|---|---|---|
"""


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
    """What keeps it from being better, by profile."""
    parts: dict[str, float] = {}
    """The figures that it was made of."""
    machine: str

    @property
    def reached(self) -> bool:
        """Whether it is what it should be."""
        enough = self.at_least is None or self.value >= self.at_least
        return enough and (self.at_most is None or self.value <= self.at_most)

    @property
    def bound(self) -> str:
        """What it should be, for people."""
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"

    @property
    def sentence(self) -> str:
        """The figure for a line of output."""
        return f"{self.name} {self.value:.2f} {self.unit} ({self.bound}{'' if self.reached else ', NOT REACHED'})"


def machine() -> str:
    """Return what this machine is, without its name."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, Python {platform.python_version()}"


def read() -> dict[str, Result]:
    """Return the results written last, by name."""
    if not RESULTS.exists():
        return {}
    return {result.name: result for result in msgspec.json.decode(RESULTS.read_bytes(), type=list[Result])}


def write(results: Mapping[str, Result]) -> None:
    """Write the results, by name, and the page that shows them."""
    rows = [results[name] for name in sorted(results)]
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n")
    page = _INTRODUCTION.format(machine=machine()) + "".join(map(_row, rows))
    limits = "".join(f"- `{row.name}`: {row.limited_by}\n" for row in rows)
    README.write_text(f"{page}\n## What each is limited by\n\n{limits}", encoding="utf-8")


def _row(result: Result) -> str:
    value = f"{result.value:.2f}" if result.reached else f"**{result.value:.2f}, not reached**"
    parts = "<br>".join(f"{name}: {part:,.2f}" for name, part in result.parts.items())
    return f"| `{result.name}` | {value} | {result.bound} | {result.how} | {parts} |\n"
