"""The map on real servers: with enrichment it has the places of the events, without it is empty."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.enrichment.databases import Databases
from cloudtrail_elasticsearch.core.enrichment.enrichment import Enrichment
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.views.products import DASHBOARDS, KIBANA, ndjson
from devstack.views.searches import make_search, parse_objects
from tests.core.ip_databases import CITIES, write_database
from tests.core.test_fast_path import EVENT

MAP = "cloudtrail-chart-places"
ADDRESSES = ["203.0.113.9", "203.0.113.200", "2001:db8::1", "10.0.0.1", "cloudformation.amazonaws.com"]
TIMES = ("2000-01-01T00:00:00Z", "2030-01-01T00:00:00Z", {"calendar_interval": "1M"})


def ask(url: str, index: str, strategy: Strategy, enrichment: Enrichment | None) -> dict[str, Any]:
    """Load the events, and return the answer to the product's search for the map."""
    server = connect(SearchSettings.from_url(url))
    schema = replace(build_schema(strategy, load_rules()), enrichment=enrichment)
    loader = Loader(server, IndexPattern(index), schema)
    loader.prepare()
    lines = [
        codec.encode(EVENT | {"eventID": f"90000000-0000-0000-0000-{number:012}", "sourceIPAddress": address})
        for number, address in enumerate(ADDRESSES)
    ]
    assert loader.load(lines).indexed == len(lines)
    server.request("POST", f"/{index}/_refresh")
    product = KIBANA if server.engine == "elasticsearch" else DASHBOARDS
    body = make_search(parse_objects(ndjson(product, IndexPattern(index)))[MAP], *TIMES)
    answer: dict[str, Any] = server.request("POST", f"/{index}/_search", codec.encode(body))
    server.request("DELETE", f"/{index}")
    assert answer["hits"]["total"]["value"] == len(lines)
    assert answer["_shards"]["failed"] == 0
    return answer


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_map_has_a_circle_for_each_place(
    search_url: str, unique_index_prefix: str, tmp_path: Path, strategy: Strategy
) -> None:
    """A circle has the number of its events. Addresses without a place have no circle."""
    city = write_database(tmp_path / "city.mmdb", CITIES)
    answer = ask(search_url, unique_index_prefix, strategy, Enrichment(Databases([city])))
    circles = {
        (round(each["middle"]["location"]["lat"], 2), round(each["middle"]["location"]["lon"], 2)): each[
            "doc_count"
        ]
        for each in answer["aggregations"]["buckets"]["buckets"]
    }
    assert circles == {(48.85, 2.35): 2, (-12.05, -77.04): 1}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_map_is_empty_without_enrichment(
    search_url: str, unique_index_prefix: str, strategy: Strategy
) -> None:
    """The server reports no error."""
    assert ask(search_url, unique_index_prefix, strategy, None)["aggregations"]["buckets"]["buckets"] == []
