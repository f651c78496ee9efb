"""Write the results page: a table, plots, and the limit of each figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bench import plots
from bench.results import FOLDER, Recorded, read

README: Final = FOLDER / "README.md"
PLOTS: Final = FOLDER / "plots"
FRONT_PAGE: Final = FOLDER.parent / "README.md"

_BEGIN: Final = "<!-- what make bench writes begins -->\n"
_END: Final = "<!-- what make bench writes ends -->\n"

_PAGE: Final = """\
# Benchmarks

`make bench` measures the figures on the local stack, in about two and a half hours, and writes this page and
`results.json`. `make bench ARGS=NAME` measures one figure again. `query_latency` compares settings of the search
server for most of a day, so it runs only if it is named. Most figures are the ratio of two things that ran
alternately in one run. Medians are of at least three values. The test suite measures no times.

Measured on {machine}.

{plots}

| figure | value | bound | measured | how it was measured | single figures |
|---|---|---|---|---|---|
{rows}
## Limits

{limits}"""


def write() -> None:
    """Write the page of the stored results with its plots, and the table in the project's README."""
    results = read()
    rows = list(results.values())
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


def quoted(results: Mapping[str, Recorded]) -> str:
    """Return the short table of figures with a description of the machine."""
    rows = list(results.values())
    lines = "".join(f"| `{row.name}` | {_value(row)} | {row.bound} | {row.unit} |\n" for row in rows)
    return f"Measured on {_machines(rows)}:\n\n| figure | value | bound | unit |\n|---|---|---|---|\n{lines}"


def _machines(rows: Sequence[Recorded]) -> str:
    return "; ".join(sorted({row.machine for row in rows}))


def _value(result: Recorded) -> str:
    return f"{result.value:.2f}" if result.reached else f"**{result.value:.2f}, not reached**"


def _row(result: Recorded) -> str:
    parts = "<br>".join(f"{name}: {part:,.2f}" for name, part in result.parts.items())
    measured = f"{result.day}, `{result.commit}`"
    return f"| `{result.name}` | {_value(result)} | {result.bound} | {measured} | {result.how} | {parts} |\n"
