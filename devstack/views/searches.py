"""The searches that Kibana and OpenSearch Dashboards send to the search server for a saved object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from devstack.views.definitions import TIME

MOST_LISTED: Final = 500
"""The number of events that Discover lists, by default, in both products."""


def parse_objects(ndjson: bytes) -> dict[str, dict[str, Any]]:
    """Return a file's objects by their ids."""
    return {each["id"]: each for each in map(json.loads, ndjson.splitlines())}


def make_query(text: str) -> dict[str, Any]:
    """Return a Lucene query in the server's syntax, with the products' setting `query:queryString:options`."""
    return {"query_string": {"query": text, "analyze_wildcard": True}} if text.strip() else {"match_all": {}}


def make_range(start: str, end: str) -> dict[str, Any]:
    """Return the query for a range of time, to its end (excluded)."""
    return {"range": {TIME: {"gte": start, "lt": end, "format": "strict_date_optional_time"}}}


def make_search(
    saved: dict[str, Any], start: str, end: str, interval: Mapping[str, str], size: int = MOST_LISTED
) -> dict[str, Any]:
    """Return the body of the search for a saved search or a chart, within a range of time.

    :param interval: of charts over time; the products compute it from the range
    :param size: the most events that a saved search lists
    """
    attributes = saved["attributes"]
    source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    filters = [make_query(source["query"]["query"]), make_range(start, end)]
    body = {"query": {"bool": {"filter": filters}}, "track_total_hits": True}
    if saved["type"] == "search":
        ((field, order),) = attributes["sort"]
        return body | {"size": size, "sort": [{field: {"order": order, "unmapped_type": "boolean"}}]}
    buckets = [each for each in json.loads(attributes["visState"])["aggs"] if each["type"] != "count"]
    return body | {"size": 0, "aggs": _nest(buckets, interval)}


def _nest(buckets: list[dict[str, Any]], interval: Mapping[str, str]) -> dict[str, Any]:
    first, *others = buckets
    inner = {"aggs": _nest(others, interval)} if others else {}
    return {"buckets": _make_aggregation(first["type"], first["params"], interval) | inner}


def _make_aggregation(name: str, params: dict[str, Any], interval: Mapping[str, str]) -> dict[str, Any]:
    match name:
        case "date_histogram":
            return {name: {"field": params["field"], "min_doc_count": 1, **interval}}
        case "terms":
            missing = {"missing": "__missing__"} if params["missingBucket"] else {}
            return {
                name: {
                    "field": params["field"],
                    "size": params["size"],
                    "order": {"_count": params["order"]},
                    **missing,
                }
            }
        case "geohash_grid":
            # The coarsest zoom, which shows the whole earth. The circle of a cell is at the middle of its points.
            middle = {"geo_centroid": {"field": params["field"]}}
            grid = {"field": params["field"], "precision": params["precision"]}
            return {name: grid, "aggs": {"middle": middle}}
        case "filters":
            named = {each["label"]: make_query(each["input"]["query"]) for each in params["filters"]}
            return {name: {"filters": named}}
        case _:
            raise AssertionError(f"the search of the aggregation {name} is not known")
