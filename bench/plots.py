"""Plots of the results: small SVG files that are legible on light and on dark pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from bench.results import Result

_ROW: Final = 26
_THICK: Final = 14
_TOP: Final = 62
"""Where the bars begin, below the title and a note."""

_LABELS: Final = 300
_BARS: Final = 380
_RIGHT: Final = 110
_WIDTH: Final = _LABELS + _BARS + _RIGHT
_MOST_MARGIN: Final = 2.0
"""A bar of this many times the bound, or more, is as wide as the plot."""

_STYLE: Final = """\
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 15px; font-weight: 600; }
.quiet { fill: #57606a; }
.label { text-anchor: end; }
.bar { fill: #3b82c4; }
.missed { fill: #d9730d; }
.bound { stroke: #57606a; stroke-dasharray: 4 3; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .quiet { fill: #9198a1; }
  .bound { stroke: #9198a1; }
}
"""


@dataclass(frozen=True, slots=True)
class _Bar:
    label: str
    length: float
    """Share of the plot's width, from 0 to 1."""
    value: str
    reached: bool = True


@dataclass(frozen=True, slots=True)
class _Scale:
    """Parts of results with one unit. The end of a part's name is its unit."""

    file: str
    title: str
    unit: str


_SCALES: Final = (
    _Scale("rates", "Events a second", "events/s"),
    _Scale("sizes", "Bytes of the index for each event, merged to one segment", "bytes/event"),
    _Scale("memory", "Resident memory, MiB", "MiB"),
    _Scale("times", "Milliseconds", "ms"),
)


def draw(results: Sequence[Result], folder: Path) -> list[tuple[str, str]]:
    """Write a plot of all figures and one plot for each unit of their parts; return the file names and titles."""
    folder.mkdir(exist_ok=True)
    title = "Each figure against its bound"
    note = f"to the right of the line the bound is reached; bars end at {_MOST_MARGIN:g} times the bound"
    bounds = _svg(title, note, [_against_bound(result) for result in results], 1 / _MOST_MARGIN)
    (folder / "bounds.svg").write_text(bounds, encoding="utf-8")
    drawn = [("bounds.svg", title)]
    for scale in _SCALES:
        values = list(_values(results, scale.unit))
        if values:
            file = f"{scale.file}.svg"
            (folder / file).write_text(_svg(scale.title, "single figures", _bars(values)), encoding="utf-8")
            drawn.append((file, scale.title))
    return drawn


def _against_bound(result: Result) -> _Bar:
    if result.at_least is not None:
        margin = result.value / result.at_least
    else:
        assert result.at_most is not None
        margin = result.at_most / result.value if result.value else _MOST_MARGIN
    length = min(margin, _MOST_MARGIN) / _MOST_MARGIN
    return _Bar(result.name, length, f"{result.value:.2f} ({result.bound})", result.reached)


def _values(results: Iterable[Result], unit: str) -> Iterator[tuple[str, float]]:
    for result in results:
        for name, value in result.parts.items():
            if name == unit:
                yield result.name, value
            elif name.endswith(f", {unit}"):
                yield f"{result.name}: {name.removesuffix(f', {unit}')}", value


def _bars(values: Sequence[tuple[str, float]]) -> list[_Bar]:
    most = max(value for _, value in values)
    return [_Bar(label, value / most, f"{value:,.0f}") for label, value in values]


def _svg(title: str, note: str, bars: Sequence[_Bar], line: float | None = None) -> str:
    height = _TOP + _ROW * len(bars) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{_STYLE}</style>",
        f'<text class="title" x="12" y="24">{escape(title)}</text>',
        f'<text class="quiet" x="12" y="44">{escape(note)}</text>',
    ]
    for number, bar in enumerate(bars):
        lines += _row(bar, _TOP + _ROW * number)
    if line is not None:
        x = _LABELS + _BARS * line
        lines.append(f'<line class="bound" x1="{x:.0f}" x2="{x:.0f}" y1="{_TOP - 4}" y2="{height - 8}"/>')
    return "\n".join([*lines, "</svg>\n"])


def _row(bar: _Bar, top: int) -> list[str]:
    width = max(_BARS * bar.length, 1)
    kind = "bar" if bar.reached else "bar missed"
    base = top + _THICK - 3
    return [
        f'<text class="label" x="{_LABELS - 8}" y="{base}">{escape(bar.label)}</text>',
        f'<rect class="{kind}" x="{_LABELS}" y="{top}" width="{width:.1f}" height="{_THICK}" rx="2"/>',
        f'<text class="quiet" x="{_LABELS + _BARS + 8}" y="{base}">{escape(bar.value)}</text>',
    ]
