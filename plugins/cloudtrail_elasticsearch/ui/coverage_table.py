"""The coverage ledger as a table of rows by days, read in few requests and stored in columns.

A row is a region of one account from one source. If all accounts are chosen, a row is a whole account from one
source, so that the table of an organization has a row for each account, not for each account and region.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from cloudtrail_elasticsearch.core.coverage.cells import State
from cloudtrail_elasticsearch.core.coverage.ledger import query_source
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX, DEFAULT_INDEX
from cloudtrail_elasticsearch.core.search.answers import Aggregation, Bucket
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
"""By how much attention they need, least first. If several windows share a day, the table shows their last."""

_RANKS: Final = {state.value: rank for rank, state in enumerate(STATES)}

MOST_DAYS: Final = 400
_CELLS_PER_PAGE: Final = 20_000
"""Well below the servers' limit for one answer (``search.max_buckets``, 65,535)."""

ALL_ACCOUNTS: Final = "*"
"""The choice of all accounts together."""

_NAMES_AT_MOST: Final = 5_000
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

    @property
    def query(self) -> dict[str, Any]:
        """The query for this part."""
        wanted: list[dict[str, Any]] = [
            {"range": {"day": {"gte": self.first.isoformat(), "lte": self.last.isoformat()}}},
            {"term": {"pattern": self.pattern}},
        ]
        if self.account != ALL_ACCOUNTS:
            wanted.append({"term": {"account": self.account}})
        if self.source is not None:
            wanted.append(query_source(self.source))
        return {"bool": {"filter": wanted}}


@dataclass(slots=True)
class Table:
    """Cells in columns: each cell's day and row (as positions in the lists), state and event counts."""

    days: list[str]
    regions: list[str] = field(default_factory=list)
    """The name of each row: a region, or an account if all accounts are chosen."""
    sources: list[Source] = field(default_factory=list)
    """The source of each row."""
    day: list[int] = field(default_factory=list)
    region: list[int] = field(default_factory=list)
    state: list[int] = field(default_factory=list)
    figures: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in FIGURES})


@dataclass(frozen=True, slots=True)
class LedgerSummary:
    """The accounts, index patterns and sources of the whole ledger, and its version."""

    accounts: list[str]
    """The account with the most cells first."""
    patterns: list[str]
    """The index pattern with the most cells first."""
    sources: list[Source]
    version: str
    """A text that changes with every change of the ledger."""


def summarize_ledger(server: SearchServer) -> LedgerSummary:
    """Return the accounts, index patterns and sources that the ledger has, and its version."""
    fields = {"accounts": "account", "patterns": "pattern", "sources": "source"}
    request = {
        "aggs": {
            **{name: {"terms": {"field": path, "size": _NAMES_AT_MOST}} for name, path in fields.items()},
            "updates": {"stats": {"field": "updated_at"}},
        },
    }
    found = read_index(server, COVERAGE_INDEX).aggregate(request)
    names = {name: [str(bucket.key) for bucket in found.get(name, Aggregation()).buckets] for name in fields}
    updates = found.get("updates", Aggregation())
    # Number, newest and sum of the times of updates: a new, changed or deleted cell changes one of them.
    version = f"{updates.count}/{updates.max}/{updates.sum}"
    return LedgerSummary(names["accounts"], names["patterns"], _list_sources(found, updates.count or 0), version)


def _list_sources(found: dict[str, Aggregation], cells: int) -> list[Source]:
    """Return the sources of the ledger's cells; those of version 0.1 name none, and are of LookupEvents."""
    buckets = found.get("sources", Aggregation()).buckets
    named = {str(bucket.key) for bucket in buckets}
    if sum(bucket.doc_count for bucket in buckets) < cells:
        named.add(Source.LOOKUP_EVENTS)
    return [source for source in Source if source in named]


def choose_default_account(accounts: list[str]) -> str:
    """Return the account to show first: the only one, else all of them."""
    return accounts[0] if len(accounts) == 1 else ALL_ACCOUNTS if accounts else ""


def choose_default_pattern(patterns: list[str]) -> str:
    """Return the pattern to show first: the default one if it has cells, else the one with the most cells."""
    return DEFAULT_INDEX if DEFAULT_INDEX in patterns or not patterns else patterns[0]


def read_table(server: SearchServer, choice: Choice) -> Table:
    """Return the cells of a choice as a table."""
    days = [choice.first + timedelta(days=number) for number in range((choice.last - choice.first).days + 1)]
    made = Table([day.isoformat() for day in days])
    numbers = {day: number for number, day in enumerate(made.days)}
    places: dict[tuple[int, str], int] = {}
    rows: dict[tuple[str, Source], int] = {}
    for bucket in _read_buckets(server, choice):
        cell, windows = bucket.values, bucket.doc_count
        day = cell["day"]
        name = (cell[choice.row_field], Source(cell["source"] or Source.LOOKUP_EVENTS))
        row = rows.setdefault(name, len(rows))
        place = places.setdefault((row, day), len(places))
        rank = _RANKS.get(cell["state"], _RANKS[State.FAILED])  # a newer version's state
        if place == len(made.state):
            made.region.append(row)
            made.day.append(numbers[day])
            made.state.append(rank)
            for figure, column in made.figures.items():
                # Windows with equal figures share one bucket.
                column.append((cell[figure] or 0) * windows)
            continue
        # The worst state of a day's windows is shown.
        made.state[place] = max(made.state[place], rank)
        for figure, column in made.figures.items():
            column[place] += (cell[figure] or 0) * windows
    made.regions = [name for name, _ in rows]
    made.sources = [source for _, source in rows]
    return made


def read_cells(server: SearchServer, choice: Choice, region: str) -> list[dict[str, Any]]:
    """Return the ledger's full records of one region of one account, one for each window and source."""
    query = choice.query
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


def _read_buckets(server: SearchServer, choice: Choice) -> Iterator[Bucket]:
    """Yield one bucket for each group of windows with equal row, day, state and figures.

    A composite aggregation reads only the index's columns. Reading the documents takes several times as long,
    and computing sums on the server takes twice as long. A cell that is not loaded yet has no figures. Most cells
    of an organization are quiet, and those of one account and day are one bucket.
    """
    sources = [
        *({name: {"terms": {"field": name}}} for name in (choice.row_field, "day", "state")),
        *({name: {"terms": {"field": name, "missing_bucket": True}}} for name in ("source", *FIGURES)),
    ]
    composite: dict[str, Any] = {"size": _CELLS_PER_PAGE, "sources": sources}
    request = {
        "track_total_hits": False,
        "query": choice.query,
        "aggs": {"cells": {"composite": composite}},
    }
    while True:
        found = read_index(server, COVERAGE_INDEX).aggregate(request).get("cells", Aggregation())
        yield from found.buckets
        if len(found.buckets) < _CELLS_PER_PAGE:
            return
        composite["after"] = found.after_key
