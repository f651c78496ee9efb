"""Checks on a server after a load: every value under its documented name, and the same results in any order."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import orjson

from cloudtrail_elasticsearch.core.documents.events import Event, parse_line
from cloudtrail_elasticsearch.core.documents.explain import Found, locate
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import Schema, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader
from cloudtrail_elasticsearch.core.loading.report import LoadReport
from cloudtrail_elasticsearch.core.search.server import SearchServer

MOST_IDS: Final = 500
CHARTED: Final = (
    "eventName",
    "eventSource",
    "awsRegion",
    "userIdentity.type",
    "event.outcome",
    "errorCode",
    "user.name",
)


@dataclass(frozen=True)
class Index:
    """An index on a server, with the strategy under which events are loaded into it."""

    server: SearchServer
    name: str
    strategy: Strategy
    texts: bool = False
    """Whether its documents have the open objects as texts, too."""

    @cached_property
    def schema(self) -> Schema:
        """The schema of its mapping."""
        return build_schema(self.strategy, load_rules(), texts=self.texts)

    def load(self, lines: Iterable[bytes]) -> LoadReport:
        """Create the index and load the events."""
        loader = Loader(self.server, IndexPattern(self.name), self.schema)
        loader.prepare()
        report = loader.load(lines)
        loader.count(())
        return report

    def mapping(self) -> Any:
        """Return its mapping from the server."""
        return self.server.request("GET", f"/{self.name}/_mapping")[self.name]["mappings"]

    def delete(self) -> None:
        """Delete it."""
        self.server.request("DELETE", f"/{self.name}")

    def search(self, body: dict[str, Any]) -> Any:
        """Return the answer to a search."""
        return self.server.request("POST", f"/{self.name}/_search", orjson.dumps(body))


def find_unrestored_events(index: Index, lines: Iterable[bytes]) -> Iterator[str]:
    """Yield the ids of the events that are not restored exactly from their documents."""
    normalizer = Normalizer(index.schema)
    for line in lines:
        event = parse_line(line)
        assert isinstance(event, Event)
        document = normalizer.document(event)
        if restore(codec.decode(codec.encode(document.source))) != event.record:
            yield document.id


def find_hidden_values(index: Index, lines: Iterable[bytes]) -> Iterator[tuple[str, Found]]:
    """Yield every value, with its event's id, that no exact-value search under its documented name finds."""
    normalizer = Normalizer(index.schema)
    for line in lines:
        event = parse_line(line)
        assert isinstance(event, Event)
        document = normalizer.document(event)
        for missed in _missed(index, document.id, list(locate(document.source))):
            yield document.id, missed


def _missed(index: Index, identifier: str, found: Sequence[Found]) -> Iterator[Found]:
    """Search for all values of an event at once; if that finds nothing, search for halves of them."""
    if not found:
        return
    filters: list[dict[str, Any]] = [{"ids": {"values": [identifier]}}]
    filters += [{"term": {each.field: {"value": each.value}}} for each in found]
    answer = index.search({"size": 0, "query": {"bool": {"filter": filters}}})
    if answer["hits"]["total"]["value"] == 1:
        return
    if len(found) == 1:
        yield found[0]
        return
    middle = len(found) // 2
    yield from _missed(index, identifier, found[:middle])
    yield from _missed(index, identifier, found[middle:])


def make_searches(index: Index, lines: Sequence[bytes], count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return searches whose results are compared: values, charts and ranges of time."""
    draw = random.Random(seed)
    normalizer = Normalizer(index.schema)
    bodies: list[dict[str, Any]] = []
    for line in draw.sample(lines, min(count, len(lines))):
        event = parse_line(line)
        assert isinstance(event, Event)
        values = list(locate(normalizer.document(event).source))
        if values:
            one = draw.choice(values)
            bodies.append({"size": MOST_IDS, "query": {"term": {one.field: {"value": one.value}}}})
    for field in CHARTED:
        terms = {"field": field, "size": 10_000, "order": {"_key": "asc"}}
        bodies.append({"size": 0, "aggs": {"chart": {"terms": terms}}})
    for day in range(1, 21):
        between = {"gte": f"2026-11-{day:02d}", "lt": f"2026-11-{day + 1:02d}"}
        bodies.append({"size": 0, "query": {"range": {"@timestamp": between}}})
    return [{**body, "track_total_hits": True, "_source": False} for body in bodies]


def run_searches(index: Index, bodies: Iterable[dict[str, Any]]) -> list[Any]:
    """Return the results of the searches, in a form that is equal for equal results."""
    return [_comparable(index.search(body)) for body in bodies]


def _comparable(answer: dict[str, Any]) -> Any:
    total = answer["hits"]["total"]["value"]
    ids = sorted(hit["_id"] for hit in answer["hits"]["hits"]) if total <= MOST_IDS else None
    charts = {name: chart["buckets"] for name, chart in answer.get("aggregations", {}).items()}
    return total, ids, charts
