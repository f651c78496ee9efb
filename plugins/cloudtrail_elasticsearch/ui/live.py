"""The live squares of the coverage table, read from the watermarks of live runs.

A square of the last days that has no cell yet is live if a live run follows its region. A live square is no proof:
the daily run looks up the whole day again after it has ended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX
from cloudtrail_elasticsearch.core.search.answers import Aggregation, Bucket
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.ui.coverage_table import ALL_ACCOUNTS, Choice, read_buckets
from cloudtrail_elasticsearch.ui.reading import read_index

STALE_AFTER: Final = timedelta(minutes=30)
"""If no watermark was recorded for this time, live runs are off or fail, or nothing happens at all."""

COLUMNS: Final = ("name", "source", "watermark", "checked_at", "last_event", "events", "behind")
"""The names of the columns of live squares; times are milliseconds since 1970."""

LIVE_DAYS: Final = 2
"""Today, and yesterday until the daily run has planned its cells."""

_NAMES_AT_MOST: Final = 5_000
_REASONS_AT_MOST: Final = 200
_PLACES_AT_MOST: Final = 100
_IS_BEHIND: Final[dict[str, Any]] = {"exists": {"field": "problem"}}
_OF_A_PLACE: Final = ("source", "kind", "watermark", "checked_at", "last_event", "day", "live_events", "problem")
_FIGURES: Final[dict[str, Any]] = {
    "watermark": {"max": {"field": "watermark"}},
    "checked_at": {"max": {"field": "checked_at"}},
    "newest": {"max": {"field": "last_event"}},
    "live_events": {"sum": {"field": "live_events"}},
}


@dataclass(frozen=True, slots=True)
class WatermarkSummary:
    """The accounts and sources that live runs follow, and the time of the last watermark of each index pattern."""

    accounts: list[str] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    checked_at: Mapping[str, int] = field(default_factory=dict)
    """Milliseconds since 1970, by pattern."""


@dataclass(slots=True)
class _LiveSquare:
    """A region from one source, or all regions of an account; `COLUMNS` explains its fields."""

    watermark: int = 0
    checked_at: int = 0
    last_event: int | None = None
    events: int = 0
    behind: int = 0
    """The number of places that fall behind; `watermark` is then the oldest of these, else the newest of all."""

    def add(self, bucket: Bucket, today: str) -> None:
        """Add the figures of the places whose events are of one day."""
        self.watermark = max(self.watermark, _read_figure(bucket.watermark) or 0)
        self.checked_at = max(self.checked_at, _read_figure(bucket.checked_at) or 0)
        newest = _read_figure(bucket.newest)
        if newest is not None:
            self.last_event = max(self.last_event or 0, newest)
        if bucket.values["day"] == today:
            self.events += _read_figure(bucket.live_events) or 0


def summarize_watermarks(server: SearchServer) -> WatermarkSummary:
    """Return what live runs follow, for all index patterns; it is empty if no live run has loaded anything."""
    names = {name: {"terms": {"field": name, "size": _NAMES_AT_MOST}} for name in ("account", "source")}
    newest = {"newest": {"max": {"field": "checked_at"}}}
    request = {
        "track_total_hits": False,
        "query": {"exists": {"field": "live_pattern"}},
        "aggs": {
            **names,
            "patterns": {"terms": {"field": "live_pattern", "size": _NAMES_AT_MOST}, "aggs": newest},
        },
    }
    found = read_index(server, COVERAGE_INDEX).aggregate(request)
    accounts, sources = ([str(each.key) for each in found.get(name, Aggregation()).buckets] for name in names)
    newest_of = found.get("patterns", Aggregation()).buckets
    checked_at = {str(each.key): _read_figure(each.newest) or 0 for each in newest_of}
    return WatermarkSummary(accounts, [source for source in Source if source in sources], checked_at)


def list_live_days(today: date) -> list[date]:
    """Return the days whose squares can be live, the newest first."""
    return [today - timedelta(days=ago) for ago in range(LIVE_DAYS)]


def describe_live(
    server: SearchServer, choice: Choice, followed: WatermarkSummary, now: datetime
) -> dict[str, Any] | None:
    """Return the live squares of a choice in columns, and the place that is furthest behind.

    It is None if no live run has ever loaded anything into the choice's pattern.
    """
    if choice.pattern not in followed.checked_at:
        return None
    today = now.astimezone(UTC).date()
    squares = _read_squares(server, choice, str(today))
    late = _find_late_places(server, choice) if any(each.behind for each in squares.values()) else []
    reasons: dict[tuple[str, str], str] = {}
    for place in late:  # the worst one first
        reasons.setdefault((place[choice.row_field], place["source"]), place["problem"])
    return {
        "now": to_milliseconds(now),
        "days": [str(day) for day in list_live_days(today)],
        "checked_at": followed.checked_at[choice.pattern],
        "stale_after": STALE_AFTER // timedelta(milliseconds=1),
        "worst": late[0] if late else None,
        "columns": COLUMNS,
        "squares": [
            [name, source, each.watermark, each.checked_at, each.last_event, each.events, each.behind]
            for (name, source), each in squares.items()
        ],
        "reasons": [[name, source, reason] for (name, source), reason in reasons.items()],
    }


def find_followed_rows(server: SearchServer, choice: Choice) -> set[str]:
    """Return the rows of a choice that live runs follow: regions, or accounts."""
    wanted, field = _query_watermarks(choice), choice.row_field
    return {bucket.values[field] for bucket in read_buckets(server, wanted, (field,))}


def read_places(server: SearchServer, choice: Choice, region: str) -> list[dict[str, Any]]:
    """Return the watermarks of one region of one account, one for each source and kind of event."""
    query = _query_watermarks(choice, {"term": {"region": region}})
    request = {"size": _PLACES_AT_MOST, "query": query, "_source": _OF_A_PLACE, "sort": ["source", "kind"]}
    return [hit.source for hit in read_index(server, COVERAGE_INDEX).find(request, dict[str, Any])]


def _read_squares(server: SearchServer, choice: Choice, today: str) -> dict[tuple[str, str], _LiveSquare]:
    row = choice.row_field
    squares: defaultdict[tuple[str, str], _LiveSquare] = defaultdict(_LiveSquare)
    wanted = _query_watermarks(choice)
    for bucket in read_buckets(server, wanted, (row, "source", "day"), sums=_FIGURES):
        squares[bucket.values[row], bucket.values["source"]].add(bucket, today)
    oldest = {"watermark": {"min": {"field": "watermark"}}}
    for bucket in read_buckets(server, _query_watermarks(choice, _IS_BEHIND), (row, "source"), sums=oldest):
        # A place that does not fall behind can be quiet: its watermark moves only with an event.
        square = squares[bucket.values[row], bucket.values["source"]]
        square.watermark, square.behind = _read_figure(bucket.watermark) or 0, bucket.doc_count
    return squares


def _find_late_places(server: SearchServer, choice: Choice) -> list[dict[str, Any]]:
    """Return the places that are furthest behind, the worst one first."""
    request = {
        "size": _REASONS_AT_MOST,
        "query": _query_watermarks(choice, _IS_BEHIND),
        "_source": ["account", "region", *_OF_A_PLACE],
        "sort": ["watermark", "account", "region"],
    }
    return [hit.source for hit in read_index(server, COVERAGE_INDEX).find(request, dict[str, Any])]


def _query_watermarks(choice: Choice, *further: dict[str, Any]) -> dict[str, Any]:
    wanted: list[dict[str, Any]] = [{"term": {"live_pattern": choice.pattern}}, *further]
    if choice.account != ALL_ACCOUNTS:
        wanted.append({"term": {"account": choice.account}})
    if choice.source is not None:
        wanted.append({"term": {"source": choice.source.value}})
    return {"bool": {"filter": wanted}}


def _read_figure(found: Aggregation | None) -> int | None:
    return None if found is None or found.value is None else round(found.value)


def to_milliseconds(time: datetime) -> int:
    """Return a time as the pages' scripts have it: milliseconds since 1970."""
    return round(time.timestamp() * 1000)


def join_names(known: Sequence[str], further: Iterable[str]) -> list[str]:
    """Return the names of the ledger's cells, then those that only watermarks have."""
    return [*known, *(name for name in further if name not in known)]
