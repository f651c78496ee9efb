"""A summary of the whole ledger for the coverage page, and which of its days changed since an earlier one."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, NamedTuple

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX
from cloudtrail_elasticsearch.core.search.answers import Aggregation
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.ui.reading import read_index

CLOCKS_DIFFER_BY: Final = timedelta(minutes=15)
"""More than the clocks of two workers differ: AWS rejects requests of a clock that is five minutes wrong.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
"""

_MARGIN: Final = CLOCKS_DIFFER_BY / timedelta(milliseconds=1)
_NAMES_AT_MOST: Final = 5_000
_IS_CELL: Final[dict[str, Any]] = {"exists": {"field": "pattern"}}
"""The query for cells: the documents with the names of accounts have no pattern."""

_VERSIONS: Final = itertools.count(1)


class _Recent(NamedTuple):
    """The cells that were updated since a time: their number by day, and the sum of their times of update.

    Every later update changes one of them, unless its worker's clock is slow by more than `CLOCKS_DIFFER_BY`.
    """

    since: float
    """In milliseconds since 1970."""
    days: Mapping[str, tuple[int, float]]


@dataclass(frozen=True, slots=True)
class LedgerSummary:
    """The accounts, index patterns, sources and days of the whole ledger, and the time of its last change."""

    accounts: list[str]
    """The account with the most cells first."""
    patterns: list[str]
    """The index pattern with the most cells first."""
    sources: list[Source]
    days: Mapping[str, int]
    """The number of cells of each day."""
    newest: float
    """The time of the last update of a cell, in milliseconds since 1970."""
    versions: Mapping[str, int] = field(default_factory=dict, compare=False)
    """The version of each day: it is another one after a change of a cell of the day."""
    recent: _Recent = field(default=_Recent(0, {}), compare=False)
    """Read before the other figures: a change between both is then found by the next summary."""

    @property
    def cells(self) -> int:
        """The number of cells."""
        return sum(self.days.values())


class _State(NamedTuple):
    """The number of all cells, the time of the last update, and the recent cells since one or two times."""

    cells: int
    newest: float
    recent: list[_Recent]


def summarize_ledger(server: SearchServer, known: LedgerSummary | None = None) -> LedgerSummary:
    """Return the accounts, index patterns, sources and days that the ledger has, and its last change.

    :param known: an earlier summary; then only days with changed cells are read again, unless cells were deleted
    """
    if known is None:
        newest = _read_state(server).newest
        (recent,) = _read_state(server, [max(0, newest - _MARGIN)]).recent
        summary = _summarize(server)
        return replace(summary, versions=_make_versions(summary.days), recent=recent)
    state = _read_state(server, _choose_times(known))
    now, recent = state.recent[0], state.recent[-1]
    changed = {day for day, _ in known.recent.days.items() ^ now.days.items()}
    if not changed and state.cells == known.cells:
        return replace(known, newest=state.newest, recent=recent)
    updated = _add_changes(server, known, changed, state.newest)
    # If cells were deleted, a known account or pattern may have none left.
    fewer = any(updated.days.get(day, 0) < known.days.get(day, 0) for day in changed)
    if fewer or updated.cells != state.cells:
        updated = _summarize(server)
        changed |= {day for day, _ in known.days.items() ^ updated.days.items()}
    kept = {day: version for day, version in known.versions.items() if day in updated.days and day not in changed}
    new = _make_versions(updated.days.keys() - kept.keys())
    return replace(updated, versions=kept | new, recent=recent)


def _choose_times(known: LedgerSummary) -> list[float]:
    """Return the time since which the recent cells are known, and a later one if there are too many by now."""
    later = known.newest - _MARGIN
    since = known.recent.since
    return [since, later] if later - since > _MARGIN else [since]


def _make_versions(days: Iterable[str]) -> dict[str, int]:
    # Another one for each summary, because threads can find different changes since the same earlier one.
    return dict.fromkeys(days, next(_VERSIONS))


def _read_state(server: SearchServer, times: Collection[float] = ()) -> _State:
    days = {
        "terms": {"field": "day", "size": _NAMES_AT_MOST},
        "aggs": {"updated": {"sum": {"field": "updated_at"}}},
    }
    figures: dict[str, Any] = {
        "cells": {"value_count": {"field": "pattern"}},
        "newest": {"max": {"field": "updated_at"}},
        **{f"since {time:.0f}": {"filter": _query_updated(time), "aggs": {"days": days}} for time in times},
    }
    cells, newest, *recent = (found or Aggregation() for found in _aggregate_cells(server, figures).values())
    return _State(
        int(cells.value or 0),
        newest.value or 0,
        [_Recent(time, _sum_updates(found)) for time, found in zip(times, recent, strict=True)],
    )


def _query_updated(since: float) -> dict[str, Any]:
    return {"range": {"updated_at": {"gte": int(since), "format": "epoch_millis"}}}


def _sum_updates(found: Aggregation) -> dict[str, tuple[int, float]]:
    buckets = found.days.buckets if found.days else []
    return {str(each.key): (each.doc_count, (each.updated or Aggregation()).value or 0) for each in buckets}


def _summarize(server: SearchServer, *further: dict[str, Any]) -> LedgerSummary:
    """Return a summary of all cells, or of those that match further queries."""
    fields = {"accounts": "account", "patterns": "pattern", "sources": "source", "days": "day"}
    figures = {
        **{name: {"terms": {"field": path, "size": _NAMES_AT_MOST}} for name, path in fields.items()},
        "newest": {"max": {"field": "updated_at"}},
    }
    found = _aggregate_cells(server, figures, *further)
    names = {name: [str(bucket.key) for bucket in found[name].buckets] for name in fields}
    days = {str(bucket.key): bucket.doc_count for bucket in found["days"].buckets}
    sources = _list_sources(found["sources"], sum(days.values()))
    return LedgerSummary(names["accounts"], names["patterns"], sources, days, found["newest"].value or 0)


def _add_changes(server: SearchServer, known: LedgerSummary, changed: set[str], newest: float) -> LedgerSummary:
    """Return a summary with the changes of these days; after a deletion, it can have too many names and days."""
    changes = _summarize(server, {"terms": {"day": sorted(changed)}})
    return LedgerSummary(
        list(dict.fromkeys((*known.accounts, *changes.accounts))),
        list(dict.fromkeys((*known.patterns, *changes.patterns))),
        [source for source in Source if source in (*known.sources, *changes.sources)],
        {**known.days, **changes.days},
        newest,
    )


def _aggregate_cells(
    server: SearchServer, figures: Mapping[str, Any], *further: dict[str, Any]
) -> dict[str, Aggregation]:
    """Return the answer to each of these aggregations, in their order; an empty one if there is no ledger."""
    request = {
        "track_total_hits": False,
        "query": {"bool": {"filter": [_IS_CELL, *further]}},
        "aggs": dict(figures),
    }
    found = read_index(server, COVERAGE_INDEX).aggregate(request)
    return {name: found.get(name, Aggregation()) for name in figures}


def _list_sources(found: Aggregation, cells: int) -> list[Source]:
    """Return the sources of the ledger's cells; those of version 0.1 name none, and are of LookupEvents."""
    named = {str(bucket.key) for bucket in found.buckets}
    if sum(bucket.doc_count for bucket in found.buckets) < cells:
        named.add(Source.LOOKUP_EVENTS)
    return [source for source in Source if source in named]
