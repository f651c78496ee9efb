"""The files of saved objects: complete, of the form that each product takes, and of fields that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatch
from itertools import combinations
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.mapping import DEFAULT_INDEX, OWN_INDICES, Engine, IndexPattern, event_mappings
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.shape import STRATEGIES, Strategy, build
from devstack.views.__main__ import FOLDER
from devstack.views.definitions import PANELS
from devstack.views.products import DATA_VIEW, KIBANA, PRODUCTS, Product, ndjson

from .asked import parsed

PATTERN = IndexPattern(DEFAULT_INDEX)

# What the schemas of Kibana 9.2 allow; it refuses an object with anything else.
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
    return parsed((FOLDER / product.file).read_bytes())


@each_product
def test_the_shipped_file_is_what_the_definitions_make(product: Product) -> None:
    """Else `make view-files` was forgotten."""
    assert (FOLDER / product.file).read_bytes() == ndjson(product, PATTERN)


@each_product
def test_everything_referred_to_is_there_before(product: Product) -> None:
    """By type and id, each id once, so that one import takes all of it."""
    seen: set[tuple[str, str]] = set()
    for line in (FOLDER / product.file).read_text().splitlines():
        saved = json.loads(line)
        assert {(each["type"], each["id"]) for each in saved["references"]} <= seen
        assert (saved["type"], saved["id"]) not in seen
        seen.add((saved["type"], saved["id"]))
    assert {kind for kind, _ in seen} == {"index-pattern", "search", "visualization", "dashboard"}


@each_product
def test_references_are_found_by_their_names(product: Product) -> None:
    """A view finds its data view, and a panel its view, by the name under which the product looks."""
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
def test_each_object_says_which_version_it_is_of(product: Product) -> None:
    """From a version that the product can bring up to its own."""
    for saved in objects(product).values():
        if product is KIBANA:
            assert saved["coreMigrationVersion"] == "8.8.0"
            assert saved["typeMigrationVersion"].startswith("8.")
        else:
            assert saved["migrationVersion"][saved["type"]].startswith("7.")


def test_kibana_knows_every_attribute() -> None:
    """It refuses an import with any that it does not know."""
    for saved in objects(KIBANA).values():
        assert saved["attributes"].keys() <= KIBANAS_ATTRIBUTES[saved["type"]]


@each_product
@pytest.mark.parametrize("engine", ["elasticsearch", "opensearch"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_field_is_mapped(product: Product, engine: Engine, strategy: Strategy) -> None:
    """What is charted is a keyword or a date; what is listed or searched is that, or stands in a flat field."""
    properties = event_mappings(build(strategy, load_rules(), ecs=False), engine)["properties"]
    charted, listed = set(), set()
    for saved in objects(product).values():
        charted |= set(_charted(saved["attributes"]))
        listed |= set(_listed(saved["attributes"]))
    assert {"@timestamp", "eventSource", "errorCode"} <= charted
    assert {"responseElements.ConsoleLogin", "userIdentity.invokedBy", "eventType", "userAgent"} <= listed
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
    """A field's type; for a path inside a flat field, that field's."""
    name, _, rest = path.partition(".")
    field = properties.get(name)
    if field is None or not rest or "properties" not in field:
        return None if field is None else field.get("type")
    return _type(field["properties"], rest)


def test_the_data_view_is_of_events_alone() -> None:
    """Its title matches every index of the default pattern, and none that the loader keeps for itself."""
    title = objects(KIBANA)[DATA_VIEW]["attributes"]["title"].split(",")
    events = [PATTERN.name(datetime(2026, 11, 20, tzinfo=UTC)), PATTERN.name(None)]
    assert [name for name in (*events, *OWN_INDICES) if any(fnmatch(name, each) for each in title)] == events


def test_panels_do_not_overlap() -> None:
    """Each stands within the dashboard's 48 columns, on room of its own."""
    assert all(panel.x >= 0 and panel.x + panel.width <= 48 for panel in PANELS)
    for one, other in combinations(PANELS, 2):
        beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        below = one.y + one.height <= other.y or other.y + other.height <= one.y
        assert beside or below
