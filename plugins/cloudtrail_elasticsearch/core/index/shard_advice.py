"""Advice on shards: computes from measured sizes whether a shard of the current index will become too large."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.search.answers import Count, send_request
from cloudtrail_elasticsearch.core.search.bulk import ERROR_FIELDS, MISSING_IS_EMPTY
from cloudtrail_elasticsearch.core.search.server import SearchServer

LARGEST_SHARD: Final = 50_000_000_000
"""Bytes; Elastic recommends shards of 10 to 50 GB.

https://www.elastic.co/docs/deploy-manage/production-guidance/optimize-performance/size-shards
"""

_MEASURED_DAYS: Final = 7
"""The days before the planned one that show how many events a day has: a week, with its weekend."""

_LONGEST_PERIOD: Final = 366
"""Days; an index without an end is computed for a year."""

_GB: Final = 1_000_000_000


class _Figures(msgspec.Struct, frozen=True):
    docs: dict[str, int] = {}
    store: dict[str, int] = {}


class _Index(msgspec.Struct, frozen=True):
    primaries: _Figures = _Figures()
    shards: dict[str, list[Any]] = {}


class _Stats(msgspec.Struct, frozen=True):
    """The answer to ``_stats``; it has no indices if none exists."""

    indices: dict[str, _Index] = {}


@dataclass(frozen=True, slots=True)
class IndexSize:
    """The measured size of an index, without replicas."""

    name: str
    events: int
    size: int
    """Bytes."""
    shards: int


def find_shard_advice(server: SearchServer, pattern: IndexPattern, day: date) -> str | None:
    """Return a sentence if a shard of the day's index will be larger than 50 GB; None if not, or if it is unknown.

    It sends two small requests, to exact names only (ADR-0016).

    :raises LoaderError: the server does not answer, or the user may not read the sizes of indices
    """
    sizes = _read_sizes(server, pattern, day)
    if not sizes:
        return None
    first = day - timedelta(days=_MEASURED_DAYS)
    query = {"query": {"range": {"@timestamp": {"gte": str(first), "lt": str(day)}}}}
    path = f"/{','.join(size.name for size in sizes)}/_count?{MISSING_IS_EMPTY}"
    events = send_request(server, Count, "POST", path, codec.encode(query)).count
    return make_shard_advice(pattern, day, sizes, events / _MEASURED_DAYS)


def make_shard_advice(pattern: IndexPattern, day: date, sizes: list[IndexSize], events_a_day: float) -> str | None:
    """Return the advice for measured sizes.

    :param sizes: of existing indices, the one of the day or the latest one first
    """
    largest = max(sizes, key=lambda size: size.events)
    if not largest.events:
        return None
    bytes_each = largest.size / largest.events
    days = _count_days(pattern, day)
    # An index can be larger already, for example because more events were loaded into it.
    expected = max(events_a_day * days * bytes_each, sizes[0].size)
    per_shard = expected / sizes[0].shards
    if per_shard <= LARGEST_SHARD:
        return None
    smaller = " or an index for each day (%Y.%m.%d)" if days > 1 else ""
    shards = sizes[0].shards
    return (
        f"A shard of {_name(pattern, day)} will have about {per_shard / _GB:.0f} GB: {events_a_day:,.0f} events a "
        f"day of {bytes_each:.0f} bytes, for {days} day{'s' if days > 1 else ''}, in {shards} primary "
        f"shard{'s' if shards > 1 else ''}. Elastic recommends at most 50 GB. For new indices choose "
        f"{ceil(expected / LARGEST_SHARD)} primary shards (param shards, or index.number_of_shards in "
        f"{pattern.template}@custom){smaller}."
    )


def _read_sizes(server: SearchServer, pattern: IndexPattern, day: date) -> list[IndexSize]:
    """Return the sizes of the indices of the day and of the week and month before it, the latest first."""
    names = list(dict.fromkeys(_name(pattern, day - timedelta(days=back)) for back in (0, *range(1, 8), 31)))
    figures = ("primaries.docs.count", "primaries.store.size_in_bytes", "shards.*.routing.primary")
    wanted = ",".join(f"indices.*.{figure}" for figure in figures)
    path = (
        f"/{','.join(names)}/_stats/docs,store?level=shards&{MISSING_IS_EMPTY}&filter_path={ERROR_FIELDS},{wanted}"
    )
    found: Mapping[str, _Index] = send_request(server, _Stats, "GET", path).indices
    return [
        IndexSize(
            name,
            found[name].primaries.docs.get("count", 0),
            found[name].primaries.store.get("size_in_bytes", 0),
            max(1, len(found[name].shards)),
        )
        for name in names
        if name in found
    ]


def _count_days(pattern: IndexPattern, day: date) -> int:
    """Return the number of days whose events go to the same index as the day's."""
    around = range(-_LONGEST_PERIOD, _LONGEST_PERIOD + 1)
    same = sum(_name(pattern, day + timedelta(days=each)) == _name(pattern, day) for each in around)
    return min(same, _LONGEST_PERIOD)


def _name(pattern: IndexPattern, day: date) -> str:
    return pattern.name(datetime.combine(day, time(), UTC))
