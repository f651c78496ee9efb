"""Loading into the real servers: nothing is rejected in any order, and all values have their documented names."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.events import Event, document_id, parse_line
from cloudtrail_elasticsearch.core.documents.explain import locate
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import Rule, load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import MappingError, ThrottledError, TransientError
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.core.loading.report import LoadReport
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.requests import encode_body
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from tests.core.conflicts import at, hard_conflicts
from tests.core.texts import meaning
from tests.untimed import drop_times

RULES = load_rules()
QUICK = LoadSettings(patience=2, longest_pause=0.1)


@pytest.fixture
def server(search_url: str) -> Any:
    return connect(SearchSettings.from_url(search_url))


@pytest.fixture
def index(server: Any, unique_index_prefix: str) -> Iterator[str]:
    yield unique_index_prefix
    for name in server.request("GET", f"/{unique_index_prefix}*/_settings"):
        server.request("DELETE", f"/{name}")


@pytest.fixture(params=STRATEGIES)
def loader(request: pytest.FixtureRequest, server: Any, index: str) -> Loader:
    made = Loader(server, IndexPattern(index), build_schema(request.param, RULES), QUICK)
    made.prepare()
    return made


def figures(report: LoadReport) -> tuple[int, int, int]:
    return report.read, report.indexed + report.duplicates, report.quarantined


def lines(events: list[dict[str, Any]]) -> list[bytes]:
    return [codec.encode(event) for event in events]


def search(server: Any, index: str, query: dict[str, Any], size: int = 0) -> dict[str, Any]:
    body = codec.encode({"query": query, "size": size, "track_total_hits": True})
    answer: dict[str, Any] = server.request("POST", f"/{index}/_search", body)["hits"]
    return answer


@pytest.mark.promise("reversible")
def test_all_recorded_events_are_loaded_and_restored(
    server: Any, index: str, loader: Loader, recorded_events: list[dict[str, Any]]
) -> None:
    """None is rejected, each exists once, and the server's document restores the event."""
    report = loader.load(lines(recorded_events))
    assert figures(report) == (len(recorded_events), len(recorded_events), 0)
    by_id = {document_id(Event(event, {})): event for event in recorded_events}
    assert loader.count(by_id) == len(by_id)
    hits = search(server, index, {"match_all": {}}, size=2000)["hits"]
    assert {hit["_id"]: restore(hit["_source"]) for hit in hits} == by_id


@pytest.mark.promise("findable")
def test_every_scalar_of_a_sample_is_found(
    server: Any, index: str, loader: Loader, recorded_events: list[dict[str, Any]]
) -> None:
    """An exact-value search under the name that `locate` returns finds the event."""
    sample = random.Random(7).sample(recorded_events, 40)
    loader.load(lines(sample))
    loader.count(())
    wanted = []
    for hit in search(server, index, {"match_all": {}}, size=100)["hits"]:
        wanted += [
            (hit["_id"], found.field, found.value)
            for found in locate(hit["_source"])
            if found.field is not None and found.value != ""
        ]
    assert len(wanted) > 500
    assert missing(server, index, wanted) == []


def missing(server: Any, index: str, wanted: list[tuple[str, str, Any]]) -> list[tuple[str, str, Any]]:
    """Return those values, each of a document and a field, that an exact-value search does not find."""
    missed = []
    for chunk in (wanted[start : start + 500] for start in range(0, len(wanted), 500)):
        body = b"".join(
            codec.encode(part) + b"\n"
            for identifier, field, value in chunk
            for part in (
                {"index": index},
                {
                    "size": 0,
                    "query": {
                        "bool": {
                            "filter": [
                                {"ids": {"values": [identifier]}},
                                {"term": {field: value if isinstance(value, str) else json.dumps(value)}},
                            ]
                        }
                    },
                },
            )
        )
        answers = server.request("POST", "/_msearch", body)["responses"]
        missed += [
            entry for entry, answer in zip(chunk, answers, strict=True) if answer["hits"]["total"]["value"] != 1
        ]
    return missed


def known_conflicts() -> list[dict[str, Any]]:
    """Return an event for each example of each rule, and each open object as text, list, and hidden."""
    values: list[tuple[str, Any]] = [
        (rule.path, example.value) for rule in RULES if isinstance(rule, Rule) for example in rule.examples
    ]
    for name in ("requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"):
        values += [(name, ""), (name, "HIDDEN_DUE_TO_SECURITY_REASONS"), (name, [{"a": 1}, "b"]), (name, None)]
    events = []
    for number, (path, value) in enumerate(values):
        content = value
        for name in reversed(path.split(".")):
            content = {name: content}
        identifier = f"10000000-0000-0000-0000-{number:012d}"
        events.append({"eventID": identifier, "eventTime": "2026-11-20T01:02:03Z", **content})
    return events


@pytest.mark.promise("order-free")
def test_the_known_conflicts_load_in_every_order(server: Any, index: str, loader: Loader) -> None:
    """In one index, each pair of neighbours in both orders; no order changes a document or the mapping."""
    events = known_conflicts()
    orders = [events, events[::-1], *(random.Random(seed).sample(events, len(events)) for seed in range(4))]
    first: Any = None
    for order in orders:
        for event in order:
            loader.load(lines([event])) if order is orders[0] else None
        assert figures(loader.load(lines(order))) == (len(events), len(events), 0)
        assert loader.count(event["eventID"] for event in events) == len(events)
        hits = search(server, index, {"match_all": {}}, size=500)["hits"]
        documents = drop_times({hit["_id"]: hit["_source"] for hit in hits})
        mapping = server.request("GET", f"/{index}/_mapping")
        first = first or (documents, mapping)
        assert (documents, mapping) == first
        server.request("DELETE", f"/{index}")


def both_forms() -> list[dict[str, Any]]:
    """Return a scalar and an object at each of some hundreds of paths with known conflicts."""
    paths = random.Random(11).sample(hard_conflicts(), 300)
    values = [f"text of {index}" for index in range(len(paths))]
    scalars = [at(path, value) for path, value in zip(paths, values, strict=True)]
    objects = [
        at(path, {"name": value, "value": {"name": value}}) for path, value in zip(paths, values, strict=True)
    ]
    return [
        {"eventID": f"30000000-0000-0000-0000-{number:012d}", "eventTime": "2026-11-20T01:02:03Z", **record}
        for number, record in enumerate(itertools.chain(scalars, objects))
    ]


@pytest.mark.promise("findable")
def test_both_sides_of_the_catalogues_conflicts_are_found(server: Any, index: str, loader: Loader) -> None:
    """All in one index, nothing is quarantined, and each value is found under the name that `locate` returns."""
    events = random.Random(12).sample(both_forms(), 600)
    assert figures(loader.load(lines(events))) == (600, 600, 0)
    assert loader.count(event["eventID"] for event in events) == 600
    wanted = [
        (hit["_id"], found.field, found.value)
        for hit in search(server, index, {"match_all": {}}, size=600)["hits"]
        for found in locate(hit["_source"])
        if found.field is not None and str(found.value).startswith("text ")
    ]
    assert len(wanted) == 900
    assert missing(server, index, wanted) == []


ODD = {
    "blank keys": {"": 1, " ": {"": {" ": "x"}}},
    "dots": {"a.b": {"c.d": "x"}, ".a": 1, "a.": 2, ".": 3, "..": {"...": 4}},
    "mixed list": {"list": ["a", 1, True, None, {"k": "v"}, [["x"], {"y": 1}], []]},
    "long": {"text": "x" * 40_000, "wide": "\u20ac" * 12_000, "k" * 9_000: {"k" * 30_000: 1}},
    "nearly too long": {"text": "x" * 32_700, "wide": "\u20ac" * 10_900},
    "big numbers": {"whole": 2**80, "negative": -(2**70), "float": 1e300, "small": 5e-324},
    "number as text": {"text": "NaN", "n": "1", "b": "true", "date": "Aug 16, 2018 7:12:08 AM"},
    "surrogate": json.loads('{"lone": "\\ud800", "\\ud801": "key", "ok": "\\ud83d\\ude00"}'),
    "control": {"nul": "\x00", "tab\t": "\n", "del": "\x7f"},
    "empty": {"object": {}, "list": [], "text": "", "null": None, "nulls": [None, [None]]},
    "declared as other": {"bucketName": {"deep": 1}, "policy": [[{"a": 1}], "b"], "tagSet": "text"},
    "deep": json.loads('{"a":' * 90 + "1" + "}" * 90),
}


@pytest.mark.promise("reversible")
@pytest.mark.parametrize("name", ODD)
def test_an_odd_event_is_loaded_and_restored(server: Any, index: str, loader: Loader, name: str) -> None:
    """Declared, undeclared and top-level fields: none is rejected, and each change is reversible."""
    event = {
        "eventID": "20000000-0000-0000-0000-000000000000",
        "requestParameters": ODD[name],
        "responseElements": [ODD[name]],
        "additionalEventData": {"neverDeclared": ODD[name]},
        **ODD[name],
    }
    assert figures(loader.load(lines([event]))) == (1, 1, 0)
    assert loader.count([event["eventID"]]) == 1
    (hit,) = search(server, index, {"match_all": {}}, size=1)["hits"]
    assert restore(hit["_source"]) == event


def _odd_texts() -> list[bytes]:
    """Return events that no Python value can represent: duplicate names, and deep nesting."""
    levels = [("[", "]"), ('{"a":', "}"), ('{"a":[', "]}")]
    deep = [f'{opening * 900}"found"{closing * 900}' for opening, closing in levels]
    members = [
        '"requestParameters":{"bucketName":"found","bucketName":"last"}',
        '"requestParameters":{"nobody":{"x":"found","x":"last"}}',
        '"requestParameters":{"a\\/b":"found","a/b":"last"}',
        '"responseElements":{"a":"found"},"responseElements":{"b":"last"}',
        '"userIdentity":{"type":"found","type":"last"}',
        '"resources":[{"ARN":"first"},{"ARN":"found","ARN":"last"}]',
        '"eventName":"found","eventName":"last"',
        *(f'"requestParameters":{{"bucketName":{value}}}' for value in deep),
        *(f'"nobodyKnows":{value}' for value in deep),
        *(f'"userIdentity":{{"userName":{value}}}' for value in deep),
    ]
    return [
        b'{"eventID":"20000000-0000-0000-0000-%012d","eventTime":"2026-11-20T01:02:03Z",%b}'
        % (number, text.encode())
        for number, text in enumerate(members)
    ]


@pytest.mark.promise("findable")
@pytest.mark.parametrize("is_staged", [False, True])
def test_duplicate_names_and_any_depth_are_loaded_found_and_restored(
    server: Any, index: str, loader: Loader, is_staged: bool
) -> None:
    """The server rejects duplicate names; such a value, like a deep one, is found by its SHA-256."""
    odd = _odd_texts()
    staged = [
        b'{"lookup":{"EventId":"20000000-0000-0000-0000-%012d"},"event":%b}' % (number, line)
        for number, line in enumerate(odd)
    ]
    assert figures(loader.load(staged if is_staged else odd)) == (len(odd), len(odd), 0)
    assert loader.count_held(odd).indexed == len(odd)
    query = {"term": {"unindexed.sha256": hashlib.sha256(b"found").hexdigest()}}
    hits = search(server, index, query, size=len(odd))["hits"]
    events = {document_id(event): (event, line) for line in odd if isinstance(event := parse_line(line), Event)}
    assert {hit["_id"] for hit in hits} == events.keys()
    for hit in hits:
        event, line = events[hit["_id"]]
        restored = restore(hit["_source"])
        if event.earlier:
            assert meaning(codec.encode(restored)) == meaning(line)
        else:
            assert restored == event.record
    assert loader.replay() == LoadReport()


def test_compressed_requests_load_the_same(
    search_url: str, index: str, recorded_events: list[dict[str, Any]]
) -> None:
    """They have a quarter of the bytes."""
    body = b"\n".join(lines(recorded_events))
    content, headers = encode_body(body, compress=True)
    assert content is not None
    assert (gzip.decompress(content), headers) == (body, {"content-encoding": "gzip"})
    assert len(content) < len(body) / 4
    assert encode_body(b"{}", compress=True) == encode_body(b"{}", compress=False) == (b"{}", {})
    server = connect(SearchSettings.from_url(search_url, compress=True))
    loader = Loader(server, IndexPattern(index), build_schema("typed", RULES), QUICK)
    loader.prepare()
    count = len(recorded_events)
    assert figures(loader.load(lines(recorded_events))) == (count, count, 0)


@pytest.mark.promise("nothing-lost")
def test_a_read_only_index_loses_nothing(server: Any, index: str, loader: Loader) -> None:
    """The load fails with the reason, and succeeds after the block is lifted."""
    server.request("PUT", f"/{index}")
    block: Callable[[bool], Any] = lambda on: server.request(  # noqa: E731
        "PUT", f"/{index}/_settings", codec.encode({"index.blocks.write": on or None})
    )
    events = known_conflicts()[:5]
    block(True)
    with pytest.raises(ThrottledError, match=rf"did not accept 5 documents for {index}.*Nothing is lost"):
        loader.load(lines(events))
    block(False)
    assert figures(loader.load(lines(events))) == (5, 5, 0)


def test_the_strategy_of_an_index_cannot_change(server: Any, index: str) -> None:
    """A typed index cannot hold flattened documents, because it would not index their fields."""
    for first, second in itertools.permutations(STRATEGIES):
        name = f"{index}-{first}"
        Loader(server, IndexPattern(name), build_schema(first, RULES)).prepare()
        server.request("PUT", f"/{name}")
        with pytest.raises(MappingError, match=f"was created with mapping={first}"):
            Loader(server, IndexPattern(name), build_schema(second, RULES)).prepare()


def test_a_new_field_is_added_to_existing_indices(server: Any, index: str) -> None:
    """The fields of a longer fields file are added to existing mappings too."""
    Loader(server, IndexPattern(index), build_schema("typed", RULES)).prepare()
    server.request("PUT", f"/{index}")
    Loader(server, IndexPattern(index), build_schema("typed", RULES, ["requestParameters.mine"])).prepare()
    mapping = server.request("GET", f"/{index}/_mapping")[index]["mappings"]
    assert mapping["properties"]["requestParameters"]["properties"]["mine"] == {"type": "keyword"}


def test_the_fields_limit_of_an_existing_index_is_raised(server: Any, index: str) -> None:
    """The server's default of 1,000 fields is raised; the mapping is added, and nothing is quarantined."""
    server.request("PUT", f"/{index}")
    loader = Loader(server, IndexPattern(index), build_schema("typed", RULES), QUICK)
    loader.prepare()
    events = known_conflicts()
    assert figures(loader.load(lines(events))) == (len(events), len(events), 0)
    assert server.request("GET", f"/{index}/_mapping")[index]["mappings"]["dynamic"] in {False, "false"}


def test_an_unreachable_server_is_a_transient_error() -> None:
    """The error has the address, and says that nothing is lost."""
    for engine in ("elasticsearch", "opensearch"):
        server = connect(SearchSettings.from_url("http://user:secret@127.0.0.1:9"), engine)
        with pytest.raises(
            TransientError, match=r"http://127\.0\.0\.1:9 cannot be reached.*Nothing is lost"
        ) as raised:
            server.request("GET", "/")
        assert "secret" not in str(raised.value)
