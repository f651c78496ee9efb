"""docs/live.md on the real servers: the refresh interval, and the queries of the example alerts."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from typing import Any

import pytest
import yaml
from airflow.providers.common.compat.sdk import Stats

from cloudtrail_elasticsearch.core.coverage.watermarks import Place, Watermark, Watermarks
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.event_indices import EventIndices
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX, DEFAULT_INDEX, IndexPattern
from cloudtrail_elasticsearch.operators.metrics import report_lag
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from tests.clock import wait_until
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "live.md").read_text()
ALERTS = ROOT / "docs" / "examples" / "live-alerts"
MONITOR = json.loads((ALERTS / "opensearch-monitor.json").read_text())
RULES = [json.loads((ALERTS / f"elastic-rule-{name}.json").read_text()) for name in ("behind", "stopped")]
SCHEMA = build_schema("flattened", load_rules())
WAIT = 3.0
"""Seconds: longer than the second between refreshes, and shorter than the loader's interval."""

TIME = "2026-11-20T01:02:03Z"


@pytest.fixture
def server(search_url: str) -> Any:
    return connect(SearchSettings.from_url(search_url))


def find(server: Any, index: str) -> int:
    """Return the number of hits of a search, which refreshes nothing by itself."""
    found: int = server.request("POST", f"/{index}/_search", b"{}")["hits"]["total"]["value"]
    return found


def write(server: Any, index: str, identifier: str) -> None:
    server.request("PUT", f"/{index}/_doc/{identifier}", codec.encode({"@timestamp": TIME}))


def test_the_documented_setting_shows_new_events_soon(server: Any, unique_index_prefix: str) -> None:
    """The first search of an idle index waits for the refresh. With the loader's 30 seconds, it does not."""
    command = re.search(r"curl -X PUT 'localhost:9200/([^/]+)/(_settings\S*)' .* -d '(.*)'", PAGE)
    assert command is not None
    assert command[1] == ",".join(IndexPattern(DEFAULT_INDEX).matches)
    pattern = IndexPattern(f"{unique_index_prefix}-%Y.%m")
    indices = EventIndices(server, pattern, SCHEMA)
    indices.prepare()
    index = pattern.name(datetime.fromisoformat(TIME))
    indices.ensure(index)
    write(server, index, "one")
    time.sleep(WAIT)
    assert find(server, index) == 0
    server.request("PUT", f"/{','.join(pattern.matches)}/{command[2]}", command[3].encode())
    server.request("PUT", f"/{index}/_settings", b'{"index": {"search.idle.after": "100ms"}}')
    # A later load leaves the setting alone.
    EventIndices(server, pattern, SCHEMA).prepare()
    later = EventIndices(server, pattern, SCHEMA)
    later.ensure(index)
    (settings,) = server.request("GET", f"/{index}/_settings").values()
    assert "refresh_interval" not in settings["settings"]["index"]
    wait_until(lambda: find(server, index) == 1, "the first event is found")
    for number in range(3):
        # Nobody searches, so the index is idle, and its own refreshes stop.
        time.sleep(WAIT)
        write(server, index, f"event-{number}")
        time.sleep(WAIT)
        assert find(server, index) == number + 2
    server.request("DELETE", f"/{index}")


def test_an_index_template_does_not_change_the_interval(server: Any, unique_index_prefix: str) -> None:
    """The loader creates an index with its own settings, so a user must change the index."""
    template = {
        "index_patterns": [f"{unique_index_prefix}-*"],
        "priority": 900,
        "template": {"settings": {"index.refresh_interval": "5s"}},
    }
    server.request("PUT", f"/_index_template/{unique_index_prefix}-mine", codec.encode(template))
    pattern = IndexPattern(f"{unique_index_prefix}-%Y.%m")
    index = pattern.name(datetime.fromisoformat(TIME))
    EventIndices(server, pattern, SCHEMA).ensure(index)
    (settings,) = server.request("GET", f"/{index}/_settings").values()
    server.request("DELETE", f"/_index_template/{unique_index_prefix}-mine")
    server.request("DELETE", f"/{index}")
    assert settings["settings"]["index"]["refresh_interval"] == "30s"


def watermark(region: str, behind: int, checked: int = 1, problem: str | None = "It falls behind.") -> Watermark:
    """A watermark that is some minutes old, and was recorded some minutes ago."""
    now = datetime.now(UTC)
    return Watermark(
        place=Place("123456789012", region),
        until=now - timedelta(minutes=behind),
        checked_at=now - timedelta(minutes=checked),
        day=now.date(),
        problem=problem,
    )


FRESH = (("eu-west-1", 2, 1, None), ("us-east-1", 10))
QUIET = ("us-west-2", 600, 600, None)
CASES = [
    pytest.param([*FRESH, QUIET], [], False, id="fresh-and-quiet"),
    pytest.param([*FRESH, ("eu-north-1", 17)], ["eu-north-1"], False, id="late"),
    pytest.param([("eu-west-1", 45, 40, None)], [], True, id="stopped"),
    pytest.param([("eu-west-1", 45, 40), ("us-east-1", 90, 40)], ["us-east-1", "eu-west-1"], True, id="both"),
]


def record(server: Any, pattern: str, given: list[tuple[Any, ...]]) -> None:
    Watermarks(server, pattern).record(watermark(*each) for each in given)
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")


@pytest.mark.parametrize(("given", "late", "is_stopped"), CASES)
def test_the_search_of_the_monitor_finds_late_watermarks(
    server: Any, unique_index_prefix: str, given: list[tuple[Any, ...]], late: list[str], is_stopped: bool
) -> None:
    """On both engines, the worst first. OpenSearch itself evaluates the conditions of the triggers."""
    record(server, unique_index_prefix, given)
    search = MONITOR["inputs"][0]["search"]
    assert search["indices"] == [COVERAGE_INDEX]
    query = search["query"] | {"query": narrow(search["query"]["query"], unique_index_prefix)}
    found = server.request("POST", f"/{COVERAGE_INDEX}/_search", codec.encode(query))
    aggregations = found["aggregations"]
    assert [hit["_source"]["region"] for hit in aggregations["late"]["worst"]["hits"]["hits"]] == late
    assert (aggregations["loaded"]["doc_count"] == 0) == is_stopped
    if server.engine == "opensearch":  # the tests' Elasticsearch has no scripts
        fired = [fires(server, trigger["query_level_trigger"], found) for trigger in MONITOR["triggers"]]
        assert fired == [bool(late), is_stopped]


def narrow(query: dict[str, Any], pattern: str) -> dict[str, Any]:
    """Return a query for one pattern: other tests write to the same ledger."""
    return {"bool": {"filter": [query, {"term": {"live_pattern": pattern}}]}}


def fires(server: Any, trigger: dict[str, Any], found: Any) -> bool:
    script = trigger["condition"]["script"]
    source = script["source"].replace("ctx.", "params.ctx.")
    request = {"script": {"lang": script["lang"], "source": source, "params": {"ctx": {"results": [found]}}}}
    answer: str = server.request("POST", "/_scripts/painless/_execute", codec.encode(request))["result"]
    return answer == "true"


@pytest.mark.parametrize(("given", "late", "is_stopped"), CASES)
def test_the_rules_of_kibana_fire(
    server: Any, unique_index_prefix: str, given: list[tuple[Any, ...]], late: list[str], is_stopped: bool
) -> None:
    """Their queries, with the range of time that Kibana adds, and their thresholds."""
    record(server, unique_index_prefix, given)
    fired = []
    for rule in RULES:
        params = rule["params"]
        window = f"now-{params['timeWindowSize']}{params['timeWindowUnit']}"
        in_window = {"range": {params["timeField"]: {"gte": window}}}
        asked = json.loads(params["esQuery"])["query"]
        query = narrow({"bool": {"filter": [asked, in_window]}}, unique_index_prefix)
        path = f"/{','.join(params['index'])}/_search"
        hits = server.request("POST", path, codec.encode({"query": query}))["hits"]["total"]["value"]
        (threshold,) = params["threshold"]
        fired.append({"<": hits < threshold, ">": hits > threshold}[params["thresholdComparator"]])
    assert fired == [bool(late), is_stopped]


def test_the_rules_of_prometheus_use_the_mapped_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mapping matches the name that live runs emit, behind Airflow's own prefix."""
    emitted: list[str] = []
    monkeypatch.setattr(Stats, "gauge", lambda name, *_, **__: emitted.append(f"airflow.{name}"), raising=False)
    report_lag(Place("123456789012", "eu-west-1"), 5)
    (mapping,) = yaml.safe_load((ALERTS / "statsd-mapping.yaml").read_text())["mappings"]
    assert emitted
    assert [fnmatch(name, mapping["match"]) for name in emitted] == [True]
    (group,) = yaml.safe_load((ALERTS / "prometheus-rules.yaml").read_text())["groups"]
    assert all(mapping["name"] in rule["expr"] for rule in group["rules"])
    assert mapping["labels"].keys() == {"account", "region"}
