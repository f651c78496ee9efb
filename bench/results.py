"""Results: a typed value for each figure, and the file that stores them."""

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
    machine: str

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


def machine() -> str:
    """Return a description of this machine, without its name."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, Python {platform.python_version()}"


def read() -> dict[str, Result]:
    """Return the last stored results by name."""
    if not RESULTS.exists():
        return {}
    return {result.name: result for result in msgspec.json.decode(RESULTS.read_bytes(), type=list[Result])}


def write(results: Mapping[str, Result]) -> None:
    """Store the results by name."""
    rows = [results[name] for name in sorted(results)]
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n")
