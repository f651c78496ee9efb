"""The files of saved objects: complete, valid for each product, and with existing fields."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatch
from itertools import combinations
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.index.event_template import make_event_mappings
from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX, OWN_INDICES, IndexPattern
from cloudtrail_elasticsearch.core.search.server import Engine
from devstack.views.__main__ import FOLDER
from devstack.views.panels import PANELS
from devstack.views.products import DATA_VIEW, KIBANA, PRODUCTS, Product, ndjson
from devstack.views.searches import parse_objects

PATTERN = IndexPattern(DEFAULT_INDEX)

# The attributes in the schemas of Kibana 9.2, which rejects an object with any other.
KIBANAS_ATTRIBUTES = {
    "index-pattern": {"title", "name", "timeFieldName"},
    "search": {"title", "description", "columns", "sort", "kibanaSavedObjectMeta"},
    "visualization": {"title", "description", "version", "kibanaSavedObjectMeta", "uiStateJSON", "visState"},
    "dashboard": {
        "title", "description", "kibanaSavedObjectMeta", "timeRestore", "timeFrom", "timeTo", "refreshInterval",
        "panelsJSON", "optionsJSON", "hits", "version",
    },
}  # fmt: skip

each_product = pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.header)


def objects(product: Product) -> dict[str, dict[str, Any]]:
    return parse_objects((FOLDER / product.file).read_bytes())


@each_product
def test_the_shipped_file_is_made_from_the_definitions(product: Product) -> None:
    """If this fails, run `make view-files`."""
    assert (FOLDER / product.file).read_bytes() == ndjson(product, PATTERN)


@each_product
def test_references_are_to_earlier_objects(product: Product) -> None:
    """By type and id, each id once, so that one import accepts the whole file."""
    seen: set[tuple[str, str]] = set()
    for line in (FOLDER / product.file).read_text().splitlines():
        saved = json.loads(line)
        assert {(each["type"], each["id"]) for each in saved["references"]} <= seen
        assert (saved["type"], saved["id"]) not in seen
        seen.add((saved["type"], saved["id"]))
    assert {kind for kind, _ in seen} == {"index-pattern", "search", "visualization", "dashboard"}


@each_product
def test_references_are_found_by_their_names(product: Product) -> None:
    """A view finds its data view, and a panel its view, under the name that the product expects."""
    for saved in objects(product).values():
        named = {each["name"]: each["id"] for each in saved["references"]}
        if saved["type"] in {"search", "visualization"}:
            source = json.loads(saved["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
            assert named == {source["indexRefName"]: DATA_VIEW}
        if saved["type"] == "dashboard":
            panels = json.loads(saved["attributes"]["panelsJSON"])
            prefix = "{}:" if product is KIBANA else ""
            names = [prefix.format(panel["panelIndex"]) + panel["panelRefName"] for panel in panels]
            assert [named[name] for name in names] == [panel.view.id for panel in PANELS]
            assert len(named) == len(panels)


@each_product
def test_each_object_has_a_version(product: Product) -> None:
    """One that the product can upgrade to its own."""
    for saved in objects(product).values():
        if product is KIBANA:
            assert saved["coreMigrationVersion"] == "8.8.0"
            assert saved["typeMigrationVersion"].startswith("8.")
        else:
            assert saved["migrationVersion"][saved["type"]].startswith("7.")


@each_product
def test_the_dashboard_refreshes_by_itself(product: Product) -> None:
    """Every minute, not paused, and up to now. Both products restore the interval only with the range of time."""
    (dashboard,) = (saved["attributes"] for saved in objects(product).values() if saved["type"] == "dashboard")
    assert dashboard["timeRestore"] is True
    assert dashboard["timeTo"] == "now"
    assert dashboard["refreshInterval"] == {"pause": False, "value": 60_000}


def test_kibana_knows_every_attribute() -> None:
    """It rejects an import with any unknown attribute."""
    for saved in objects(KIBANA).values():
        assert saved["attributes"].keys() <= KIBANAS_ATTRIBUTES[saved["type"]]


@each_product
@pytest.mark.parametrize("engine", ["elasticsearch", "opensearch"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_field_is_mapped(product: Product, engine: Engine, strategy: Strategy) -> None:
    """A charted field is a keyword or a date. A listed or searched one is too, or it is in a flat field.

    Only the map's field is an ECS field; it exists even if enrichment is off.
    """
    mappings = make_event_mappings(build_schema(strategy, load_rules()), engine)
    assert _type(mappings["properties"], "source.geo.location") == "geo_point"
    properties = make_event_mappings(build_schema(strategy, load_rules(), ecs=False), engine)["properties"]
    charted, listed = set(), set()
    for saved in objects(product).values():
        charted |= set(_charted(saved["attributes"]))
        listed |= set(_listed(saved["attributes"]))
    assert {"@timestamp", "eventSource", "errorCode"} <= charted
    assert {"responseElements.ConsoleLogin", "userIdentity.invokedBy", "eventType", "userAgent"} <= listed
    charted.remove("source.geo.location")
    assert {field for field in charted if _type(properties, field) not in {"keyword", "date"}} == set()
    assert {field for field in listed if _type(properties, field) is None} == set()


def _charted(attributes: dict[str, Any]) -> Iterator[str]:
    yield attributes.get("timeFieldName", "@timestamp")
    for each in json.loads(attributes.get("visState", "{}")).get("aggs", []):
        if "field" in each["params"]:
            yield each["params"]["field"]


def _listed(attributes: dict[str, Any]) -> Iterator[str]:
    yield from attributes.get("columns", [])
    for query in _queries(attributes):
        yield from (exists or field for exists, field in re.findall(r"_exists_:([\w.]+)|([\w.]+):", query))


def _queries(attributes: dict[str, Any]) -> Iterator[str]:
    source = json.loads(attributes.get("kibanaSavedObjectMeta", {}).get("searchSourceJSON", "{}"))
    yield source.get("query", {}).get("query", "")
    for each in json.loads(attributes.get("visState", "{}")).get("aggs", []):
        yield from (one["input"]["query"] for one in each["params"].get("filters", []))


def _type(properties: dict[str, Any], path: str) -> str | None:
    """Return a field's type; for a path inside a flat field, that field's."""
    name, _, rest = path.partition(".")
    field = properties.get(name)
    if field is None or not rest or "properties" not in field:
        return None if field is None else field.get("type")
    return _type(field["properties"], rest)


def test_the_data_view_has_only_events() -> None:
    """Its title matches every index of the default pattern, and none of the loader's own."""
    title = objects(KIBANA)[DATA_VIEW]["attributes"]["title"].split(",")
    events = [PATTERN.name(datetime(2026, 11, 20, tzinfo=UTC)), PATTERN.name(None)]
    assert [name for name in (*events, *OWN_INDICES) if any(fnmatch(name, each) for each in title)] == events


def test_panels_do_not_overlap() -> None:
    """Each is within the dashboard's 48 columns."""
    assert all(panel.x >= 0 and panel.x + panel.width <= 48 for panel in PANELS)
    for one, other in combinations(PANELS, 2):
        beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        below = one.y + one.height <= other.y or other.y + other.height <= one.y
        assert beside or below
