"""Aggregated events, Insights events and network activity events are handled like other events."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.documents.declared_fields import Kind
from cloudtrail_elasticsearch.core.documents.events import (
    Event,
    Unreadable,
    content_id,
    document_id,
    event_account,
    event_time,
    line_place,
    parse_line,
)
from cloudtrail_elasticsearch.core.documents.explain import locate
from cloudtrail_elasticsearch.core.documents.fast_path import FastPath
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.documents.unindexed import scalars
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.event_template import make_event_mappings
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.adapter import Adapter
from cloudtrail_elasticsearch.core.search.bulk import BulkItem
from cloudtrail_elasticsearch.core.search.sender import LoadSettings, Sender
from tests.core.kinds import ACCOUNT, AGGREGATED, IDS, INSIGHT, KINDS, NETWORK_ACTIVITY
from tests.core.strategies import values
from tests.core.test_load import Server

SCHEMAS = {strategy: build_schema(strategy, load_rules()) for strategy in STRATEGIES}
TIMES = {
    "aggregated": "2026-10-31T23:55:00Z",
    "insight": "2026-11-20T01:02:00Z",
    "network activity": "2026-11-20T01:02:03Z",
}
OTHER_ID = "9a0d3d1c-0f9c-4c53-9a90-5e7c5b1f0a11"


def documented(strategy: Strategy, record: dict[str, Any]) -> dict[str, Any]:
    """Return the document as a server returns it."""
    source = Normalizer(SCHEMAS[strategy]).document(Event(record, {})).source
    return codec.decode(codec.encode(source))  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_identified_by_its_own_id(kind: str) -> None:
    """As a record of a file or a staged one, parsed or not."""
    line = codec.encode(KINDS[kind])
    for text in (line, b'{"lookup":{},"event":%b}' % line):
        event = parse_line(text)
        assert isinstance(event, Event)
        assert document_id(event) == line_place(text)[0] == IDS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_time_and_account(kind: str) -> None:
    """The time of an aggregated event is the beginning of its window."""
    event = Event(KINDS[kind], {})
    assert event_time(event) == datetime.fromisoformat(TIMES[kind])
    assert event_account(event.record) == ACCOUNT


@pytest.mark.parametrize(
    ("start", "time"),
    [
        ("2026-11-20T01:00Z", "2026-11-20T01:00:00Z"),
        ("2026-11-20T01:00+02:00", "2026-11-19T23:00:00Z"),
        ("2026-11-20T01:00:00.000Z", "2026-11-20T01:00:00Z"),
        ("2026-11-20T01:00:00-05:00", "2026-11-20T06:00:00Z"),
    ],
)
def test_a_window_begins_at_a_time_in_any_iso_spelling(start: str, time: str) -> None:
    """With or without seconds. The window's begin is also kept under its own name."""
    record = AGGREGATED | {"timeWindow": {"windowStart": start}}
    source = documented("typed", record)
    assert source["@timestamp"] == time
    assert source["timeWindow"]["windowStart"] == start
    assert restore(source) == record


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_goes_to_the_index_of_its_time(kind: str, strategy: Strategy) -> None:
    """Under its id, on the fast path and on the walk."""
    server = Server()
    adapter = Adapter(server, Sender(server, LoadSettings()), IndexPattern("cloudtrail-%Y.%m"), SCHEMAS[strategy])
    item = adapter.render(codec.encode(KINDS[kind]))
    assert isinstance(item, BulkItem)
    assert (item.id, item.index) == (IDS[kind], f"cloudtrail-{TIMES[kind][:7].replace('-', '.')}")
    assert item.document is not None
    assert codec.decode(item.document)["@timestamp"] == TIMES[kind]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_value_of_each_kind_has_a_declared_field(kind: str, strategy: Strategy) -> None:
    """Under its own name: nothing goes to overflow, and the event is restored."""
    source = documented(strategy, KINDS[kind])
    assert not {"overflow", "unindexed", "normalization"} & source.keys()
    assert [found.original for found in locate(source)] == list(scalars(KINDS[kind]))
    assert restore(source) == KINDS[kind]
    identity = KINDS[kind].get("userIdentity", {})
    assert source["cloud"]["account"]["id"] == identity.get("accountId", ACCOUNT)


@pytest.mark.parametrize("engine", ["elasticsearch", "opensearch"])
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("timeWindow.windowStart", "date"),
        ("timeWindow.windowEnd", "date"),
        ("timeWindow.windowSize", "keyword"),
        ("accountId", "keyword"),
        ("summary.details.statistics.name", "keyword"),
        ("summary.details.statistics.value", "double"),
        ("summary.primaryDimension.statistics.value", "double"),
        ("insightDetails.insightContext.statistics.baseline.average", "double"),
        ("insightDetails.insightContext.statistics.insightDuration", "double"),
        ("insightDetails.insightContext.attributions.insight.value", "keyword"),
        ("vpcEndpointAccountId", "keyword"),
    ],
)
def test_statistics_have_numeric_fields(engine: Any, path: str, kind: str) -> None:
    """So they can be summed and averaged. Times are dates, all else is a keyword."""
    for schema in SCHEMAS.values():
        field: dict[str, Any] = make_event_mappings(schema, engine)
        for name in path.split("."):
            field = field["properties"][name]
        assert field["type"] == kind
        assert schema.fields(path) == (path,)


@pytest.mark.parametrize(
    ("record", "kind", "outcome"),
    [
        (AGGREGATED, "metric", None),
        (INSIGHT, "alert", None),
        (NETWORK_ACTIVITY, "event", "failure"),
        (NETWORK_ACTIVITY | {"errorCode": None, "errorMessage": None}, "event", "success"),
        ({"eventName": "Get", "eventCategory": "Aggregated"}, "metric", None),
        ({"eventName": "Get", "eventCategory": "Insight", "eventType": None}, "alert", None),
        ({"eventName": "Get", "eventCategory": ["Insight"], "eventType": {"a": "b"}}, "event", "success"),
    ],
)
def test_only_a_call_has_an_outcome(record: dict[str, Any], kind: str, outcome: str | None) -> None:
    """An Insights event is an alert and an aggregated event is a metric; neither succeeds or fails."""
    event = documented("typed", record)["event"]
    assert event["kind"] == kind
    assert event.get("outcome") == outcome
    assert event["dataset"] == "aws.cloudtrail"


def test_network_activity_takes_the_fast_path() -> None:
    """A network activity event has the envelope of an API call."""
    assert all(FastPath(schema).document(codec.encode(NETWORK_ACTIVITY)) for schema in SCHEMAS.values())


@pytest.mark.parametrize(
    ("given_id", "given_other", "expected"),
    [
        (IDS["insight"], OTHER_ID, IDS["insight"]),
        (None, OTHER_ID, OTHER_ID),
        ("-", OTHER_ID, OTHER_ID),
        ({"a": "b"}, OTHER_ID.upper(), OTHER_ID.upper()),
        (None, "no-uuid", None),
        (None, [OTHER_ID], None),
        ("-", 7, None),
    ],
)
def test_the_usual_one_of_two_ids_is_used(given_id: Any, given_other: Any, expected: str | None) -> None:
    """If neither is a UUID, the id is computed from the content."""
    record = AGGREGATED | {"eventID": given_id, "eventId": given_other}
    named = document_id(Event(record, {}))
    assert named == (expected or content_id(codec.canonical(record)))
    assert line_place(codec.encode(record))[0] == named
    assert document_id(Event(record, {"EventId": "00000000-0000-0000-0000-000000000001"})) == named


@pytest.mark.parametrize(
    "window",
    [
        "2026-10-31T23:55:00Z",
        None,
        [],
        {},
        {"windowStart": "yesterday"},
        {"windowStart": 1_761_954_900},
        {"windowStart": {"at": "2026-10-31T23:55:00Z"}},
        [{"windowStart": "2026-10-31T23:55:00Z"}],
        {"windowStart": "2026-10-31T23:55:00"},
    ],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_window_without_a_time_has_a_place(window: Any, strategy: Strategy) -> None:
    """The event goes to the undated index, or to that of another time in it; every value is stored."""
    record = AGGREGATED | {"timeWindow": window}
    document = Normalizer(SCHEMAS[strategy]).document(Event(record, {}))
    assert (document.id, document.time) == (IDS["aggregated"], None)
    source = documented(strategy, record)
    assert "@timestamp" not in source
    assert restore(source) == record
    assert len(list(locate(source))) == len(list(scalars(record)))
    later = Event(record | {"eventTime": "2026-11-20T01:02:03Z"}, {})
    assert event_time(later) == datetime.fromisoformat("2026-11-20T01:02:03Z")


@pytest.mark.parametrize(
    ("number", "is_declared"),
    [
        (0, True),
        (-7, True),
        (0.0000882145, True),
        (-0.0, True),
        (5e-324, True),
        (1.5e300, True),
        (2**53, True),
        (2**53 + 1, False),
        (-(2**80), False),
        (True, False),
        ("12.5", False),
        ("NaN", False),
        ("", False),
        ({"n": 1}, False),
    ],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_only_exact_doubles_go_to_numeric_fields(number: Any, is_declared: bool, strategy: Strategy) -> None:
    """Any other value goes to overflow, alone or in a list."""
    for value in (number, [number, 1], [[number]]):
        record = {"insightDetails": {"insightContext": {"statistics": {"insightDuration": value}}}}
        source = documented(strategy, record)
        assert ("overflow" not in source) == is_declared
        assert "normalization" not in source
        assert restore(source) == record
        assert [found.original for found in locate(source)].count(number) >= (0 if number == {"n": 1} else 1)


PATHS = [
    (*path, name)
    for record in KINDS.values()
    for path in [(), ("timeWindow",), ("summary",), ("summary", "primaryDimension"), ("insightDetails",),
                 ("insightDetails", "insightContext"), ("insightDetails", "insightContext", "statistics")]
    for name in [*record, "windowStart", "details", "statistics", "attributions", "insight", "value"]
]  # fmt: skip


@pytest.mark.promise("findable")
@given(
    kind=st.sampled_from(sorted(KINDS)),
    path=st.sampled_from(PATHS),
    value=values,
    strategy=st.sampled_from(STRATEGIES),
)
def test_any_value_in_any_place_of_a_kind_has_a_place(
    kind: str, path: tuple[str, ...], value: Any, strategy: Strategy
) -> None:
    """The walk and the fast path make the same document, and it is restored to the event."""
    record = json.loads(json.dumps(KINDS[kind]))
    target = record
    for name in path[:-1]:
        target = target.setdefault(name, {})
        if not isinstance(target, dict):
            return
    target[path[-1]] = json.loads(json.dumps(value))
    event = parse_line(codec.encode(record))
    assert isinstance(event, Event)
    document = Normalizer(SCHEMAS[strategy]).document(event)
    assert document == Normalizer(SCHEMAS[strategy]).document(Event(record, {}))
    source = codec.decode(codec.encode(document.source))
    assert restore(source) == record
    assert len(list(locate(source))) == len(list(scalars(record)))
    assert document.id == line_place(codec.encode(record))[0]
    fast = FastPath(SCHEMAS[strategy]).document(codec.encode(record))
    assert fast is None or (fast.id, codec.decode(fast.source)) == (document.id, source)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"a": 1},
        {"eventID": None, "eventName": None, "eventTime": None},
        {"requestParameters": {"eventID": OTHER_ID}},
        {"digestStartTime": "2026-11-20T01:00:00Z", "logFiles": []},
        {"index": {"_index": "cloudtrail", "_id": OTHER_ID}},
        {"class_uid": 6003, "time": 1_761_954_900},
        {"Records": []},
        {"lookup": {"EventId": OTHER_ID}, "event": {"a": 1}, "more": 1},
    ],
)
def test_an_object_that_is_not_an_event_has_a_reason(record: dict[str, Any]) -> None:
    """From every source, it goes whole to the quarantine."""
    for line in (codec.encode(record), b'{"lookup":{"Username":"ada"},"event":%b}' % codec.encode(record)):
        read = parse_line(line)
        assert isinstance(read, Unreadable)
        assert read.reason.startswith("not a CloudTrail event")
        assert read.text == line.decode()
        assert line_place(line)[0] == content_id(line)


@pytest.mark.parametrize("name", ["eventID", "eventId", "eventName", "eventTime", "timeWindow"])
@pytest.mark.parametrize("value", ["-", "", 7, False, {}, []])
def test_one_known_name_makes_an_object_an_event(name: str, value: Any) -> None:
    """Whatever its value is."""
    assert isinstance(parse_line(codec.encode({name: value})), Event)


@pytest.mark.parametrize("name", ["EventId", "EventName", "EventTime"])
def test_one_member_of_lookup_events_makes_a_record_an_event(name: str) -> None:
    """Even if the record has none of the known names."""
    assert isinstance(parse_line(b'{"lookup":{"%b":"x"},"event":{"a":1}}' % name.encode()), Event)
    assert isinstance(parse_line(b'{"lookup":{"%b":null},"event":{"a":1}}' % name.encode()), Unreadable)


def test_numbers_are_a_kind_of_field() -> None:
    """A path declared as a number is one under either strategy, and part of the fingerprint."""
    for schema in SCHEMAS.values():
        kinds = {path: node.kind for path, node in schema.root.walk()}
        assert kinds["summary.details.statistics.value"] is Kind.NUMBER
