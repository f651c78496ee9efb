"""Indices that other people made, on the real servers: no event is lost, and the loader learns rejected paths."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch.cli import main
from cloudtrail_elasticsearch.core.documents.events import Event, document_id
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import QUARANTINE_INDEX, RULES_INDEX, IndexPattern
from cloudtrail_elasticsearch.core.loading import quarantine
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.core.loading.report import LoadReport
from cloudtrail_elasticsearch.core.search import bulk
from cloudtrail_elasticsearch.core.search.bulk import BulkItem
from cloudtrail_elasticsearch.core.search.bulk_answer import read_answer
from cloudtrail_elasticsearch.core.search.rejection_reasons import find_blamed_path
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

RULES = load_rules()
QUICK = LoadSettings(patience=2, longest_pause=0.1)

LONG, DATE, KEYWORD = {"type": "long"}, {"type": "date", "format": "epoch_millis"}, {"type": "keyword"}
FOREIGN: dict[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "eventName": LONG,
        "eventTime": DATE,
        "eventSource": {"type": "boolean"},
        "sourceIPAddress": {"type": "ip"},
        "userAgent": {"properties": {"original": KEYWORD}},
        "awsRegion": {"type": "date"},
        "readOnly": LONG,
        "userIdentity": KEYWORD,
        "responseElements": KEYWORD,
        "requestParameters": {"dynamic": "strict", "properties": {"bucketName": LONG, "mine": KEYWORD}},
    },
}


class Watched:
    """A server that records the rejections of bulk requests."""

    def __init__(self, url: str) -> None:
        self._server = connect(SearchSettings.from_url(url))
        self.name, self.engine = self._server.name, self._server.engine
        self.refusals: list[str] = []

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        answer = self._server.request(method, path, body)
        if path.startswith("/_bulk"):
            outcomes = [outcome for item in answer["items"] for outcome in item.values()]
            # 409: the document exists, which is no rejection.
            failed = [outcome for outcome in outcomes if "error" in outcome and outcome["status"] != 409]
            self.refusals += [outcome["error"]["reason"] for outcome in failed]
        return answer


@pytest.fixture
def server(search_url: str) -> Watched:
    return Watched(search_url)


@pytest.fixture
def index(server: Watched, unique_index_prefix: str) -> Iterator[str]:
    yield unique_index_prefix
    for name in server.request("GET", f"/{unique_index_prefix}*/_settings"):
        server.request("DELETE", f"/{name}")


def prepared(server: Watched, index: str, strategy: Strategy = "flattened") -> Loader:
    loader = Loader(server, IndexPattern(index), build_schema(strategy, RULES), QUICK)
    loader.prepare()
    return loader


def make(server: Watched, index: str, mappings: dict[str, Any]) -> None:
    server.request("PUT", f"/{index}", codec.encode({"mappings": mappings}))


def lines(events: list[dict[str, Any]]) -> list[bytes]:
    return [codec.encode(event) for event in events]


def figures(report: LoadReport) -> tuple[int, int, int]:
    return report.read, report.indexed + report.duplicates, report.quarantined


def documents(server: Watched, index: str) -> dict[str, dict[str, Any]]:
    server.request("POST", f"/{index}/_refresh")
    body = codec.encode({"query": {"match_all": {}}, "size": 10_000})
    return {
        hit["_id"]: hit["_source"] for hit in server.request("POST", f"/{index}/_search", body)["hits"]["hits"]
    }


def found(server: Watched, index: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    server.request("POST", f"/{index}/_refresh?ignore_unavailable=true")
    body = codec.encode({"query": query, "size": 1000})
    hits: list[dict[str, Any]] = server.request("POST", f"/{index}/_search", body)["hits"]["hits"]
    return hits


def event(number: int, **others: Any) -> dict[str, Any]:
    return {"eventID": f"30000000-0000-0000-0000-{number:012d}", "eventTime": "2026-11-20T01:02:03Z", **others}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_index_with_another_mapping_takes_all_recorded_events(
    server: Watched, index: str, recorded_events: list[dict[str, Any]], strategy: Strategy
) -> None:
    """Every event is indexed and restored; values at differing paths are found in overflow."""
    make(server, index, FOREIGN)
    report = prepared(server, index, strategy).load(lines(recorded_events))
    assert figures(report) == (len(recorded_events), len(recorded_events), 0)
    by_id = {document_id(Event(recorded, {})): recorded for recorded in recorded_events}
    stored = documents(server, index)
    assert {identifier: restore(source) for identifier, source in stored.items()} == by_id
    for identifier, recorded in list(by_id.items())[:20]:
        for name in {"eventName", "eventTime", "awsRegion", "sourceIPAddress"} & recorded.keys():
            wanted = [{"ids": {"values": [identifier]}}, {"term": {f"overflow.{name}": recorded[name]}}]
            assert found(server, index, {"bool": {"filter": wanted}}), (name, recorded[name])


def test_differing_paths_are_logged_once_and_missing_fields_are_added(
    server: Watched, index: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning names the paths; our other fields are added, and the existing ones stay unchanged."""
    make(server, index, FOREIGN)
    with caplog.at_level(logging.WARNING):
        prepared(server, index, "typed")
    warned = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    (sentence,) = [message for message in warned if index in message]
    paths = "awsRegion, eventName, eventSource, readOnly, requestParameters.bucketName"
    assert f"differs from the loader's at {paths}" in sentence
    properties = server.request("GET", f"/{index}/_mapping")[index]["mappings"]["properties"]
    assert properties["eventName"] == LONG
    assert properties["requestParameters"]["properties"]["bucketName"] == LONG
    assert {"overflow", "unindexed", "normalization"} <= properties.keys()
    assert properties["requestParameters"]["properties"]["instanceId"] == KEYWORD


def test_an_index_that_is_created_during_the_load_is_adapted_to(server: Watched, index: str) -> None:
    """Its first rejection costs one more request, and no event."""
    loader = prepared(server, index)
    make(server, index, {"properties": {"eventName": LONG}})
    events = [event(number, eventName=name) for number, name in enumerate(["7", "RunInstances", "8"])]
    assert figures(loader.load(lines(events))) == (3, 3, 0)
    (hit,) = found(server, index, {"term": {"overflow.eventName": "RunInstances"}})
    assert restore(hit["_source"]) == events[1]


def test_a_rejected_path_is_known_to_the_next_worker(
    server: Watched, search_url: str, index: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A rejection that the types do not show is learned once for the pattern, until its rule is deleted."""
    make(server, index, {"properties": {"eventTime": DATE, "eventSource": {"type": "keyword", "null_value": "x"}}})
    events = [event(number, eventName="A") for number in range(20)]
    with caplog.at_level(logging.WARNING):
        assert figures(prepared(server, index).load(lines(events))) == (20, 20, 0)
    assert len(server.refusals) == 20
    (rule,) = found(server, RULES_INDEX, {"term": {"pattern": index}})
    assert rule["_source"]["path"] == "eventTime"
    assert rule["_source"]["goesTo"] == "overflow.eventTime"
    assert "failed to parse field [eventTime]" in rule["_source"]["reason"]
    assert f"DELETE /{RULES_INDEX}/_doc/{rule['_id']}" in caplog.text

    second = Watched(search_url)
    assert figures(prepared(second, index).load(lines(events))) == (20, 20, 0)
    assert second.refusals == []
    assert len(found(server, index, {"term": {"overflow.eventTime": events[0]["eventTime"]}})) == 20

    server.request("DELETE", f"/{RULES_INDEX}/_doc/{rule['_id']}")
    server.request("POST", f"/{RULES_INDEX}/_refresh")
    third = Watched(search_url)
    assert figures(prepared(third, index).load(lines(events))) == (20, 20, 0)
    assert len(third.refusals) == 20


def test_several_rejected_paths_are_learned_one_by_one(server: Watched, index: str) -> None:
    """The server names one path at a time: one request for each, whatever the number of events."""
    names = ("eventTime", "userIdentity.sessionContext.attributes.creationDate", "@timestamp")
    properties: dict[str, Any] = {}
    for name in names:
        *parents, leaf = name.split(".")
        target = properties
        for parent in parents:
            target = target.setdefault(parent, {"properties": {}})["properties"]
        target[leaf] = DATE
    make(server, index, {"properties": properties})
    when = {"sessionContext": {"attributes": {"creationDate": "2026-11-20T01:02:03Z"}}}
    events = [event(number, userIdentity=when) for number in range(30)]
    assert figures(prepared(server, index).load(lines(events))) == (30, 30, 0)
    assert len(server.refusals) == 30 * len(names)
    learned = {hit["_source"]["path"] for hit in found(server, RULES_INDEX, {"term": {"pattern": index}})}
    assert learned == set(names)
    assert [restore(source) for source in documents(server, index).values()] == events


@pytest.fixture
def hopeless(server: Watched, index: str) -> list[dict[str, Any]]:
    """Return quarantined events, which the index rejected in any form; its mapping is corrected since."""
    make(server, index, {"properties": {"eventName": LONG, "overflow": LONG, "unindexed": LONG}})
    events = [
        event(number, eventName=f"Name{number}", undeclared={"a.b": [1, {"": None}]}) for number in range(10)
    ]
    assert figures(prepared(server, index).load(lines(events))) == (10, 0, 10)
    kept = [hit["_source"] for hit in found(server, QUARANTINE_INDEX, {"term": {"pattern": index}})]
    assert sorted((codec.decode(entry["event"]) for entry in kept), key=lambda kept: kept["eventID"]) == events
    assert all("unindexed" in entry["reason"] and entry["index"] == index for entry in kept)
    server.request("DELETE", f"/{index}")
    return events


def test_a_replay_indexes_quarantined_events(
    server: Watched, index: str, hopeless: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page, each event once; then the quarantine is empty, and a second replay finds nothing."""
    monkeypatch.setattr(quarantine, "ENTRIES_PER_PAGE", 3)
    loader = prepared(server, index)
    assert figures(loader.replay()) == (10, 10, 0)
    stored = documents(server, index)
    assert [restore(stored[wanted["eventID"]]) for wanted in hopeless] == hopeless
    assert found(server, QUARANTINE_INDEX, {"term": {"pattern": index}}) == []
    assert figures(loader.replay()) == (0, 0, 0)


def test_an_event_that_is_rejected_again_stays_with_the_new_reason(
    server: Watched, index: str, hopeless: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay into an index that still rejects everything ends, and loses nothing."""
    monkeypatch.setattr(quarantine, "ENTRIES_PER_PAGE", 3)
    server.request("DELETE", f"/_index_template/cloudtrail-elasticsearch-{index}")
    make(server, index, {"properties": {"eventName": LONG, "overflow": LONG, "unindexed": {"type": "ip"}}})
    assert figures(prepared(server, index).replay()) == (10, 0, 10)
    kept = [hit["_source"] for hit in found(server, QUARANTINE_INDEX, {"term": {"pattern": index}})]
    assert len(kept) == 10
    assert all("[ip]" in entry["reason"] for entry in kept)


@pytest.mark.promise("no-duplicates")
def test_an_event_that_is_indexed_leaves_the_quarantine(
    server: Watched, index: str, hopeless: list[dict[str, Any]]
) -> None:
    """After a second load, or a replay of a cell's ids, the server counts each event once."""
    ids = [wanted["eventID"] for wanted in hopeless]
    loader = prepared(server, index)
    held = loader.count_held(lines(hopeless))
    assert (held.indexed, held.quarantined) == (0, 10)
    assert figures(loader.replay(ids[:4])) == (4, 4, 0)
    assert figures(loader.load(lines(hopeless[4:7]))) == (3, 3, 0)
    held = loader.count_held(lines(hopeless))
    assert (held.indexed, held.quarantined) == (7, 3)
    left = found(server, QUARANTINE_INDEX, {"term": {"pattern": index}})
    assert {hit["_source"]["eventID"] for hit in left} == set(ids[7:])


@pytest.mark.usefixtures("hopeless")
def test_the_command_replays(server: Watched, search_url: str, index: str, tmp_path: Path) -> None:
    """It reports the outcomes, and can write the report to a file."""
    report = tmp_path / "report.json"
    assert main(["replay", "--url", search_url, "--index", index, "--report", str(report)]) == 0
    printed = json.loads(report.read_text())
    assert printed.pop("seconds") >= 0
    assert printed == {
        "read": 10,
        "indexed": 10,
        "duplicates": 0,
        "quarantined": 0,
        "left_out": 0,
        "left_out_by": {},
    }
    assert len(documents(server, index)) == 10


PROVOCATIONS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "text for a number": ({"properties": {"eventName": LONG}}, {"eventName": "x"}, "eventName"),
    "object for a keyword": ({"properties": {"a": {"properties": {"b": KEYWORD}}}}, {"a": {"b": {"c": 1}}}, "a.b"),
    "text for an object": ({"properties": {"a": {"properties": {"b": KEYWORD}}}}, {"a": "x"}, "a"),
    "text in a list of objects": ({"properties": {"a": {"properties": {"b": KEYWORD}}}}, {"a": [{}, "x"]}, "a"),
    "text for what is nested": ({"properties": {"a": {"type": "nested"}}}, {"a": "x"}, "a"),
    "a new name": ({"dynamic": "strict"}, {"eventName": "x"}, "eventName"),
    "a new name below": ({"properties": {"a": {"dynamic": "strict", "type": "object"}}}, {"a": {"b": 1}}, "a.b"),
    "an immense term": ({"properties": {"a": KEYWORD}}, {"a": "x" * 40_000}, "a"),
    "an alias": ({"properties": {"a": {"type": "alias", "path": "b"}, "b": KEYWORD}}, {"a": "x"}, "a"),
    "a date of another format": ({"properties": {"a": DATE}}, {"a": "2026-11-20"}, "a"),
    "no address": ({"properties": {"a": {"type": "ip"}}}, {"a": "ec2.amazonaws.com"}, "a"),
    "no boolean": ({"properties": {"a": {"type": "boolean"}}}, {"a": "maybe"}, "a"),
    "no point": ({"properties": {"a": {"type": "geo_point"}}}, {"a": "x y"}, "a"),
}


@pytest.mark.parametrize("name", PROVOCATIONS)
def test_the_path_in_a_server_s_reason_is_found(server: Watched, index: str, name: str) -> None:
    """Whatever the mapping rejects, the path in the server's reason is the provoked one."""
    mappings, document, path = PROVOCATIONS[name]
    make(server, index, mappings)
    item = BulkItem("1", index, codec.encode(document))
    (refused,) = read_answer(
        [item], server.request("POST", bulk.BULK_PATH, bulk.encode_bulk_body([item]))
    ).rejections
    assert find_blamed_path(refused.reason) == path
