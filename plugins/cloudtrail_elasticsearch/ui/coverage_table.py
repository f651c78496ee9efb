"""The squares of the coverage table, read from the ledger in few requests.

A row of the table is a region of one account from one source. If all accounts are chosen, a row is a whole account
from one source, so that the table of an organization has a row for each account, not for each account and region.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from cloudtrail_elasticsearch.core.coverage.cells import State
from cloudtrail_elasticsearch.core.coverage.ledger import query_source
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX, DEFAULT_INDEX
from cloudtrail_elasticsearch.core.search.answers import Bucket
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.ui.reading import read_index

FIGURES: Final = ("looked_up", "indexed", "quarantined")
STATES: Final = (
    State.QUIET,
    State.COMPLETE,
    State.QUARANTINED,
    State.LOADING,
    State.MISSING,
    State.FAILED,
)
"""By how much attention they need, least first. A square of several windows has the last of their states."""

_RANKS: Final = {state.value: rank for rank, state in enumerate(STATES)}
_VERIFIED: Final = [State.QUIET, State.COMPLETE]

MOST_DAYS: Final = 400
_SQUARES_PER_PAGE: Final = 20_000
"""Well below the servers' limit for one answer (``search.max_buckets``, 65,535)."""

_DAYS_PER_REQUEST: Final = 50
"""Few enough that Python need not keep the answers of a whole year at once."""

ALL_ACCOUNTS: Final = "*"
"""The choice of all accounts together."""

_HITS_AT_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class QuarantinedDays:
    """The days, regions and accounts, each sorted, of a source's cells with quarantined events."""

    source: Source
    days: list[str]
    regions: list[str]
    accounts: list[str]


@dataclass(frozen=True, slots=True)
class Choice:
    """A part of the ledger: a range of days (both included) of one index pattern."""

    first: date
    last: date
    account: str
    """An account's id, or `ALL_ACCOUNTS`."""
    pattern: str
    source: Source | None = None
    """None: both sources."""

    @property
    def row_field(self) -> str:
        """The field of the ledger that names the rows."""
        return "account" if self.account == ALL_ACCOUNTS else "region"


class Square(NamedTuple):
    """One day of one row: a cell of the ledger, or all cells of an account."""

    day: str
    name: str
    """A region, or an account if all accounts are chosen."""
    source: Source
    rank: int
    """The position of its state in `STATES`."""
    figures: Sequence[int]
    """Numbers of events, in the order of `FIGURES`."""


def choose_default_account(accounts: list[str]) -> str:
    """Return the account to show first: the only one, else all of them."""
    return accounts[0] if len(accounts) == 1 else ALL_ACCOUNTS if accounts else ""


def choose_default_pattern(patterns: list[str]) -> str:
    """Return the pattern to show first: the default one if it has cells, else the one with the most cells."""
    return DEFAULT_INDEX if DEFAULT_INDEX in patterns or not patterns else patterns[0]


def list_days(first: date, last: date) -> list[str]:
    """Return the days of a range, both included, as the ledger writes them."""
    return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]


def read_squares(server: SearchServer, choice: Choice, days: Sequence[str]) -> Iterator[Square]:
    """Yield the squares of a choice on these days."""
    for first in range(0, len(days), _DAYS_PER_REQUEST):
        yield from _read_squares(server, choice, days[first : first + _DAYS_PER_REQUEST])


def _read_squares(server: SearchServer, choice: Choice, days: Sequence[str]) -> Iterator[Square]:
    wanted = query_choice(choice, days)
    ranks: dict[tuple[str, str, str | None], int] = {}
    unverified = {"bool": {"filter": [wanted], "must_not": [{"terms": {"state": _VERIFIED}}]}}
    for bucket in read_buckets(server, unverified, ("day", choice.row_field), ("source", "state")):
        key = bucket.values
        place = (key["day"], key[choice.row_field], key["source"])
        # A newer version can have another state.
        ranks[place] = max(ranks.get(place, 0), _RANKS.get(key["state"], _RANKS[State.FAILED]))
    merged: dict[tuple[str, str, Source], Square] = {}
    sums = {name: {"sum": {"field": name}} for name in FIGURES}
    for bucket in read_buckets(server, wanted, ("day", choice.row_field), ("source",), sums):
        key = bucket.values
        day, name, source = key["day"], key[choice.row_field], key["source"]
        figures = [round(each.value or 0) for each in bucket.sums]
        # Of verified cells, only those with events are complete.
        rank = max(ranks.get((day, name, source), 0), _RANKS[State.COMPLETE] if figures[0] else 0)
        square = Square(day, name, Source(source or Source.LOOKUP_EVENTS), rank, figures)
        place = (day, name, square.source)
        # Cells of version 0.1 have a bucket of their own.
        merged[place] = _merge_squares(merged[place], square) if place in merged else square
    yield from merged.values()


def _merge_squares(one: Square, other: Square) -> Square:
    figures = [a + b for a, b in zip(one.figures, other.figures, strict=True)]
    return Square(one.day, one.name, one.source, max(one.rank, other.rank), figures)


def read_cells(server: SearchServer, choice: Choice, region: str) -> list[dict[str, Any]]:
    """Return the ledger's full records of one region of one account, one for each window and source."""
    query = query_choice(choice, list_days(choice.first, choice.last))
    query["bool"]["filter"].append({"term": {"region": region}})
    request = {"size": MOST_DAYS, "query": query, "sort": ["start", "end"]}
    return [hit.source for hit in read_index(server, COVERAGE_INDEX).find(request, dict[str, Any])]


def read_quarantined_days(server: SearchServer, pattern: str) -> Iterator[QuarantinedDays]:
    """Yield where a pattern has quarantined events, for each source that has some."""
    for source in Source:
        found = _read_quarantined(server, pattern, source)
        if found:
            yield QuarantinedDays(
                source, *(sorted({cell[name] for cell in found}) for name in ("day", "region", "account"))
            )


def _read_quarantined(server: SearchServer, pattern: str, source: Source) -> list[dict[str, str]]:
    wanted = [{"term": {"pattern": pattern}}, {"range": {"quarantined": {"gt": 0}}}, query_source(source)]
    request = {
        "size": _HITS_AT_MOST,
        "query": {"bool": {"filter": wanted}},
        "_source": ["day", "region", "account"],
        "sort": ["start"],
    }
    return [hit.source for hit in read_index(server, COVERAGE_INDEX).find(request, dict[str, str])]


def query_choice(choice: Choice, days: Collection[str]) -> dict[str, Any]:
    """Return the query for the cells of a choice on these days, whatever its range."""
    wanted: list[dict[str, Any]] = [{"terms": {"day": sorted(days)}}, {"term": {"pattern": choice.pattern}}]
    if choice.account != ALL_ACCOUNTS:
        wanted.append({"term": {"account": choice.account}})
    if choice.source is not None:
        wanted.append(query_source(choice.source))
    return {"bool": {"filter": wanted}}


def read_buckets(
    server: SearchServer,
    query: dict[str, Any],
    fields: Sequence[str],
    optional: Sequence[str] = (),
    sums: Mapping[str, Any] | None = None,
) -> Iterator[Bucket]:
    """Yield a bucket for each group of cells with equal values of these fields, as `IndexReader.group` does."""
    return read_index(server, COVERAGE_INDEX).group(query, fields, _SQUARES_PER_PAGE, optional, sums)
