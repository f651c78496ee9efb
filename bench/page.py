"""The page that shows the results: a table, plots, and what each figure is limited by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench import plots
from bench.results import FOLDER, Result, machine

README: Final = FOLDER / "README.md"
PLOTS: Final = FOLDER / "plots"

_PAGE: Final = """\
# Benchmarks

`make bench` measures all of it on the local stack and writes this page and `results.json`; `make bench ARGS=NAME`
measures one figure again. Each figure is a ratio of two things that were run side by side, alternating, in one
run; medians are of at least three. Nothing is timed inside the test suite.

Measured on {machine}.

{plots}

| figure | value | to reach | what | single figures |
|---|---|---|---|---|
{rows}
## What each is limited by

{limits}"""


def write(results: Mapping[str, Result]) -> None:
    """Write the page and its plots."""
    rows = [results[name] for name in sorted(results)]
    page = _PAGE.format(
        machine=machine(),
        plots="\n\n".join(f"![{title}]({PLOTS.name}/{file})" for file, title in plots.draw(rows, PLOTS)),
        rows="".join(map(_row, rows)),
        limits="".join(f"- `{row.name}`: {row.limited_by}\n" for row in rows),
    )
    README.write_text(page, encoding="utf-8")


def _row(result: Result) -> str:
    value = f"{result.value:.2f}" if result.reached else f"**{result.value:.2f}, not reached**"
    parts = "<br>".join(f"{name}: {part:,.2f}" for name, part in result.parts.items())
    return f"| `{result.name}` | {value} | {result.bound} | {result.how} | {parts} |\n"
