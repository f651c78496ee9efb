"""What is asked of a server after a load: every value at its documented name, and the same in any order."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import orjson

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.events import Event, parse_line
from cloudtrail_elasticsearch.core.explain import Found, locate
from cloudtrail_elasticsearch.core.index_setup import SearchServer
from cloudtrail_elasticsearch.core.load import Loader, LoadReport
from cloudtrail_elasticsearch.core.mapping import IndexPattern
from cloudtrail_elasticsearch.core.normalize import Normalizer, restore
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.shape import Shape, Strategy, build

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
    """An index on a server that lines are loaded into, under a strategy."""

    server: SearchServer
    name: str
    strategy: Strategy

    @cached_property
    def shape(self) -> Shape:
        """What is declared in it."""
        return build(self.strategy, load_rules())

    def load(self, lines: Iterable[bytes]) -> LoadReport:
        """Make it and fill it."""
        loader = Loader(self.server, IndexPattern(self.name), self.shape)
        loader.prepare()
        report = loader.load(lines)
        loader.count(())
        return report

    def mapping(self) -> Any:
        """Return its mapping, as the server has it."""
        return self.server.request("GET", f"/{self.name}/_mapping")[self.name]["mappings"]

    def delete(self) -> None:
        """Remove it."""
        self.server.request("DELETE", f"/{self.name}")

    def search(self, body: dict[str, Any]) -> Any:
        """Return a search's answer."""
        return self.server.request("POST", f"/{self.name}/_search", orjson.dumps(body))


def not_restored(index: Index, lines: Iterable[bytes]) -> Iterator[str]:
    """Yield the ids of the events that do not come back from their documents as they were."""
    normalizer = Normalizer(index.shape)
    for line in lines:
        event = parse_line(line)
        assert isinstance(event, Event)
        document = normalizer.document(event)
        if restore(codec.decode(codec.encode(document.source))) != event.record:
            yield document.id


def not_found(index: Index, lines: Iterable[bytes]) -> Iterator[tuple[str, Found]]:
    """Yield every value, with its event's id, that an exact-value search at its documented name does not find."""
    normalizer = Normalizer(index.shape)
    for line in lines:
        event = parse_line(line)
        assert isinstance(event, Event)
        document = normalizer.document(event)
        for missed in _missed(index, document.id, list(locate(document.source))):
            yield document.id, missed


def _missed(index: Index, identifier: str, found: Sequence[Found]) -> Iterator[Found]:
    """Search for all of an event's values at once, and for halves of them where that finds nothing."""
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


def searches(index: Index, lines: Sequence[bytes], count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return searches whose answers are held against one another: values, charts and ranges of time."""
    draw = random.Random(seed)
    normalizer = Normalizer(index.shape)
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


def answers(index: Index, bodies: Iterable[dict[str, Any]]) -> list[Any]:
    """Return what the searches give, in a form that is the same where the results are."""
    return [_comparable(index.search(body)) for body in bodies]


def _comparable(answer: dict[str, Any]) -> Any:
    total = answer["hits"]["total"]["value"]
    ids = sorted(hit["_id"] for hit in answer["hits"]["hits"]) if total <= MOST_IDS else None
    charts = {name: chart["buckets"] for name, chart in answer.get("aggregations", {}).items()}
    return total, ids, charts
