"""The time of sending (``event.ingested``) on the real servers: a repeated load keeps it. ADR-0023"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.events import Event, document_id
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules, read_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Schema, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.core.loading.report import LoadReport
from cloudtrail_elasticsearch.core.search.bulk import BulkItem, Rejection
from cloudtrail_elasticsearch.core.search.server import Engine
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from tests.core.test_fast_path import EVENT
from tests.search.test_load import index

__all__ = ["index"]

RULES = load_rules()
SCHEMA = build_schema("flattened", RULES)
QUICK = LoadSettings(patience=60, longest_pause=0.1, request_items=20)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Server:
    """A search server that counts its requests; `before` is called with the path of each."""

    def __init__(self, url: str) -> None:
        self._server = connect(SearchSettings.from_url(url))
        self.name: str = self._server.name
        self.engine: Engine = self._server.engine
        self.before: Callable[[str], None] = lambda path: None
        self.paths: list[str] = []

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        self.before(path)
        self.paths.append(path.partition("?")[0])
        return self._server.request(method, path, body)


@pytest.fixture
def server(search_url: str) -> Server:
    return Server(search_url)


def load(server: Server, index: str, lines: list[bytes], schema: Schema = SCHEMA) -> tuple[int, int, int, int]:
    return figures(prepared(server, index, schema).load(lines))


def prepared(server: Server, index: str, schema: Schema = SCHEMA) -> Loader:
    loader = Loader(server, IndexPattern(index), schema, QUICK)
    loader.prepare()
    return loader


def figures(report: LoadReport) -> tuple[int, int, int, int]:
    return report.read, report.indexed, report.duplicates, report.quarantined


def held(server: Server, index: str) -> dict[str, Any]:
    """Return each document with its version, by id."""
    server.request("POST", f"/{index}/_refresh")
    body = codec.encode({"size": 2_000, "version": True, "seq_no_primary_term": True})
    hits = server.request("POST", f"/{index}/_search", body)["hits"]["hits"]
    return {hit["_id"]: {name: hit[name] for name in ("_source", "_version", "_seq_no")} for hit in hits}


def time_of(found: Any) -> str:
    time: str = found["_source"]["event"]["ingested"]
    assert TIME.fullmatch(time)
    return time


def event(number: int, **changes: Any) -> dict[str, Any]:
    return EVENT | {"eventID": f"00000000-0000-4000-8000-{number:012d}"} | changes


def line(number: int, **changes: Any) -> bytes:
    return codec.encode(event(number, **changes))


LINES = [line(number) for number in range(50)]


@pytest.mark.promise("no-duplicates", "reversible")
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("ecs", [True, False])
def test_a_repeated_load_leaves_every_document_as_it_is(
    server: Server, index: str, strategy: Strategy, ecs: bool, recorded_events: list[dict[str, Any]]
) -> None:
    """Its time, its version and its sequence number; every document has a time, and restores the event."""
    schema = build_schema(strategy, RULES, ecs=ecs)
    own = {"event": {"ingested": "mine", "kind": 7}, "eventName": "Own"}
    events = [*recorded_events, event(1, **own), event(2, requestParameters={"event": "x", "a": "y" * 40_000})]
    # Some recorded events share an eventID and differ: of these, the copy that is loaded last prevails.
    distinct = {document_id(Event(each, {})): each for each in events}
    lines = [codec.encode(each) for each in distinct.values()]
    first = load(server, index, lines, schema)
    before = held(server, index)
    assert (first[1], first[3]) == (len(before), 0)
    assert all(time_of(found) for found in before.values())
    assert {name: restore(found["_source"]) for name, found in before.items()} == distinct
    server.paths.clear()
    assert load(server, index, random.Random(3).sample(lines, len(lines)), schema) == (
        len(lines),
        0,
        len(lines),
        0,
    )
    assert held(server, index) == before
    newest = max(map(time_of, before.values()))
    query = codec.encode({"query": {"range": {"event.ingested": {"lte": newest}}}, "track_total_hits": True})
    assert server.request("POST", f"/{index}/_search", query)["hits"]["total"]["value"] == len(before)


def test_a_load_of_new_events_costs_no_further_request(server: Server, index: str) -> None:
    """Only existing documents are read."""
    load(server, index, LINES)
    assert server.paths.count("/_bulk") == 3
    assert "/_mget" not in server.paths


@pytest.mark.promise("no-duplicates")
def test_a_changed_document_is_replaced_and_gets_a_new_time(server: Server, index: str) -> None:
    """Only the changed ones: the others keep theirs."""
    load(server, index, LINES)
    before = held(server, index)
    rule = {"name": "m", "path": "userAgent", "why": "a test", "change": {"do": "mask"}, "examples": []}
    schema = build_schema("flattened", read_rules(codec.encode({"rules": [rule]}), "mine.yaml") + RULES)
    changed = [line(7, userAgent="secret"), line(8, userAgent="secret")]
    assert load(server, index, changed) == (2, 0, 2, 0)
    assert load(server, index, [*LINES[:7], *changed, *LINES[9:]], schema) == (50, 0, 50, 0)
    after = held(server, index)
    differing = {name for name in after if after[name] != before[name]}
    assert differing == {event(7)["eventID"], event(8)["eventID"]}
    for name in differing:
        assert after[name]["_version"] == 3
        assert time_of(after[name]) > time_of(before[name])
        assert after[name]["_source"]["normalization"]["rules"] == ["m"]


def test_a_document_of_an_earlier_version_gets_a_time(server: Server, index: str) -> None:
    """It has none, so it counts as changed, once."""
    load(server, index, LINES[:2])
    source = held(server, index)[event(0)["eventID"]]["_source"]
    del source["event"]["ingested"]
    server.request("PUT", f"/{index}/_doc/{event(0)['eventID']}?refresh=true", codec.encode(source))
    assert load(server, index, LINES[:2]) == (2, 0, 2, 0)
    after = held(server, index)
    assert time_of(after[event(0)["eventID"]])
    assert load(server, index, LINES[:2]) == (2, 0, 2, 0)
    assert held(server, index) == after


def test_the_spelling_of_a_stored_document_is_no_change(server: Server, index: str) -> None:
    """Another order of names, blanks, and another notation of a fraction."""
    spelled = line(1, requestParameters={"share": 0.25, "name": "x"}, userAgent="a/b")
    load(server, index, [spelled])
    source = held(server, index)[event(1)["eventID"]]["_source"]
    text = codec.encode(dict(reversed(source.items()))).replace(b":0.25", b":2.50e-1").replace(b'","', b'" , "')
    assert codec.decode(text) == source
    server.request("PUT", f"/{index}/_doc/{event(1)['eventID']}", text)
    before = held(server, index)
    assert load(server, index, [spelled]) == (1, 0, 1, 0)
    assert held(server, index) == before


@pytest.mark.promise("no-duplicates", "order-free")
def test_loaders_at_the_same_time_write_each_document_once(server: Server, index: str) -> None:
    """Whoever is first sets the time; together they count each document as new exactly once."""
    loaders = [prepared(server, index) for _ in range(4)]
    orders = [random.Random(seed).sample(LINES, len(LINES)) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda loader, lines: loader.load(lines), loaders, orders))
    assert sum(report.indexed for report in reports) == len(LINES)
    assert sum(report.duplicates for report in reports) == 3 * len(LINES)
    found = held(server, index)
    assert len(found) == len(LINES)
    assert {each["_version"] for each in found.values()} == {1}


@pytest.mark.promise("order-free", "no-duplicates")
@pytest.mark.parametrize("seed", range(4))
def test_any_order_and_split_leaves_the_same_documents(server: Server, index: str, seed: int) -> None:
    """However the second load is divided, and with copies in one request."""
    draw = random.Random(seed)
    load(server, index, draw.sample(LINES, 30))
    before = held(server, index)
    again = draw.sample([*LINES, *draw.sample(LINES, 20)], 70)
    cuts = sorted(draw.sample(range(70), 4))
    totals = [load(server, index, again[begin:end]) for begin, end in itertools.pairwise([0, *cuts, 70])]
    assert [sum(each) for each in zip(*totals, strict=True)] == [70, 20, 50, 0]
    after = held(server, index)
    assert {name: after[name] for name in before} == before
    assert {each["_version"] for each in after.values()} == {1}
    assert len(after) == 50


def test_a_document_that_is_deleted_meanwhile_is_created_again(server: Server, index: str) -> None:
    """Between the refused creation and the comparison; the other documents keep their times."""
    load(server, index, LINES[:10])
    before = held(server, index)

    def delete(path: str) -> None:
        if path.startswith("/_mget"):
            server.before = lambda path: None
            server.request("DELETE", f"/{index}/_doc/{event(3)['eventID']}")

    server.before = delete
    assert load(server, index, LINES[:10]) == (10, 1, 9, 0)
    after = held(server, index)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {event(3)["eventID"]}


def test_an_index_that_is_deleted_meanwhile_is_created_again(server: Server, index: str) -> None:
    """All of the documents are created again."""
    load(server, index, LINES[:10])

    def delete(path: str) -> None:
        if path.startswith("/_mget"):
            server.before = lambda path: None
            server.request("DELETE", f"/{index}")

    server.before = delete
    assert load(server, index, LINES[:10]) == (10, 10, 0, 0)
    assert len(held(server, index)) == 10


def test_of_copies_that_differ_the_last_one_prevails(server: Server, index: str) -> None:
    """A repeated load changes nothing; each copy counts."""
    copies = [line(1, errorCode="First"), line(1, errorCode="Last")]
    assert load(server, index, copies) == (2, 1, 1, 0)
    before = held(server, index)
    (found,) = before.values()
    assert found["_source"]["errorCode"] == "Last"
    assert load(server, index, copies) == (2, 0, 2, 0)
    assert held(server, index) == before


def test_an_alias_with_a_write_index_keeps_the_times(server: Server, index: str) -> None:
    """The stored documents are read from the index that the alias writes to."""
    old = {"aliases": {f"{index}-all": {"is_write_index": False}}}
    server.request("PUT", f"/{index}-old", codec.encode(old))
    server.request("PUT", f"/{index}-new", codec.encode({"aliases": {f"{index}-all": {"is_write_index": True}}}))
    assert load(server, f"{index}-all", LINES) == (50, 50, 0, 0)
    before = held(server, f"{index}-new")
    assert len(before) == 50
    assert load(server, f"{index}-all", LINES) == (50, 0, 50, 0)
    assert held(server, f"{index}-new") == before
    assert held(server, f"{index}-old") == {}


@pytest.mark.promise("nothing-lost", "no-duplicates")
def test_a_replay_of_an_indexed_event_keeps_its_document(server: Server, index: str) -> None:
    """Its entry leaves the quarantine."""
    server.request("PUT", f"/{index}", codec.encode({"mappings": {"properties": {"x": {"type": "keyword"}}}}))
    loader = prepared(server, index)
    loader.load(LINES[:3])
    before = held(server, index)
    item = loader._adapter.render(LINES[1])
    assert isinstance(item, BulkItem)
    loader._quarantine.put([Rejection(item, "a kind", "a reason")])
    assert figures(loader.replay()) == (1, 0, 1, 0)
    assert held(server, index) == before
    assert loader._quarantine.is_empty()


KEYWORD = {"type": "keyword"}
LONG = {"type": "long"}
SECONDS = {"type": "date", "format": "epoch_second"}
REJECTING: dict[str, dict[str, Any]] = {
    "a number": {"properties": {"event": {"properties": {"ingested": LONG}}}},
    "an object": {"properties": {"event": {"properties": {"ingested": {"properties": {"at": KEYWORD}}}}}},
    "another format": {"properties": {"event": {"properties": {"ingested": SECONDS}}}},
    "a scalar event": {"properties": {"event": KEYWORD}},
}
ACCEPTING: dict[str, dict[str, Any]] = {
    "keyword": {"properties": {"event": {"properties": {"ingested": KEYWORD}}}},
    "text": {"properties": {"event": {"properties": {"ingested": {"type": "text"}}}}},
    "strict": {"dynamic": "strict"},
    "not indexed": {"properties": {"event": {"type": "object", "enabled": False}}},
}


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("ecs", [True, False])
@pytest.mark.parametrize("name", REJECTING)
def test_an_index_that_rejects_the_time_gets_documents_without_it(
    server: Server, index: str, name: str, ecs: bool
) -> None:
    """No event is lost or sealed, and no other field of the event moves."""
    server.request("PUT", f"/{index}", codec.encode({"mappings": REJECTING[name]}))
    schema = build_schema("flattened", RULES, ecs=ecs)
    for _ in range(2):
        assert sum(load(server, index, LINES, schema)[1:3]) == 50
        sources = [found["_source"] for found in held(server, index).values()]
        assert len(sources) == 50
        for source in sources:
            assert "ingested" not in source.get("event", {})
            assert not {"overflow", "unindexed"} & source.keys()
            assert ("kind" in source.get("event", {})) == (ecs and name != "a scalar event")


@pytest.mark.parametrize("name", ACCEPTING)
def test_an_index_of_somebody_else_that_takes_the_time_keeps_it(server: Server, index: str, name: str) -> None:
    """Whatever type it has there, a repeated load changes no document."""
    server.request("PUT", f"/{index}", codec.encode({"mappings": ACCEPTING[name]}))
    assert load(server, index, LINES) == (50, 50, 0, 0)
    before = held(server, index)
    assert all(time_of(found) for found in before.values())
    assert load(server, index, LINES) == (50, 0, 50, 0)
    assert held(server, index) == before


def test_displaced_and_sealed_documents_keep_their_times(server: Server, index: str) -> None:
    """An index of somebody else, whose mapping rejects some values."""
    parameters = {"dynamic": "strict", "properties": {"b": LONG}}
    mapping = {"properties": {"eventName": LONG, "requestParameters": parameters}}
    server.request("PUT", f"/{index}", codec.encode({"mappings": mapping}))
    lines = [line(number, requestParameters={"b": "x", f"n{number}": {"c": number}}) for number in range(20)]
    assert load(server, index, lines) == (20, 20, 0, 0)
    before = held(server, index)
    assert all(time_of(found) for found in before.values())
    assert all("overflow" in found["_source"] for found in before.values())
    assert load(server, index, lines) == (20, 0, 20, 0)
    assert {name: time_of(found) for name, found in held(server, index).items()} == {
        name: time_of(found) for name, found in before.items()
    }


def test_a_managed_index_of_an_earlier_version_gets_the_field(server: Server, index: str) -> None:
    """Its mapping is updated by the next load, so the time is a date there."""
    prepared(server, f"{index}-%Y").load(LINES[:1])
    name = f"{index}-2026"
    mapping = server.request("GET", f"/{name}/_mapping")[name]["mappings"]
    server.request("DELETE", f"/{name}")
    del mapping["properties"]["event"]["properties"]["ingested"]
    mapping["_meta"]["fingerprint"] = "earlier"
    server.request("PUT", f"/{name}", codec.encode({"mappings": mapping}))
    load(server, f"{index}-%Y", LINES[:1])
    found = server.request("GET", f"/{name}/_mapping")[name]["mappings"]["properties"]["event"]["properties"]
    assert found["ingested"] == {"type": "date"}
