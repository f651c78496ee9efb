"""The state of a chart as both products store it: its kind, its appearance and its aggregations.

https://github.com/elastic/kibana/tree/main/src/platform/plugins/private/vis_types
https://github.com/opensearch-project/OpenSearch-Dashboards/tree/main/src/plugins/vis_type_vislib
"""

from __future__ import annotations

from typing import Any, Final

from devstack.views.definitions import TIME, Bucket, Chart, Filters, OverTime, Places, Terms

COUNT: Final = "1"
"""The id of the aggregation that counts, by which buckets are ordered."""

_TYPES: Final = {
    "numbers": "metric",
    "columns": "histogram",
    "bars": "horizontal_bar",
    "table": "table",
    "map": "tile_map",
}
_SCHEMAS: Final = {
    "numbers": ("group",),
    "columns": ("segment", "group"),
    "bars": ("segment",),
    "table": ("bucket", "bucket", "bucket"),
    "map": ("segment",),
}


def vis_state(chart: Chart) -> dict[str, Any]:
    """Return the value of ``visState`` of an object of type ``visualization``."""
    schemas = _SCHEMAS[chart.kind][: len(chart.buckets)]
    buckets = zip(chart.buckets, schemas, strict=True)
    return {
        "title": chart.title,
        "type": _TYPES[chart.kind],
        "params": _params(chart.kind),
        "aggs": [
            _aggregation(COUNT, "metric", "count", {"customLabel": "Events"}),
            *(
                _aggregation(str(number), schema, *_bucket(each))
                for number, (each, schema) in enumerate(buckets, 2)
            ),
        ],
    }


def _aggregation(identifier: str, schema: str, name: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"id": identifier, "enabled": True, "type": name, "schema": schema, "params": params}


def _bucket(bucket: Bucket) -> tuple[str, dict[str, Any]]:
    match bucket:
        case OverTime():
            return "date_histogram", {
                "field": TIME,
                "interval": "auto",
                "drop_partials": False,
                "min_doc_count": 1,
                "extended_bounds": {},
                "customLabel": "Time",
            }
        case Terms():
            return "terms", {
                "field": bucket.field,
                "size": bucket.size,
                "orderBy": COUNT,
                "order": "desc",
                "otherBucket": False,
                "otherBucketLabel": "Other",
                "missingBucket": bucket.without is not None,
                "missingBucketLabel": bucket.without or "Missing",
                "customLabel": bucket.label,
            }
        case Places():
            return "geohash_grid", {
                "field": bucket.field,
                "autoPrecision": True,
                "precision": 2,
                "useGeocentroid": True,
                "isFilteredByCollar": True,
            }
        case Filters():
            return "filters", {
                "filters": [
                    {"input": {"query": query, "language": "lucene"}, "label": label}
                    for label, query in bucket.queries
                ]
            }


def _params(kind: str) -> dict[str, Any]:
    match kind:
        case "numbers":
            return _NUMBERS
        case "columns":
            return _axes("bottom", "left", 0) | _drawn("histogram", legend=True)
        case "bars":
            return _axes("left", "bottom", 0) | _drawn("histogram", legend=False)
        case "map":
            return _MAP
        case _:
            return _TABLE


_NUMBERS: Final = {
    "addTooltip": True,
    "addLegend": False,
    "type": "metric",
    "metric": {
        "percentageMode": False,
        "useRanges": False,
        "colorSchema": "Green to Red",
        "metricColorMode": "None",
        "colorsRange": [{"from": 0, "to": 10000}],
        "labels": {"show": True},
        "invertColors": False,
        "style": {"bgFill": "#000", "bgColor": False, "labelColor": False, "subText": "", "fontSize": 36},
    },
}
_MAP: Final = {
    "mapType": "Scaled Circle Markers",
    "colorSchema": "Yellow to Red",
    "isDesaturated": True,
    "addTooltip": True,
    "heatClusterSize": 1.5,
    "legendPosition": "bottomright",
    "mapZoom": 2,
    "mapCenter": [20, 0],
    # Without a layer, so that each product draws its own base map, if it can load one.
    "wms": {"enabled": False, "options": {"format": "image/png", "transparent": True}},
}
"""The coordinate map of both products; Kibana draws it with Maps.

https://github.com/opensearch-project/OpenSearch-Dashboards/tree/main/src/plugins/tile_map
https://github.com/elastic/kibana/tree/main/x-pack/platform/plugins/shared/maps/public/legacy_visualizations
"""
_TABLE: Final = {
    "perPage": 10,
    "showPartialRows": False,
    "showMetricsAtAllLevels": False,
    "showTotal": False,
    "totalFunc": "sum",
    "percentageCol": "",
}


def _axes(category: str, value: str, rotate: int) -> dict[str, Any]:
    return {
        "grid": {"categoryLines": False},
        "categoryAxes": [
            {
                "id": "CategoryAxis-1",
                "type": "category",
                "position": category,
                "show": True,
                "style": {},
                "scale": {"type": "linear"},
                "labels": {"show": True, "filter": True, "truncate": 200, "rotate": rotate},
                "title": {},
            }
        ],
        "valueAxes": [
            {
                "id": "ValueAxis-1",
                "name": "ValueAxis-1",
                "type": "value",
                "position": value,
                "show": True,
                "style": {},
                "scale": {"type": "linear", "mode": "normal"},
                "labels": {"show": True, "filter": True, "truncate": 100, "rotate": rotate},
                "title": {"text": "Events"},
            }
        ],
    }


def _drawn(shape: str, *, legend: bool) -> dict[str, Any]:
    return {
        "type": shape,
        "seriesParams": [
            {
                "show": True,
                "type": shape,
                "mode": "stacked",
                "data": {"label": "Events", "id": COUNT},
                "valueAxis": "ValueAxis-1",
                "drawLinesBetweenPoints": True,
                "lineWidth": 2,
                "showCircles": True,
            }
        ],
        "addTooltip": True,
        "addLegend": legend,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
        "labels": {"show": False},
        "thresholdLine": {"show": False, "value": 10, "width": 1, "style": "full", "color": "#E7664C"},
    }
