"""The coverage ledger as a table of regions by days, read in few requests and told in columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.coverage import State
from cloudtrail_elasticsearch.core.index_setup import SearchServer
from cloudtrail_elasticsearch.core.mapping import COVERAGE_INDEX, DEFAULT_INDEX
from cloudtrail_elasticsearch.core.send import MISSING_IS_EMPTY

FIGURES: Final = ("looked_up", "indexed", "quarantined")
STATES: Final = (
    State.QUIET,
    State.COMPLETE,
    State.QUARANTINED,
    State.LOADING,
    State.MISSING,
    State.FAILED,
)
"""From what needs no attention to what needs most: where windows share a day, the last one of theirs is told."""

_RANKS: Final = {state.value: rank for rank, state in enumerate(STATES)}

MOST_DAYS: Final = 400
_CELLS_PER_PAGE: Final = 20_000
"""Well below what a server takes for one answer (``search.max_buckets``, 65,535)."""

_NAMES_AT_MOST: Final = 200
_HITS_AT_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Choice:
    """Which part of the ledger: days, the last one included, of one account and index pattern."""

    first: date
    last: date
    account: str
    pattern: str

    @property
    def query(self) -> dict[str, Any]:
        """The part as a query."""
        return {
            "bool": {
                "filter": [
                    {"range": {"day": {"gte": self.first.isoformat(), "lte": self.last.isoformat()}}},
                    {"term": {"account": self.account}},
                    {"term": {"pattern": self.pattern}},
                ]
            }
        }


@dataclass(slots=True)
class Table:
    """Cells in columns: where each is, in days and regions, its state and its figures, in events."""

    days: list[str]
    regions: list[str] = field(default_factory=list)
    day: list[int] = field(default_factory=list)
    region: list[int] = field(default_factory=list)
    state: list[int] = field(default_factory=list)
    figures: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in FIGURES})


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger as a whole has, told without its cells."""

    accounts: list[str]
    """Those with most cells first."""
    patterns: list[str]
    """The same of index patterns."""
    version: str
    """Another one after every change of the ledger."""


def known(server: SearchServer) -> Known:
    """Return the accounts and index patterns that the ledger has, and its version."""
    fields = {"accounts": "account", "patterns": "pattern"}
    request = {
        "size": 0,
        "aggs": {
            **{name: {"terms": {"field": path, "size": _NAMES_AT_MOST}} for name, path in fields.items()},
            "updates": {"stats": {"field": "updated_at"}},
        },
    }
    found = server.request("POST", _search("aggregations"), codec.encode(request)).get("aggregations", {})
    names = {name: [bucket["key"] for bucket in found.get(name, {}).get("buckets", [])] for name in fields}
    updates = found.get("updates", {})
    version = "/".join(str(updates.get(name)) for name in ("count", "max", "sum"))
    return Known(names["accounts"], names["patterns"], version)


def usual(patterns: list[str]) -> str:
    """Return the pattern to begin with: the default one, or the one with most cells."""
    return DEFAULT_INDEX if DEFAULT_INDEX in patterns or not patterns else patterns[0]


def table(server: SearchServer, choice: Choice) -> Table:
    """Read the cells of a choice."""
    days = [choice.first + timedelta(days=number) for number in range((choice.last - choice.first).days + 1)]
    made = Table([day.isoformat() for day in days])
    numbers = {day: number for number, day in enumerate(made.days)}
    places: dict[tuple[str, str], int] = {}
    regions: dict[str, int] = {}
    for bucket in _cells(server, choice):
        cell, windows = bucket["key"], bucket["doc_count"]
        name, day = cell["region"], cell["day"]
        place = places.setdefault((name, day), len(places))
        rank = _RANKS[cell["state"]]
        if place == len(made.state):
            made.region.append(regions.setdefault(name, len(regions)))
            made.day.append(numbers[day])
            made.state.append(rank)
            for figure, column in made.figures.items():
                column.append((cell[figure] or 0) * windows)
            continue
        made.state[place] = max(made.state[place], rank)
        for figure, column in made.figures.items():
            column[place] += (cell[figure] or 0) * windows
    made.regions = list(regions)
    return made


def cells(server: SearchServer, choice: Choice, region: str) -> list[dict[str, Any]]:
    """Return all that the ledger has of one region's days."""
    query = choice.query
    query["bool"]["filter"].append({"term": {"region": region}})
    request = {"size": MOST_DAYS, "query": query, "sort": ["start", "end"]}
    answer = server.request("POST", _search("hits.hits._source"), codec.encode(request))
    return [hit["_source"] for hit in answer.get("hits", {}).get("hits", [])]


def quarantined_days(server: SearchServer, pattern: str) -> tuple[list[str], list[str]]:
    """Return the days and the regions of a pattern's cells with events in quarantine, in order."""
    wanted = [{"term": {"pattern": pattern}}, {"range": {"quarantined": {"gt": 0}}}]
    request = {
        "size": _HITS_AT_MOST,
        "query": {"bool": {"filter": wanted}},
        "_source": ["day", "region"],
        "sort": ["start"],
    }
    answer = server.request("POST", _search("hits.hits._source"), codec.encode(request))
    found = [hit["_source"] for hit in answer.get("hits", {}).get("hits", [])]
    return sorted({cell["day"] for cell in found}), sorted({cell["region"] for cell in found})


def _cells(server: SearchServer, choice: Choice) -> Iterator[dict[str, Any]]:
    """Yield the windows that say the same of the same day, and how many they are.

    They come from the index' columns: documents are not read, which takes several times as long, and nothing is
    computed of them there, which takes twice as long. A cell that is not loaded yet has no figures.
    """
    sources = [
        *({name: {"terms": {"field": name}}} for name in ("region", "day", "state")),
        *({name: {"terms": {"field": name, "missing_bucket": True}}} for name in FIGURES),
    ]
    composite: dict[str, Any] = {"size": _CELLS_PER_PAGE, "sources": sources}
    request = {
        "size": 0,
        "track_total_hits": False,
        "query": choice.query,
        "aggs": {"cells": {"composite": composite}},
    }
    while True:
        found = server.request("POST", _search("aggregations"), codec.encode(request)).get("aggregations", {})
        buckets = found.get("cells", {}).get("buckets", [])
        yield from buckets
        if len(buckets) < _CELLS_PER_PAGE:
            return
        composite["after"] = found["cells"]["after_key"]


def _search(kept: str) -> str:
    return f"/{COVERAGE_INDEX}/_search?{MISSING_IS_EMPTY}&filter_path={kept}"
