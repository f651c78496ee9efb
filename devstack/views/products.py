"""The saved objects of either product, as newline-delimited JSON for its import.

The two products were one once, so their objects are alike. They differ in the field with an object's version, and
in the names of a dashboard's references. Kibana rejects attributes that it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from devstack.views.charts import vis_state
from devstack.views.definitions import EVERYTHING, SEARCHES, TIME, Chart, Search
from devstack.views.panels import PANELS, Panel

DATA_VIEW: Final = "cloudtrail-events"
DASHBOARD: Final = "cloudtrail-dashboard"
REFRESH_EVERY: Final = 60_000
"""Milliseconds after which an open dashboard loads its data again: live runs bring events every few minutes."""

_SOURCE: Final = "kibanaSavedObjectMeta.searchSourceJSON.index"
_TO_DATA_VIEW: Final = {"name": _SOURCE, "type": "index-pattern", "id": DATA_VIEW}
_AXES_LOOK: Final = {
    "detailedTooltip": True,
    "legendSize": "auto",
    "palette": {"type": "palette", "name": "default"},
}
_KIBANAS_LOOK: Final[dict[str, dict[str, Any]]] = {
    "histogram": _AXES_LOOK,
    "horizontal_bar": _AXES_LOOK,
    "table": {"showToolbar": True},
}
"""What Kibana has added to how a chart is drawn since the two parted."""


@dataclass(frozen=True, slots=True)
class Product:
    """The differences of one product."""

    name: Literal["Kibana", "OpenSearch Dashboards"]
    file: str
    header: str
    """The prefix of its own HTTP headers."""
    versions: dict[str, str]
    """The version of each type's form, from which the product brings an object up to its own."""

    def stamp(self, kind: str) -> dict[str, Any]:
        """Return the version fields of an object of this type."""
        if self is KIBANA:
            return {"coreMigrationVersion": "8.8.0", "typeMigrationVersion": self.versions[kind]}
        return {"migrationVersion": {kind: self.versions[kind]}}


KIBANA: Final = Product(
    "Kibana",
    "kibana-9.ndjson",
    "kbn",
    {"index-pattern": "8.0.0", "search": "8.0.0", "visualization": "8.5.0", "dashboard": "8.9.0"},
)
DASHBOARDS: Final = Product(
    "OpenSearch Dashboards",
    "opensearch-dashboards-3.ndjson",
    "osd",
    {"index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0", "dashboard": "7.9.3"},
)
PRODUCTS: Final = (KIBANA, DASHBOARDS)


def ndjson(product: Product, pattern: IndexPattern) -> bytes:
    """Return a product's file, for the indices of a pattern. An object comes after those that it refers to."""
    return b"".join(_text(each).encode() + b"\n" for each in saved_objects(product, pattern))


def saved_objects(product: Product, pattern: IndexPattern) -> Iterator[dict[str, Any]]:
    """Yield all of a product's objects."""
    yield _object(product, "index-pattern", DATA_VIEW, _data_view(product, pattern), [])
    for search in SEARCHES:
        yield _object(product, "search", search.id, _search(search), [_TO_DATA_VIEW])
    for panel in PANELS:
        if isinstance(panel.view, Chart):
            attributes = _visualization(product, panel.view)
            yield _object(product, "visualization", panel.view.id, attributes, [_TO_DATA_VIEW])
    yield _object(product, "dashboard", DASHBOARD, _dashboard(product), list(_panel_references(product)))


def _object(
    product: Product, kind: str, identifier: str, attributes: dict[str, Any], references: list[dict[str, str]]
) -> dict[str, Any]:
    return {
        "type": kind,
        "id": identifier,
        "attributes": attributes,
        "references": references,
        **product.stamp(kind),
    }


def _data_view(product: Product, pattern: IndexPattern) -> dict[str, Any]:
    named = {"name": "CloudTrail events"} if product is KIBANA else {}
    return {"title": ",".join(pattern.matches), "timeFieldName": TIME, **named}


def _search(search: Search) -> dict[str, Any]:
    return {
        "title": search.title,
        "description": search.description,
        "columns": list(search.columns),
        "sort": [[TIME, "desc"]],
        "kibanaSavedObjectMeta": _source(search.query, indexRefName=_SOURCE, highlightAll=True, version=True),
    }


def _visualization(product: Product, chart: Chart) -> dict[str, Any]:
    state = vis_state(chart)
    if product is KIBANA:
        state["params"] = state["params"] | _KIBANAS_LOOK.get(state["type"], {})
    return {
        "title": chart.title,
        "description": "",
        "uiStateJSON": "{}",
        "version": 1,
        "visState": _text(state),
        "kibanaSavedObjectMeta": _source(chart.query, indexRefName=_SOURCE),
    }


def _dashboard(product: Product) -> dict[str, Any]:
    return {
        "title": "CloudTrail",
        "description": "Activity by service, region and caller, errors, sign-ins, root use, credentials, groups.",
        "hits": 0,
        "version": 1,
        "timeRestore": True,
        "timeFrom": "now-7d",
        "timeTo": "now",
        "refreshInterval": {"pause": False, "value": REFRESH_EVERY},
        "optionsJSON": _text({"hidePanelTitles": False, "useMargins": True}),
        "panelsJSON": _text([_panel(product, panel) for panel in PANELS]),
        "kibanaSavedObjectMeta": _source(EVERYTHING),
    }


def _panel(product: Product, panel: Panel) -> dict[str, Any]:
    index = panel.view.id
    placed: dict[str, Any] = {
        "version": product.versions["dashboard"],
        "panelIndex": index,
        "panelRefName": f"panel_{index}",
        "gridData": {"x": panel.x, "y": panel.y, "w": panel.width, "h": panel.height, "i": index},
        "embeddableConfig": {},
    }
    return placed | {"type": _kind(panel)} if product is KIBANA else placed


def _panel_references(product: Product) -> Iterator[dict[str, str]]:
    for panel in PANELS:
        prefix = f"{panel.view.id}:" if product is KIBANA else ""
        yield {"name": f"{prefix}panel_{panel.view.id}", "type": _kind(panel), "id": panel.view.id}


def _kind(panel: Panel) -> str:
    return "visualization" if isinstance(panel.view, Chart) else "search"


def _source(query: str, **others: Any) -> dict[str, str]:
    content = {"query": {"query": query, "language": "lucene"}, "filter": [], **others}
    return {"searchSourceJSON": _text(content)}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
