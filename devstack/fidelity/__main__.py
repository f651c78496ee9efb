"""``make fidelity``: loads events into every server, with every strategy and order, and prints a table."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy
from cloudtrail_elasticsearch.core.loading.report import LoadReport
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.fidelity.checks import Index, find_hidden_values, find_unrestored_events, make_searches, run_searches
from devstack.fidelity.events import CORPUS, generate_events, make_orders, read_recorded
from devstack.search_server import DISTRIBUTIONS, SearchServer

SEARCHES: Final = 400


@dataclass(frozen=True)
class Row:
    """One load and the results of its checks."""

    server: str
    strategy: Strategy
    order: str
    report: LoadReport
    seconds: float
    same: bool
    hidden: int | None = None
    """Values that no search finds. Checked for the first order only, since the others have equal documents."""

    @property
    def kept(self) -> bool:
        """Whether the promises were kept."""
        report = self.report
        whole = report.read == report.indexed and not report.quarantined
        return whole and self.same and not self.hidden


def main() -> int:
    """Run the suite; the exit status is 1 if a promise is broken."""
    arguments = _arguments()
    corpus = read_recorded(arguments.corpus)
    print(f"{len(corpus):,} recorded events, {arguments.events:,} generated events", flush=True)
    lines = [*corpus, *generate_events(arguments.events)]
    rows: list[Row] = []
    for name in arguments.servers:
        with SearchServer(DISTRIBUTIONS[name], heap="2g") as running:
            for strategy in STRATEGIES:
                for row in _rows(name, running.url, strategy, lines, corpus, arguments.shuffles):
                    rows.append(row)
                    print(_line(row), flush=True)
    print(f"\n{_table(rows)}")
    return 0 if rows and all(row.kept for row in rows) else 1


def _rows(
    name: str, url: str, strategy: Strategy, lines: list[bytes], corpus: list[bytes], shuffles: int
) -> Iterator[Row]:
    server = connect(SearchSettings.from_url(url))
    expected: Any = None
    bodies: list[dict[str, Any]] = []
    for number, (order, ordered) in enumerate(make_orders(lines, shuffles)):
        index = Index(server, f"fidelity-{strategy}-{number}", strategy)
        began = time.monotonic()
        report = index.load(ordered)
        seconds = time.monotonic() - began
        hidden = None
        if not number:
            bodies = make_searches(index, lines, SEARCHES)
            hidden = sum(1 for _ in find_unrestored_events(index, lines))
            for identifier, found in find_hidden_values(index, corpus):
                hidden += 1
                print(f"  not found: {identifier} {found.field} = {found.value!r}", flush=True)
        results = index.mapping(), run_searches(index, bodies)
        expected = expected or results
        yield Row(name, strategy, order, report, seconds, results == expected, hidden)
        index.delete()


def _line(row: Row) -> str:
    report = row.report
    cells = [
        f"{row.server:<16}{row.strategy:<11}{row.order:<11}{report.read:>9,}{report.indexed:>9,}",
        f"{report.duplicates:>11}{report.quarantined:>12}{report.read / row.seconds:>10,.0f}",
        f"{'yes' if row.same else 'NO':>9}{'' if row.hidden is None else row.hidden:>8}",
    ]
    return "".join(cells)


def _table(rows: Sequence[Row]) -> str:
    head = (
        f"{'server':<16}{'strategy':<11}{'order':<11}{'read':>9}{'indexed':>9}{'duplicates':>11}"
        f"{'quarantined':>12}{'events/s':>10}{'searches':>9}{'hidden':>8}"
    )
    broken = [row for row in rows if not row.kept]
    end = f"{len(broken)} of {len(rows)} loads broke a promise." if broken else "Every promise was kept."
    return "\n".join([head, *map(_line, rows), end])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fidelity", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="number of generated events (%(default)s)")
    parser.add_argument("--shuffles", type=int, default=3, help="number of random orders (%(default)s)")
    parser.add_argument("--servers", nargs="+", choices=DISTRIBUTIONS, default=list(DISTRIBUTIONS))
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="a folder of recorded events")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
