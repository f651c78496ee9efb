"""The fast path: if it makes a document, it is the document of the walk."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.documents.declared_fields import OPEN_OBJECTS
from cloudtrail_elasticsearch.core.documents.events import Event, parse_line
from cloudtrail_elasticsearch.core.documents.fast_path import FastPath
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.rules import load_rules, read_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Schema, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from tests.core.strategies import names, records, scalars, values
from tests.core.texts import holds_text

SCHEMAS = {strategy: build_schema(strategy, load_rules()) for strategy in STRATEGIES}
EVENT: dict[str, Any] = {
    "eventVersion": "1.11",
    "userIdentity": {"type": "IAMUser", "accountId": "123456789012", "userName": "ada"},
    "eventTime": "2026-11-20T01:02:03Z",
    "eventSource": "ec2.amazonaws.com",
    "eventName": "DescribeInstances",
    "sourceIPAddress": "192.0.2.1",
    "requestParameters": {"instancesSet": {}, "filterSet": {}},
    "responseElements": None,
    "eventID": "86f3858e-4df0-4e40-9f05-38cfbe2a9c09",
    "readOnly": True,
    "recipientAccountId": "123456789012",
}
LOOKUP: dict[str, Any] = {
    "EventId": EVENT["eventID"],
    "EventTime": "2026-11-20T01:02:03+00:00",
    "Username": "ada",
    "Resources": [{"ResourceType": "AWS::EC2::Instance", "ResourceName": "i-1"}],
}


def agree(schema: Schema, line: bytes) -> bool:
    """Whether the fast path makes a document; it is then the walk's document, and no name in it is repeated."""
    fast = FastPath(schema).document(line) if id(schema) not in FAST else FAST[id(schema)].document(line)
    if fast is None:
        return False
    event = parse_line(line)
    assert isinstance(event, Event)
    walked = Normalizer(schema).document(event)
    source = codec.decode(fast.source)
    assert not holds_text(source)
    assert source == codec.decode(codec.encode(walked.source))
    assert fast.id == walked.id
    assert walked.time is not None
    assert fast.day == str(walked.time.date())
    if line == codec.encode(codec.decode(line)):  # written as the loader writes
        assert fast.source == codec.encode(walked.source)
    return True


FAST = {id(schema): FastPath(schema) for schema in SCHEMAS.values()}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_most_recorded_events_take_the_fast_path(
    strategy: Strategy, recorded_events: list[dict[str, Any]]
) -> None:
    """As bare records and as staged lines."""
    lines = [codec.encode(event) for event in recorded_events]
    lines += [codec.encode({"lookup": LOOKUP, "event": event}) for event in recorded_events]
    assert sum(agree(SCHEMAS[strategy], line) for line in lines) > 0.8 * len(lines)


@pytest.mark.promise("reversible")
@given(
    changes=st.dictionaries(st.sampled_from(sorted(EVENT)) | names, scalars | values, max_size=2),
    opened=st.dictionaries(st.sampled_from(OPEN_OBJECTS), records, max_size=2),
    strategy=st.sampled_from(STRATEGIES),
    is_staged=st.booleans(),
)
def test_the_fast_path_and_the_walk_make_the_same_document(
    changes: dict[str, Any], opened: dict[str, Any], strategy: Strategy, is_staged: bool
) -> None:
    """Whatever value a field has, and whatever fields are added."""
    event = json.loads(json.dumps(EVENT | opened | changes))
    agree(SCHEMAS[strategy], codec.encode({"lookup": LOOKUP, "event": event} if is_staged else event))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("opened", "is_fast"),
    [
        ({"requestParameters": {"nobody": {"knows": ["this", 7]}}}, True),
        ({"requestParameters": {"userName": "eve"}, "responseElements": {"ConsoleLogin": "Failure"}}, True),
        ({"requestParameters": {"key": 0.5}}, False),
        ({"requestParameters": {"key": [["a"]]}}, False),
        ({"requestParameters": {"k" * 64: "a"}}, True),
        ({"requestParameters": {"k" * 65: "a"}}, False),
        ({"requestParameters": {"key": "\u20ac"}}, False),
        ({"requestParameters": "HIDDEN_DUE_TO_SECURITY_REASONS"}, False),
        ({"requestParameters": {"key": "x" * 5_000}}, False),
        ({"requestParameters": {"key": ["x" * 100] * 100}}, True),
        ({"requestParameters": {"key": '"x" ' * 2_000}}, False),
        ({"nobody": "knows this"}, False),
        ({"eventTime": "yesterday"}, False),
        ({"eventID": "7"}, False),
    ],
)
def test_only_events_that_surely_fit_take_the_fast_path(
    strategy: Strategy, opened: dict[str, Any], is_fast: bool
) -> None:
    """Other events need the walk."""
    assert agree(SCHEMAS[strategy], codec.encode(EVENT | opened)) == is_fast
    assert agree(SCHEMAS[strategy], codec.encode({"lookup": LOOKUP, "event": EVENT | opened})) == is_fast


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "items", [[], [None], [{}], [{"instanceId": "i-1"}, None], ["i-1"], [[]], 7, {"a": 1}, None]
)
@pytest.mark.parametrize(
    "more", [{}, {"imageId": {"a": 1}}, {"imageId": ["a", None]}, {"nobody": ["knows"]}, {"": 1}]
)
def test_objects_and_lists_in_open_objects_have_the_places_of_the_walk(
    strategy: Strategy, items: Any, more: dict[str, Any]
) -> None:
    """Whether all of an open object fits its declared fields, or only a part of it."""
    parameters = {"instancesSet": {"items": items}, "instanceType": "t3.nano"}
    agree(SCHEMAS[strategy], codec.encode(EVENT | {"requestParameters": parameters}))
    agree(SCHEMAS[strategy], codec.encode(EVENT | {"requestParameters": parameters | more}))
    listed = {"instancesSet": {"items": [{"instanceId": "i-1", **more}, items]}}
    agree(SCHEMAS[strategy], codec.encode(EVENT | {"responseElements": listed}))


def test_the_right_open_object_is_replaced() -> None:
    """The event may hold the same name and the same text elsewhere, with other blanks."""
    unfit = {"nobody": {"knows": "this"}}
    nested = {"serviceEventDetails": {"requestParameters": unfit}}
    for separators in ((",", ":"), (", ", ": ")):
        line = json.dumps(nested | EVENT | {"requestParameters": unfit}, separators=separators).encode()
        for schema in SCHEMAS.values():
            agree(schema, line)
            agree(schema, line.replace(b'"requestParameters":', b'"requestParameters" :', 1))
            agree(schema, line.replace(b'"requestParameters": ', b'"requestParameters":', 1))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"7",
        b'{"lookup":{},"event":7}',
        b'{"lookup":{"event":{}},"event":{}}',
        b'{"lookup":{},"event":%b,"more":{}}' % codec.encode(EVENT),
        codec.encode(EVENT) + b"}",
        codec.encode(EVENT)[:-1],
        codec.encode(EVENT) + b" ",
        codec.encode(EVENT).replace(b",", b",\n", 1),
    ],
)
def test_the_fast_path_takes_no_other_line(line: bytes) -> None:
    """Its result would not be JSON, or not one line of a bulk request."""
    assert FastPath(SCHEMAS["typed"]).document(line) is None


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("requestParameters", {"do": "drop"}),
        ("requestParameters.filterSet", {"do": "mask"}),
        ("responseElements", {"do": "rename", "to": "answered"}),
        ("userIdentity.userName", {"do": "mask"}),
        ("eventID", {"do": "mask"}),
    ],
)
def test_user_rules_apply(strategy: Strategy, path: str, change: dict[str, Any]) -> None:
    """Above all the rules that hide secrets."""
    rule = {"name": "mine", "path": path, "why": "a test", "change": change, "examples": []}
    rules = read_rules(json.dumps({"rules": [rule]}).encode(), "mine.yaml")
    schema = build_schema(strategy, rules + load_rules())
    event = EVENT | {"responseElements": {"userName": "ada"}}
    top = path.partition(".")[0]
    without = {name: value for name, value in event.items() if name != top}
    for each in (event, without, event | {top: None}, event | {top: {}}):
        agree(schema, codec.encode(each))
        agree(schema, codec.encode({"lookup": LOOKUP, "event": each}))


USUAL: dict[str, Any] = {
    "instancesSet": {"items": [{"instanceId": "i-1"}, {"instanceId": "i-2"}]},
    "userName": "ada",
    "maxResults": 20,
    "dryRun": False,
}
_objects = st.dictionaries(st.sampled_from(sorted(USUAL)) | names, scalars | values, max_size=3)


@given(first=_objects, second=_objects, strategy=st.sampled_from(STRATEGIES), names=st.permutations(OPEN_OBJECTS))
def test_open_objects_agree_in_any_order(
    first: dict[str, Any], second: dict[str, Any], strategy: Strategy, names: list[str]
) -> None:
    """The changes to two open objects are listed in the order in which the record holds the objects."""
    event = EVENT | {names[0]: USUAL | first}
    del event["requestParameters"], event["responseElements"]
    agree(SCHEMAS[strategy], codec.encode(json.loads(json.dumps(event | {names[1]: USUAL | second, **event}))))
    agree(SCHEMAS[strategy], codec.encode(json.loads(json.dumps({names[1]: second, names[0]: first} | event))))


@pytest.mark.parametrize("first", [True, False])
def test_a_user_with_the_name_of_an_open_object_changes_no_order(first: bool) -> None:
    """The name stands before the record, in the members of LookupEvents."""
    names = ["requestParameters", "responseElements"]
    changed = {name: {"unknown": name} for name in (names if first else reversed(names))}
    event = {name: value for name, value in EVENT.items() if name not in names}
    for name in names:
        line = codec.encode({"lookup": LOOKUP | {"Username": name}, "event": changed | event})
        assert agree(SCHEMAS["typed"], line) == first


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", ["class", "_private", "a-b", "aws:tag", "a.b", " ", "7", ""])
def test_any_name_in_an_open_object_takes_the_fast_path(strategy: Strategy, name: str) -> None:
    """Also a name that Python cannot use for an attribute."""
    assert agree(SCHEMAS[strategy], codec.encode(EVENT | {"requestParameters": {"outer": {name: "x"}}}))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_rule_on_values_applies_to_each_event(strategy: Strategy) -> None:
    """Two values of one type may fall under different rules."""
    rule = {
        "name": "mine",
        "path": "requestParameters.userName",
        "why": "a test",
        "change": {"do": "parse"},
        "examples": [],
    }
    rules = read_rules(json.dumps({"rules": [rule]}).encode(), "mine.yaml")
    schema = build_schema(strategy, rules + load_rules())
    for text in ("ada", '{"a":"b"}', '{"a":"b","a":"c"}', '{"a":1e10}', '{"a":{"b":[[0.0001]]}}'):
        assert agree(schema, codec.encode(EVENT | {"requestParameters": {"userName": text}}))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("number", "is_fast"), [(b"0", True), (b"-0", False), (b"-01", False), (b"9" * 30, True), (b"-7", True)]
)
def test_a_number_is_written_as_the_walk_writes_it(strategy: Strategy, number: bytes, is_fast: bool) -> None:
    """A keyword field indexes the text of a number, so ``-0`` and ``0`` would be two values."""
    line = codec.encode(EVENT).replace(b'"instancesSet":{}', b'"userName":' + number)
    assert (FAST[id(SCHEMAS[strategy])].document(line) is not None) == is_fast


PLACES = [
    b'%b,"eventID":"86f3858e-4df0-4e40-9f05-38cfbe2a9c09"}',
    b'%b,"readOnly":true}',
    b'%b,"userIdentity":null}',
    b'%b,"tlsDetails":{"tlsVersion":"a","tlsVersion":"a"}}',
    b'%b,"resources":[{"ARN":"a","ARN":"b"}]}',
    b'%b,"additionalEventData":{"a":1,"a":1}}',
    b'%b,"additionalEventData":{"a":{"b":[{"c":1,"c":2}]}}}',
    b'%b,"additionalEventData":{},"additionalEventData":{"a":1}}',
    b'%b,"additionalEventData":{"/":1,"\\/":1}}',
    b'%b,"additionalEventData":{"":1,"":1}}',
]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("place", PLACES)
def test_a_repeated_name_never_takes_the_fast_path(strategy: Strategy, place: bytes) -> None:
    """In the envelope or in an open object, at any depth, bare or staged, with or without blanks."""
    line = place % codec.encode(EVENT)[:-1]
    for each in (line, line.replace(b":", b": "), b'{"lookup":%b,"event":%b}' % (codec.encode(LOOKUP), line)):
        assert isinstance(parse_line(each), Event)
        assert FAST[id(SCHEMAS[strategy])].document(each) is None
