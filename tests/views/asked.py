"""The requests that Kibana and OpenSearch Dashboards send to the search server for a saved object."""

from __future__ import annotations

import json
from typing import Any

from devstack.views.definitions import TIME


def parsed(ndjson: bytes) -> dict[str, dict[str, Any]]:
    """Return a file's objects by their ids."""
    return {each["id"]: each for each in map(json.loads, ndjson.splitlines())}


def query(text: str) -> dict[str, Any]:
    """Return a Lucene query in the server's syntax, with the products' setting `query:queryString:options`."""
    return {"query_string": {"query": text, "analyze_wildcard": True}} if text.strip() else {"match_all": {}}


def request(saved: dict[str, Any], start: str, end: str) -> dict[str, Any]:
    """Return the body of the search for a saved search or a chart, within a range of time."""
    attributes = saved["attributes"]
    source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    within = {"range": {TIME: {"gte": start, "lt": end, "format": "strict_date_optional_time"}}}
    body = {"query": {"bool": {"filter": [query(source["query"]["query"]), within]}}, "track_total_hits": True}
    if saved["type"] == "search":
        ((field, order),) = attributes["sort"]
        return body | {"size": 5000, "sort": [{field: {"order": order, "unmapped_type": "boolean"}}]}
    buckets = [each for each in json.loads(attributes["visState"])["aggs"] if each["type"] != "count"]
    return body | {"size": 0, "aggs": _nested(buckets)}


def _nested(buckets: list[dict[str, Any]]) -> dict[str, Any]:
    first, *others = buckets
    inner = {"aggs": _nested(others)} if others else {}
    return {"buckets": _aggregation(first["type"], first["params"]) | inner}


def _aggregation(name: str, params: dict[str, Any]) -> dict[str, Any]:
    match name:
        case "date_histogram":
            # "auto" is a month for the tests' events, which span many years.
            return {name: {"field": params["field"], "calendar_interval": "1M", "min_doc_count": 1}}
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
        case "filters":
            named = {each["label"]: query(each["input"]["query"]) for each in params["filters"]}
            return {name: {"filters": named}}
        case _:
            raise AssertionError(f"the tests do not know what is asked for {name}")
