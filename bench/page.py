"""The page that shows the results: a table, plots, and what each figure is limited by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bench import plots
from bench.results import FOLDER, Result

README: Final = FOLDER / "README.md"
PLOTS: Final = FOLDER / "plots"
FRONT_PAGE: Final = FOLDER.parent / "README.md"

_BEGIN: Final = "<!-- what make bench writes begins -->\n"
_END: Final = "<!-- what make bench writes ends -->\n"

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
    """Write the page and its plots, and the table on the project's front page."""
    rows = [results[name] for name in sorted(results)]
    page = _PAGE.format(
        machine=_machines(rows),
        plots="\n\n".join(f"![{title}]({PLOTS.name}/{file})" for file, title in plots.draw(rows, PLOTS)),
        rows="".join(map(_row, rows)),
        limits="".join(f"- `{row.name}`: {row.limited_by}\n" for row in rows),
    )
    README.write_text(page, encoding="utf-8")
    before, _, rest = FRONT_PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    FRONT_PAGE.write_text(f"{before}{_BEGIN}{quoted(results)}{_END}{after}", encoding="utf-8")


def quoted(results: Mapping[str, Result]) -> str:
    """Return the figures in short, with the machine that they are of."""
    rows = [results[name] for name in sorted(results)]
    lines = "".join(f"| `{row.name}` | {_value(row)} | {row.bound} | {row.unit} |\n" for row in rows)
    return f"Measured on {_machines(rows)}:\n\n| figure | value | to reach | is |\n|---|---|---|---|\n{lines}"


def _machines(rows: Sequence[Result]) -> str:
    return "; ".join(sorted({row.machine for row in rows}))


def _value(result: Result) -> str:
    return f"{result.value:.2f}" if result.reached else f"**{result.value:.2f}, not reached**"


def _row(result: Result) -> str:
    parts = "<br>".join(f"{name}: {part:,.2f}" for name, part in result.parts.items())
    return f"| `{result.name}` | {_value(result)} | {result.bound} | {result.how} | {parts} |\n"
