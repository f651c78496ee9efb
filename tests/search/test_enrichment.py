"""Enrichment on the real servers: searches, repeated loads, replaced databases and existing indices. ADR-0030"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.events import Event, document_id
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import Schema
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.enrichment.databases import CHECK_SECONDS, Databases
from cloudtrail_elasticsearch.core.enrichment.enrichment import Enrichment
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from tests.core.ip_databases import CITIES, EXAMPLE_NET, LIMA, NETWORKS, PARIS, write_database
from tests.core.test_enrichment import AGENTS, AWS_CLI, CHROME, Clock
from tests.core.test_fast_path import EVENT
from tests.search.test_load import index, server
from tests.search.test_load import search as search_index

__all__ = ["index", "server"]

PLAIN = build_schema("flattened", load_rules())
QUICK = LoadSettings(patience=10, longest_pause=0.1)
NAMES = {"123456789012": "audit"}


def make_events(addresses: list[str], agent: str = AWS_CLI) -> list[dict[str, Any]]:
    return [
        EVENT
        | {
            "eventID": f"86f3858e-4df0-4e40-9f05-{number:012}",
            "sourceIPAddress": address,
            "userAgent": agent if number % 2 else CHROME,
        }
        for number, address in enumerate(addresses)
    ]


EVENTS = make_events(
    ["203.0.113.9", "203.0.113.200", "2001:db8::1", "10.0.0.1", "cloudformation.amazonaws.com", "198.51.100.7"]
)


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return write_database(tmp_path / "city.mmdb", CITIES)


@pytest.fixture
def schema(city: Path, tmp_path: Path) -> Schema:
    asn = write_database(tmp_path / "asn.mmdb", NETWORKS, "GeoLite2-ASN")
    return replace(PLAIN, enrichment=Enrichment(Databases([city, asn]), AGENTS, NAMES))


def located(file: Path, records: Mapping[str, Any], clock: Clock | None = None) -> Schema:
    databases = Databases([write_database(file, records)], *([clock] if clock else []))
    return replace(PLAIN, enrichment=Enrichment(databases))


def load(server: Any, index: str, schema: Schema, events: list[dict[str, Any]], **settings: Any) -> None:
    loader = Loader(server, IndexPattern(index), schema, replace(QUICK, **settings))
    loader.prepare()
    report = loader.load(map(codec.encode, events))
    assert (report.indexed + report.duplicates, report.quarantined) == (len(events), 0)
    server.request("POST", f"/{index}/_refresh")


def stored(server: Any, index: str) -> dict[str, dict[str, Any]]:
    hits = search_index(server, index, {"match_all": {}}, size=2_000)["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}


def count(server: Any, index: str, query: dict[str, Any]) -> int:
    found: int = search_index(server, index, query)["total"]["value"]
    return found


@pytest.mark.promise("reversible")
def test_fields_of_enrichment_are_found(server: Any, index: str, schema: Schema) -> None:
    """By exact value, number, distance and area; and each document restores its event."""
    load(server, index, schema, EVENTS)

    def exact(field: str, value: Any) -> int:
        return count(server, index, {"term": {field: value}})

    assert exact("source.geo.city_name", "Paris") == 2
    assert exact("source.geo.country_iso_code", "PE") == 1
    assert exact("source.geo.region_iso_code", "FR-75") == 2
    assert exact("source.geo.continent_name", "Europe") == 2
    assert exact("source.as.number", 64_496) == 2
    assert exact("source.as.organization.name", "Example Net") == 2
    assert count(server, index, {"range": {"source.as.number": {"gte": 64_496, "lte": 64_511}}}) == 2
    assert exact("user_agent.name", "aws-cli") == exact("user_agent.name", "Chrome") == 3
    assert exact("user_agent.version", "2.17.32") == exact("user_agent.os.full", "Windows 10") == 3
    assert exact("user_agent.original", AWS_CLI) == 3
    assert exact("cloud.account.name", "audit") == 6
    distance = {"distance": "10km", "source.geo.location": {"lat": 48.86, "lon": 2.35}}
    assert count(server, index, {"geo_distance": distance}) == 2
    south = {"top_left": {"lat": 0, "lon": -90}, "bottom_right": {"lat": -60, "lon": -60}}
    assert count(server, index, {"geo_bounding_box": {"source.geo.location": south}}) == 1
    assert count(server, index, {"exists": {"field": "source.geo.location"}}) == 3
    found = stored(server, index)
    assert {name: restore(source) for name, source in found.items()} == {each["eventID"]: each for each in EVENTS}


def test_a_map_and_a_chart_can_be_made(server: Any, index: str, schema: Schema) -> None:
    """The fields are aggregated like those of any integration."""
    load(server, index, schema, EVENTS)
    body = {
        "size": 0,
        "aggs": {
            "map": {"geotile_grid": {"field": "source.geo.location", "precision": 6}},
            "networks": {"terms": {"field": "source.as.organization.name"}},
        },
    }
    found = server.request("POST", f"/{index}/_search", codec.encode(body))["aggregations"]
    assert sorted(bucket["doc_count"] for bucket in found["map"]["buckets"]) == [1, 2]
    assert [(bucket["key"], bucket["doc_count"]) for bucket in found["networks"]["buckets"]] == [
        ("Example Net", 2)
    ]


@pytest.mark.promise("no-duplicates")
def test_a_repeated_load_keeps_the_enrichment_and_its_time(server: Any, index: str, tmp_path: Path) -> None:
    """With new data in the database, or none: detection rules by the time of sending do not fire again."""
    first = located(tmp_path / "1.mmdb", {"203.0.113.0/24": PARIS, "2001:db8::/32": LIMA})
    load(server, index, first, EVENTS)
    before = stored(server, index)
    load(server, index, located(tmp_path / "2.mmdb", {"203.0.113.0/24": LIMA, "2001:db8::/32": PARIS}), EVENTS)
    assert stored(server, index) == before
    load(server, index, PLAIN, EVENTS)
    assert stored(server, index) == before


def test_a_forced_load_renews_the_enrichment(server: Any, index: str, tmp_path: Path) -> None:
    """Only documents that differ get a new time."""
    load(server, index, located(tmp_path / "1.mmdb", {"203.0.113.0/24": LIMA, "2001:db8::/32": LIMA}), EVENTS)
    before = stored(server, index)
    time.sleep(0.002)
    load(server, index, located(tmp_path / "2.mmdb", CITIES), EVENTS, renews_enrichment=True)
    after = stored(server, index)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {EVENTS[0]["eventID"], EVENTS[1]["eventID"]}
    for name in changed:
        assert after[name]["source"]["geo"]["city_name"] == "Paris"
        assert after[name]["event"]["ingested"] > before[name]["event"]["ingested"]


def test_enrichment_that_is_turned_on_later_applies_to_loaded_events(
    server: Any, index: str, schema: Schema
) -> None:
    """Their days are loaded again. Documents that get nothing new stay as they are."""
    bare = make_events(["203.0.113.9", "cloudformation.amazonaws.com"], agent="console.amazonaws.com")
    load(server, index, PLAIN, bare)
    before = stored(server, index)
    assert schema.enrichment is not None
    load(server, index, replace(PLAIN, enrichment=replace(schema.enrichment, account_names={})), bare)
    after = stored(server, index)
    located, service = bare[0]["eventID"], bare[1]["eventID"]
    assert after[located]["source"]["geo"]["city_name"] == "Paris"
    assert after[service] == before[service]


def test_a_database_is_replaced_during_a_load(server: Any, index: str, tmp_path: Path) -> None:
    """The events after it have the new places; the others, and their order, do not matter."""
    clock = Clock()
    file = tmp_path / "city.mmdb"
    schema = located(file, {"203.0.113.0/24": PARIS}, clock)
    events = make_events(["203.0.113.9"] * 400)

    def lines() -> Any:
        for number, event in enumerate(events):
            if number == 200:
                write_database(file, {"203.0.113.0/24": LIMA})
                clock.now += CHECK_SECONDS
            yield codec.encode(event)

    loader = Loader(server, IndexPattern(index), schema, replace(QUICK, request_items=50))
    loader.prepare()
    report = loader.load(lines())
    assert (report.indexed, report.quarantined) == (400, 0)
    server.request("POST", f"/{index}/_refresh")
    found = stored(server, index)
    cities = [found[event["eventID"]]["source"]["geo"]["city_name"] for event in events]
    assert cities == ["Paris"] * 200 + ["Lima"] * 200


@pytest.mark.promise("nothing-lost")
def test_an_index_of_somebody_else_can_reject_the_fields(server: Any, index: str, schema: Schema) -> None:
    """It has another type there: such a field is left out, and no event goes to the quarantine."""
    properties = {
        "source": {"properties": {"geo": {"type": "keyword"}, "as": {"properties": {"number": {"type": "ip"}}}}},
        "user_agent": {"type": "keyword"},
    }
    server.request("PUT", f"/{index}", codec.encode({"mappings": {"properties": properties}}))
    load(server, index, schema, EVENTS)
    found = stored(server, index)
    assert {name: restore(source) for name, source in found.items()} == {each["eventID"]: each for each in EVENTS}
    assert found[EVENTS[0]["eventID"]]["source"] == {
        "ip": "203.0.113.9",
        "as": {"organization": {"name": EXAMPLE_NET["autonomous_system_organization"]}},
    }
    assert count(server, index, {"term": {"cloud.account.name": "audit"}}) == len(EVENTS)


@pytest.mark.promise("reversible")
def test_recorded_events_are_restored_from_enriched_documents(
    server: Any, index: str, schema: Schema, recorded_events: list[dict[str, Any]]
) -> None:
    """Each of them, with an address that has a place."""
    events = [
        event | {"sourceIPAddress": f"203.0.113.{number % 256}"} if "sourceIPAddress" in event else event
        for number, event in enumerate(recorded_events)
    ]
    by_id = {document_id(Event(event, {})): event for event in events}
    load(server, index, schema, list(by_id.values()))
    found = stored(server, index)
    assert {name: restore(source) for name, source in found.items()} == by_id
    assert sum("geo" in source.get("source", {}) for source in found.values()) > len(found) / 2
