"""A cache of the coverage tables, by day: after a change of the ledger, only the changed days are read again."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

import orjson

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.ui import coverage_table
from cloudtrail_elasticsearch.ui.coverage_table import FIGURES, Choice, Square
from cloudtrail_elasticsearch.ui.ledger_summary import LedgerSummary, summarize_ledger

KEPT: Final = 8
"""The number of cached tables. A table of 200 accounts by 365 days takes about two megabytes."""

COLUMNS: Final = ("row", "state", *FIGURES)
"""The names of a day's columns."""

_EMPTY: Final = b"[]"


@dataclass(frozen=True, slots=True)
class _Table:
    """The squares of one choice, whatever its range; never changed after it was made."""

    rows: Mapping[tuple[str, Source], int] = field(default_factory=dict)
    """The number of each row. Rows get numbers in the order in which they are found."""
    days: Mapping[str, bytes] = field(default_factory=dict)
    """Each day's squares as JSON, in columns: rows, states and figures."""
    versions: Mapping[str, int] = field(default_factory=dict)
    """`LedgerSummary.versions` when they were read."""


class Tables:
    """Tables as JSON, by server and choice; shared by all users, safe for threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str, str, Source | None], _Table] = OrderedDict()
        self._summaries: dict[str, LedgerSummary] = {}
        self._lock = Lock()

    def summarize(self, server: SearchServer) -> LedgerSummary:
        """Return a summary of the ledger as it is now; only the changes since the last one are read."""
        summary = summarize_ledger(server, self._summaries.get(server.name))
        self._summaries[server.name] = summary
        return summary

    def get(self, server: SearchServer, choice: Choice, ledger: LedgerSummary) -> dict[str, Any]:
        """Return the table of a choice: the names and sources of its rows, its days, and the squares of each day.

        :param ledger: a new summary of the ledger
        """
        key = (server.name, choice.account, choice.pattern, choice.source)
        with self._lock:
            known = self._kept.get(key, _Table())
        # Without the lock, so that one user's table does not block the others.
        table = _update(server, choice, known, ledger)
        with self._lock:
            self._kept[key] = table
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        days = coverage_table.list_days(choice.first, choice.last)
        return {
            "days": days,
            "names": [name for name, _ in table.rows],
            "sources": [source.value for _, source in table.rows],
            # Already JSON; a day without cells has no columns. One fragment, because orjson's fault (see `codec`)
            # needs many brackets after one.
            "columns": orjson.Fragment(b"[%b]" % b",".join(table.days.get(day, _EMPTY) for day in days)),
        }


def _update(server: SearchServer, choice: Choice, known: _Table, ledger: LedgerSummary) -> _Table:
    """Return a table with the days of the choice as they are now; its other days are dropped if they changed."""
    kept = {
        day: squares for day, squares in known.days.items() if known.versions.get(day) == ledger.versions.get(day)
    }
    wanted = coverage_table.list_days(choice.first, choice.last)
    missing = [day for day in wanted if day in ledger.days and day not in kept]
    rows = dict(known.rows)
    read = _encode_days(coverage_table.read_squares(server, choice, missing), rows)
    # Also a day without squares is known then.
    return _Table(rows, kept | dict.fromkeys(missing, _EMPTY) | read, ledger.versions)


def _encode_days(squares: Iterable[Square], rows: dict[tuple[str, Source], int]) -> dict[str, bytes]:
    """Return each day's squares as JSON, in columns; rows that are new get the next numbers."""
    days: defaultdict[str, list[list[int]]] = defaultdict(lambda: [[] for _ in COLUMNS])
    for square in squares:
        row = rows.setdefault((square.name, square.source), len(rows))
        for column, value in zip(days[square.day], (row, square.rank, *square.figures), strict=True):
            column.append(value)
    return {day: codec.encode(columns) for day, columns in days.items()}
