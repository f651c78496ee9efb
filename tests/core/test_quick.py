"""The quick path: where it makes a document, it is the one that the careful way makes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.events import Event, parse_line
from cloudtrail_elasticsearch.core.familiar import FIRST
from cloudtrail_elasticsearch.core.normalize import Normalizer
from cloudtrail_elasticsearch.core.quick import QuickPath
from cloudtrail_elasticsearch.core.rules import load_rules, read_rules
from cloudtrail_elasticsearch.core.shape import OPEN_OBJECTS, STRATEGIES, Shape, Strategy, build
from tests.core.strategies import names, records, scalars, values

SHAPES = {strategy: build(strategy, load_rules()) for strategy in STRATEGIES}
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


def agree(shape: Shape, line: bytes) -> bool:
    """Whether the quick path makes a document of a line; it is then the careful one."""
    quick = QUICK[id(shape)].document(line) if id(shape) in QUICK else QuickPath(shape).document(line)
    if quick is None:
        return False
    event = parse_line(line)
    assert isinstance(event, Event)
    careful = Normalizer(shape).document(Event(event.record, event.lookup))
    assert Normalizer(shape).document(event) == careful
    assert codec.decode(quick.source) == codec.decode(codec.encode(careful.source))
    assert quick.id == careful.id
    assert careful.time is not None
    assert quick.day == str(careful.time.date())
    return True


QUICK = {id(shape): QuickPath(shape) for shape in SHAPES.values()}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_most_recorded_events_are_quick(strategy: Strategy, recorded_events: list[dict[str, Any]]) -> None:
    """As they are recorded, and as they are staged."""
    lines = [codec.encode(event) for event in recorded_events]
    lines += [codec.encode({"lookup": LOOKUP, "event": event}) for event in recorded_events]
    assert sum(agree(SHAPES[strategy], line) for line in lines) > 0.8 * len(lines)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_is_familiar_has_the_same_document(strategy: Strategy, recorded_events: list[dict[str, Any]]) -> None:
    """An operation's open objects are not looked at any more, once enough of them were."""
    shape = build(strategy, load_rules())
    QUICK[id(shape)] = QuickPath(shape)
    for event in recorded_events[:300]:
        line = codec.encode(event)
        for _ in range(FIRST):
            QUICK[id(shape)].document(line)
        agree(shape, line)
        agree(shape, line.replace(b"i-", b"j-"))
    assert any(known.decode(b"{}") is not None for known in QUICK.pop(id(shape))._familiar.values())


@given(
    changes=st.dictionaries(st.sampled_from(sorted(EVENT)) | names, scalars | values, max_size=2),
    opened=st.dictionaries(st.sampled_from(OPEN_OBJECTS), records, max_size=2),
    strategy=st.sampled_from(STRATEGIES),
    is_staged=st.booleans(),
)
def test_any_event_has_the_same_document_either_way(
    changes: dict[str, Any], opened: dict[str, Any], strategy: Strategy, is_staged: bool
) -> None:
    """With anything in its place or beside it."""
    event = json.loads(json.dumps(EVENT | opened | changes))
    agree(SHAPES[strategy], codec.encode({"lookup": LOOKUP, "event": event} if is_staged else event))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("opened", "is_quick"),
    [
        ({"requestParameters": {"nobody": {"knows": ["this", 7]}}}, True),
        ({"requestParameters": {"userName": "eve"}, "responseElements": {"ConsoleLogin": "Failure"}}, True),
        ({"requestParameters": {"key": 0.5}}, False),
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
def test_what_is_certain_is_quick(strategy: Strategy, opened: dict[str, Any], is_quick: bool) -> None:
    """And what is not, is left to be looked at."""
    assert agree(SHAPES[strategy], codec.encode(EVENT | opened)) == is_quick
    assert agree(SHAPES[strategy], codec.encode({"lookup": LOOKUP, "event": EVENT | opened})) == is_quick


def test_an_open_object_is_cut_out_at_its_own_place() -> None:
    """Its name and its text may stand elsewhere in the event too, written in other ways."""
    unfit = {"nobody": {"knows": "this"}}
    nested = {"serviceEventDetails": {"requestParameters": unfit}}
    for separators in ((",", ":"), (", ", ": ")):
        line = json.dumps(nested | EVENT | {"requestParameters": unfit}, separators=separators).encode()
        for shape in SHAPES.values():
            agree(shape, line)
            agree(shape, line.replace(b'"requestParameters":', b'"requestParameters" :', 1))
            agree(shape, line.replace(b'"requestParameters": ', b'"requestParameters":', 1))


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
    ],
)
def test_a_line_that_is_no_staged_event_is_looked_at(line: bytes) -> None:
    """Whatever it is."""
    assert QuickPath(SHAPES["typed"]).document(line) is None


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("requestParameters", {"do": "drop"}),
        ("requestParameters.filterSet", {"do": "mask"}),
        ("responseElements", {"do": "rename", "to": "answered"}),
        ("userIdentity.userName", {"do": "mask"}),
        ("lookup.username", {"do": "drop"}),
        ("eventID", {"do": "mask"}),
    ],
)
def test_rules_of_the_users_own_apply(strategy: Strategy, path: str, change: dict[str, Any]) -> None:
    """Secrets first of all."""
    rule = {"name": "mine", "path": path, "why": "a test", "change": change, "examples": []}
    rules = read_rules(json.dumps({"rules": [rule]}).encode(), "mine.yaml")
    shape = build(strategy, rules + load_rules())
    event = EVENT | {"responseElements": {"userName": "ada"}}
    top = path.partition(".")[0]
    without = {name: value for name, value in event.items() if name != top}
    for each in (event, without, event | {top: None}, event | {top: {}}):
        agree(shape, codec.encode(each))
        agree(shape, codec.encode({"lookup": LOOKUP, "event": each}))
