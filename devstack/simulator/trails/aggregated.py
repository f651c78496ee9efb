"""Aggregated events: summaries of the data events of five minutes, by API and by resource.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/aggregating-data-events.html
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aggregated-events.html
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from devstack.simulator.draw import digest, uuid_text
from devstack.simulator.store import NEWEST, Entry, EventStore, Position, Record, Span
from devstack.simulator.values import iso_time

WINDOW: Final = 300
"""Seconds that an event summarizes."""

_MOST: Final = 10


@dataclass(frozen=True, slots=True)
class Aggregated:
    """An event store of aggregated events; the time of an event is the end of its window."""

    data: EventStore

    def regions(self) -> frozenset[str]:
        """Return the regions of the data events."""
        return self.data.regions()

    def count(self, span: Span) -> int:
        """Return how many events happen in a span."""
        return sum(1 for _ in self.newest_first(span))

    def newest_first(self, span: Span, before: Position = NEWEST) -> Iterator[Entry]:
        """Yield the events of a span before a position, from the latest to the earliest."""
        if not self.data.count(Span(span.account, span.region, span.start - WINDOW, span.end)):
            return
        for end in range(span.end // WINDOW * WINDOW, span.start - 1, -WINDOW):
            window = Span(span.account, span.region, end - WINDOW, end - 1)
            entries = sorted(self._entries(window), key=lambda entry: entry.id, reverse=True)
            yield from (entry for entry in entries if entry.position < before)

    def _entries(self, window: Span) -> Iterator[Entry]:
        by_name: defaultdict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
        for entry in self.data.newest_first(window):
            fields = entry.read().fields
            source, name, resource = fields["eventSource"], fields["eventName"], fields["resources"][0]["ARN"]
            by_name[source, "eventName", name][resource] += 1
            by_name[source, "resourceARN", resource][name] += 1
        for (source, dimension, name), others in by_name.items():
            other = "resourceARN" if dimension == "eventName" else "eventName"
            key = digest("aggregated", window.account, window.region, window.start, source, dimension, name)
            event_id = uuid_text(int.from_bytes(key, "big"))
            summary = _summary(dimension, name, other, others)
            fields = _fields(window, source, event_id, summary)
            yield Entry(window.end + 1, event_id, functools.partial(_record, fields))


def _fields(window: Span, source: str, event_id: str, summary: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "eventVersion": "1.0",
        "accountId": window.account,
        "eventId": event_id,
        "eventCategory": "Aggregated",
        "eventType": "AwsAggregatedEvent",
        "awsRegion": window.region,
        "eventSource": source,
        "timeWindow": {
            "windowStart": iso_time(window.start),
            "windowEnd": iso_time(window.end + 1),
            "windowSize": "PT5M",
        },
        "summary": summary,
    }


def _summary(dimension: str, name: str, other: str, others: Counter[str]) -> dict[str, Any]:
    return {
        "primaryDimension": _counts(dimension, [(name, others.total())]),
        "details": [_counts(other, others.most_common(_MOST))],
    }


def _counts(dimension: str, counted: list[tuple[str, int]]) -> dict[str, Any]:
    statistics = [{"name": name, "value": value} for name, value in counted]
    return {"dimension": dimension, "statistics": statistics, "aggregationType": "Count"}


def _record(fields: Mapping[str, Any]) -> Record:
    return Record(fields, orjson.dumps(fields).decode())
