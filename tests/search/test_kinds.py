"""Kinds of record on the real servers: loaded, found and aggregated under their own names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.declared_fields import Kind, envelope_fields
from cloudtrail_elasticsearch.core.documents.explain import locate
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Schema
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.index.united_content import has_fields
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from tests.core.kinds import AGGREGATED, IDS, INSIGHT, KINDS

RULES = load_rules()
STATISTICS = "insightDetails.insightContext.statistics"
TIMES = ["2026-11-20T01:00Z", "2026-11-20T01:00+02:00", "2026-11-20T01:00:00.123456789Z", "2026-02-30T01:00Z"]
ODD: list[Any] = [
    *TIMES,
    None,
    "",
    "12.5",
    0,
    -0.0,
    5e-324,
    1.5e300,
    2**53 + 1,
    2**80,
    True,
    "2026",
    [],
    [[1], "x"],
    {},
]


@pytest.fixture
def server(search_url: str) -> Any:
    return connect(SearchSettings.from_url(search_url))


@pytest.fixture
def prefix(server: Any, unique_index_prefix: str) -> Iterator[str]:
    yield unique_index_prefix
    for name in server.request("GET", f"/{unique_index_prefix}*/_settings"):
        server.request("DELETE", f"/{name}")


@pytest.fixture(params=STRATEGIES)
def schema(request: pytest.FixtureRequest) -> Schema:
    return build_schema(request.param, RULES)


def load(server: Any, pattern: str, schema: Schema, records: list[dict[str, Any]]) -> Loader:
    """Load records, and check that each is indexed."""
    loader = Loader(server, IndexPattern(pattern), schema, LoadSettings(patience=2, longest_pause=0.1))
    loader.prepare()
    report = loader.load([codec.encode(record) for record in records])
    assert (report.indexed, report.quarantined) == (len(records), 0)
    loader.count(())
    return loader


def ask(server: Any, index: str, body: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = server.request("POST", f"/{index}/_search", codec.encode(body))
    return answer


def found(server: Any, index: str, query: dict[str, Any]) -> list[str]:
    """Return the ids of the documents that match a query."""
    hits = ask(server, index, {"query": query, "size": 100, "_source": False})["hits"]["hits"]
    return [hit["_id"] for hit in hits]


@pytest.mark.promise("findable")
def test_every_value_of_each_kind_is_found(server: Any, prefix: str, schema: Schema) -> None:
    """In the index of its own month, under the name that explain returns, and restored exactly."""
    load(server, f"{prefix}-%Y.%m", schema, list(KINDS.values()))
    months = {"aggregated": "2026.10", "insight": "2026.11", "network activity": "2026.11"}
    for kind, record in KINDS.items():
        index = f"{prefix}-{months[kind]}"
        (hit,) = ask(server, index, {"query": {"ids": {"values": [IDS[kind]]}}})["hits"]["hits"]
        assert restore(hit["_source"]) == record
        for place in locate(hit["_source"]):
            value = place.value if isinstance(place.value, str) else json.dumps(place.value)
            assert IDS[kind] in found(server, index, {"term": {place.field: value}}), place
        assert found(server, index, {"term": {"cloud.account.id": "123456789012"}})


def test_statistics_are_numbers_and_times_are_dates(server: Any, prefix: str, schema: Schema) -> None:
    """Sums, averages and ranges of CloudTrail's counts, and ranges of a window's times."""
    load(server, prefix, schema, list(KINDS.values()))
    counted = ask(
        server,
        prefix,
        {
            "size": 0,
            "aggs": {
                "calls": {"sum": {"field": "summary.primaryDimension.statistics.value"}},
                "average": {"avg": {"field": f"{STATISTICS}.insight.average"}},
            },
        },
    )["aggregations"]
    assert (counted["calls"]["value"], counted["average"]["value"]) == (412, 12.5)
    insight, aggregated = [IDS["insight"]], [IDS["aggregated"]]
    assert found(server, prefix, {"range": {f"{STATISTICS}.baseline.average": {"lt": 0.0001}}}) == insight
    assert found(server, prefix, {"range": {"timeWindow.windowEnd": {"gte": "2026-11-01"}}}) == aggregated
    assert found(server, prefix, {"range": {"@timestamp": {"lt": "2026-11-01"}}}) == aggregated
    assert found(server, prefix, {"term": {"event.kind": "metric"}}) == aggregated
    assert found(server, prefix, {"term": {"event.kind": "alert"}}) == insight


def test_odd_values_of_each_kind_are_loaded(server: Any, prefix: str, schema: Schema) -> None:
    """In place of any declared value, in one index; none is rejected, and each event is restored."""
    records = {record.get("eventID") or record["eventId"]: record for record in _odd_records()}
    load(server, prefix, schema, list(records.values()))
    hits = ask(server, prefix, {"size": 10_000, "query": {"match_all": {}}})["hits"]["hits"]
    assert {hit["_id"]: restore(hit["_source"]) for hit in hits} == records


def _odd_records() -> Iterator[dict[str, Any]]:
    """Yield records of each kind with one odd value in every place but the id's, each with its own id."""
    for count, (kind, path, value) in enumerate(
        (each, place, odd) for each in KINDS.values() for place in _places(each) for odd in ODD
    ):
        name = "eventId" if kind is AGGREGATED else "eventID"
        if path != (name,):
            yield _with(kind, path, value) | {name: f"40000000-0000-0000-0000-{count:012d}"}


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a record."""
    for step, child in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, step)
        if isinstance(child, dict | list):
            yield from _places(child, (*path, step))


def _with(record: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(record))
    target: Any = changed
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return changed


def test_an_object_that_is_not_an_event_stays_in_quarantine(server: Any, prefix: str, schema: Schema) -> None:
    """The presence check counts it there, and a replay leaves it there."""
    loader = load(server, prefix, schema, [INSIGHT])
    alien = codec.encode({"detail": INSIGHT, "of": prefix})
    report = loader.load([alien])
    assert (report.indexed, report.quarantined) == (0, 1)
    for _ in range(2):
        held = loader.count_held([alien, codec.encode(INSIGHT)])
        assert (held.indexed, held.quarantined) == (1, 1)
        assert loader.replay().quarantined == 1


def test_an_existing_index_gets_the_new_fields(server: Any, prefix: str, schema: Schema) -> None:
    """It indexes new events of these kinds, and keeps its documents."""
    index = f"{prefix}-2026.11"
    load(server, f"{prefix}-%Y.%m", schema, [INSIGHT])
    mapping = server.request("GET", f"/{index}/_mapping")[index]["mappings"]
    server.request("DELETE", f"/{index}")
    before = mapping | {"properties": _without_numbers(mapping["properties"])}
    before["_meta"] = mapping["_meta"] | {"fingerprint": "sha256-of-another-time"}
    for name in ("accountId", "eventId", "timeWindow", "summary"):
        del before["properties"][name]
    server.request("PUT", f"/{index}", codec.encode({"mappings": before}))
    window = AGGREGATED["timeWindow"] | {"windowStart": f"{date(2026, 11, 20)}T00:00:00Z"}
    load(server, f"{prefix}-%Y.%m", schema, [AGGREGATED | {"timeWindow": window}, INSIGHT])
    after = server.request("GET", f"/{index}/_mapping")[index]["mappings"]
    assert has_fields(after.pop("_meta"), mapping.pop("_meta"))
    assert after == mapping
    assert found(server, index, {"range": {f"{STATISTICS}.insight.average": {"gt": 12}}}) == [IDS["insight"]]
    assert found(server, index, {"term": {"accountId": "123456789012"}}) == [IDS["aggregated"]]


def _without_numbers(properties: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the properties without numbers, and without objects that have nothing else."""
    kept = {}
    for name, field in properties.items():
        path = f"{prefix}{name}"
        if (path, Kind.NUMBER) in envelope_fields():
            continue
        below = _without_numbers(field.get("properties", {}), f"{path}.")
        if below or "properties" not in field:
            kept[name] = field | ({"properties": below} if below else {})
    return kept
