"""Normalization: every event has a document, and every document its event."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.events import Event, parse_line
from cloudtrail_elasticsearch.core.explain import locate
from cloudtrail_elasticsearch.core.normalize import DERIVED, Document, Normalizer, restore, scalars
from cloudtrail_elasticsearch.core.quick import QuickPath
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.shape import STRATEGIES, Kind, Node, Shape, build
from tests.core.strategies import nested, records

SHAPES = {strategy: build(strategy, load_rules()) for strategy in STRATEGIES}


@pytest.fixture(params=STRATEGIES)
def shape(request: pytest.FixtureRequest) -> Shape:
    return SHAPES[request.param]


def document(shape: Shape, record: dict[str, Any], lookup: dict[str, Any] | None = None) -> Document:
    return Normalizer(shape).document(Event(record, lookup or {}))


def stored(shape: Shape, record: dict[str, Any]) -> Any:
    """The document as a server gives it back."""
    return codec.decode(codec.encode(document(shape, record).source))


@given(record=records, strategy=st.sampled_from(STRATEGIES))
def test_any_event_is_restored_from_its_document(record: dict[str, Any], strategy: str) -> None:
    """restore(normalize(event)) == event, whatever the event holds."""
    assert restore(stored(SHAPES[strategy], record)) == record  # type: ignore[index]


@given(
    record=records,
    lookup=st.dictionaries(
        st.sampled_from(["Username", "Resources", "EventId"]), st.one_of(st.text(), records, st.lists(records))
    ),
    strategy=st.sampled_from(STRATEGIES),
)
def test_what_is_known_of_a_line_changes_no_document(
    record: dict[str, Any], lookup: dict[str, Any], strategy: str
) -> None:
    """The quick way that plain events take ends in what the careful one does."""
    normalizer = Normalizer(SHAPES[strategy])  # type: ignore[index]
    for line in (codec.encode(record), codec.encode({"lookup": lookup, "event": record})):
        event = parse_line(line)
        assert isinstance(event, Event)
        assert normalizer.document(event) == normalizer.document(msgspec.structs.replace(event, is_plain=False))


def test_every_recorded_event_has_the_same_document_either_way(recorded_events: list[dict[str, Any]]) -> None:
    """Most of them are plain."""
    for strategy in STRATEGIES:
        normalizer = Normalizer(SHAPES[strategy])
        events = [parse_line(codec.encode(record)) for record in recorded_events]
        plain = [event for event in events if isinstance(event, Event) and event.is_plain]
        assert len(plain) > 0.9 * len(events)
        for event in plain:
            assert normalizer.document(event) == normalizer.document(
                msgspec.structs.replace(event, is_plain=False)
            )


@given(record=records, strategy=st.sampled_from(STRATEGIES))
def test_no_document_can_be_refused(record: dict[str, Any], strategy: str) -> None:
    """Every value that stands at a declared path has the kind that is declared there."""
    shape = SHAPES[strategy]  # type: ignore[index]
    source = stored(shape, record)
    for name, node in shape.root.children.items():
        if name in source and node.kind is not Kind.UNMAPPED:
            _assert_fits(source[name], node)


def _assert_fits(value: Any, node: Node) -> None:
    for element in value if isinstance(value, list) else [value]:
        if isinstance(element, list):
            _assert_fits(element, node)
        elif node.kind is Kind.OBJECT and element is not None:
            assert isinstance(element, dict)
            for name, child in element.items():
                _assert_fits(child, node.children[name])
        elif node.kind is Kind.FLAT:
            assert isinstance(element, dict | None)
        elif element is not None:
            assert not isinstance(element, dict)
            assert node.kind is not Kind.BOOLEAN or isinstance(element, bool)
            if isinstance(element, str):
                assert len(element.encode()) < 32_766


@given(record=records, strategy=st.sampled_from(STRATEGIES))
def test_every_scalar_has_a_place(record: dict[str, Any], strategy: str) -> None:
    """As many scalars stand in the document as in the event: none is dropped."""
    source = stored(SHAPES[strategy], record)  # type: ignore[index]
    found = list(locate(source))
    assert len(found) == len(list(scalars(record)))


def test_a_declared_path_keeps_its_name(shape: Shape) -> None:
    """What CloudTrail itself fills is found under CloudTrail's own names."""
    record = {"eventName": "RunInstances", "readOnly": False, "userIdentity": {"type": "Root"}}
    source = stored(shape, record)
    assert {name: source[name] for name in record} == record
    assert "overflow" not in source


def test_an_undeclared_path_goes_to_overflow() -> None:
    """What is not declared stands under its own path in overflow."""
    source = stored(SHAPES["typed"], {"requestParameters": {"neverSeenBefore": {"deep": [1, 2]}}})
    assert source["overflow"] == {"requestParameters": {"neverSeenBefore": {"deep": [1, 2]}}}
    assert "requestParameters" not in source


def test_a_list_of_objects_is_parted_element_by_element() -> None:
    """Both parts of a list keep its length, so that it can be put together again."""
    record = {"resources": [{"ARN": "a", "odd": 1}, {"ARN": "b"}, "text"]}
    source = stored(SHAPES["typed"], record)
    assert source["resources"] == [{"ARN": "a"}, {"ARN": "b"}, None]
    assert source["overflow"]["resources"] == [{"odd": 1}, None, "text"]
    assert restore(source) == record


def test_a_wrong_kind_at_a_declared_path_goes_to_overflow(shape: Shape) -> None:
    """An object where text is declared, text where a boolean or a date is: all kept, all findable."""
    record = {"eventName": {"a": "b"}, "readOnly": "maybe", "eventTime": "yesterday", "userIdentity": "nobody"}
    source = stored(shape, record)
    assert source["overflow"] == record


@pytest.mark.parametrize("name", sorted(DERIVED))
def test_an_events_own_field_of_a_reserved_name_is_kept(shape: Shape, name: str) -> None:
    """A name that the loader itself uses does not cost the event its value."""
    source = stored(shape, {name: {"own": "value"}})
    assert source["overflow"] == {name: {"own": "value"}}
    assert restore(source) == {name: {"own": "value"}}


@pytest.mark.parametrize(
    "value",
    ["x" * 40_000, "\u20ac" * 12_000, "\ud800", {"\ud800": 1}, nested(200)],
    ids=["long", "long in UTF-8", "lone surrogate", "lone surrogate in a name", "deep"],
)
def test_what_no_field_can_index_is_kept_unindexed(shape: Shape, value: Any) -> None:
    """It is left out of the index, never out of the document, and comes back as it was."""
    record = {"requestParameters": {"name": value, "other": [value, "plain"]}}
    source = stored(shape, record)
    assert len(source["unindexed"]) >= 2
    assert restore(source) == record


def test_a_long_text_is_found_by_its_digest(shape: Shape) -> None:
    """As sha256sum prints it, of the text in UTF-8; explain says so."""
    text = "\u20ac" * 12_000
    source = stored(shape, {"requestParameters": {"policyDocument": text}})
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert source["unindexed"][0]["path"] == "requestParameters.policyDocument"
    assert source["unindexed"][0]["sha256"] == [expected]
    [found] = locate(source)
    assert (found.field, found.value, found.original) == ("unindexed.sha256", expected, text)
    assert found.at == "requestParameters.policyDocument"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1648282488.418, "1.648282488418E9"),
        (1e22, "1.0E22"),
        (-1.5e-7, "-1.5E-7"),
        (12345678.9, "1.23456789E7"),
        (1e7, "1.0E7"),
        (0.0005, "5.0E-4"),
        (5e-324, "5.0E-324"),
    ],
)
def test_a_great_or_small_number_is_found_in_either_notation(shape: Shape, number: float, text: str) -> None:
    """As the event has it, and as the servers write a number that is searched for."""
    record = {"requestParameters": {"n": [number, 1], "apiVersion": number}, "errorCode": number}
    source = stored(shape, record)
    assert source["errorCode"] == [number, text]
    assert restore(source) == record
    assert [found.value for found in locate(source)].count(number) == 3


@pytest.mark.parametrize("number", [0.0, -0.0, 0.001, 9_999_999.5, 100.0])
def test_other_numbers_are_written_alike_by_all(shape: Shape, number: float) -> None:
    """Nothing is added."""
    assert stored(shape, {"errorCode": number})["errorCode"] == number


def test_a_name_with_a_null_character_is_kept_unindexed(shape: Shape) -> None:
    """Elasticsearch refuses it in a flat field."""
    record = {"requestParameters": {"a\0b": {"c": "d"}, "e": "\0"}}
    source = stored(shape, record)
    assert "a\0b" not in str(source.get("overflow", {}))
    assert restore(source) == record
    assert {found.original for found in locate(source)} == {"d", "\0"}


def test_a_blank_name_stands_below_overflow(shape: Shape) -> None:
    """OpenSearch does not find it at the top of a flat field, and does below."""
    source = stored(shape, {"requestParameters": {"": "blank"}})
    assert source["overflow"] == {"requestParameters": {"": "blank"}}


def test_the_time_becomes_the_timestamp(shape: Shape) -> None:
    """@timestamp is the event's own time in UTC, and eventTime stays as it was."""
    source = stored(shape, {"eventTime": "2026-11-20T01:02:03+02:00"})
    assert source["@timestamp"] == "2026-11-19T23:02:03Z"
    assert source["eventTime"] == "2026-11-20T01:02:03+02:00"


@pytest.mark.parametrize(
    ("said", "is_date"),
    [
        ("2026-11-20T01:02:03Z", True),
        ("2028-02-29T01:02:03Z", True),
        ("2027-02-29T01:02:03Z", False),
        ("2026-11-20T01:02:03+00:00", True),
        ("2026-11-20T01:02:03.5Z", True),
        ("2026-11-20t01:02:03Z", False),
        ("2026-11-20 01:02:03Z", False),
        ("2026-11-20T01:02:03z", False),
        ("2026-W47-5T01:02:03Z", False),
        ("2026-11-20T010203.4Z", False),
        ("2026-11-20T24:00:00Z", False),
    ],
)
def test_a_time_is_a_date_as_the_server_reads_it(shape: Shape, said: str, is_date: bool) -> None:
    """In the spellings of strict_date_optional_time, whichever way the event takes; any other goes to overflow."""
    line = codec.encode({"eventTime": said, "eventName": "Get"})
    event = parse_line(line)
    assert isinstance(event, Event)
    assert event.is_plain
    source = Normalizer(shape).document(event).source
    assert ("eventTime" in source) == ("@timestamp" in source) == is_date
    assert source.get("overflow") == (None if is_date else {"eventTime": said})


def test_the_next_event_of_a_caller_is_its_own(shape: Shape) -> None:
    """What is said of a caller is known from one event to the next, and nothing else of it."""
    caller = {"userIdentity": {"type": "IAMUser", "userName": "ada"}, "sourceIPAddress": "192.0.2.1"}
    event = {**caller, "eventID": str(uuid.UUID(int=1)), "eventTime": "2026-11-20T01:02:03Z"}
    quick = QuickPath(shape)
    first = quick.document(codec.encode({"lookup": {"Username": "ada"}, "event": event}))
    second = quick.document(codec.encode(event))
    assert first is not None
    assert second is not None
    assert codec.decode(first.source).keys() - codec.decode(second.source).keys() == {"lookup"}
    normalizer = Normalizer(shape)
    normalizer.document(Event(event, {"Username": "ada"}, is_plain=True))
    source = normalizer.document(Event(caller, {}, is_plain=True)).source
    assert "@timestamp" not in source
    assert "lookup" not in source
    assert source["user"] == {"name": "ada"}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("AWS Internal", None),
        ("fe80::1%eth0", None),
    ],
)
def test_an_address_is_indexed_as_one(shape: Shape, address: str, expected: str | None) -> None:
    """source.ip holds sourceIPAddress where it is an address, and is absent where it is a name."""
    source = stored(shape, {"sourceIPAddress": address})
    assert source["sourceIPAddress"] == address
    assert source.get("source", {}).get("ip") == expected


def test_what_lookup_events_adds_is_indexed_beside_the_event(shape: Shape) -> None:
    """User name and resources stand under lookup, and are no part of the event."""
    lookup = {"Username": "ada", "Resources": [{"ResourceName": "web", "ResourceType": "AWS::EC2::Instance"}]}
    source = document(shape, {"eventName": "RunInstances"}, lookup).source
    assert source["lookup"] == {
        "username": "ada",
        "resources": [{"name": "web", "type": "AWS::EC2::Instance"}],
    }
    assert restore(source) == {"eventName": "RunInstances"}
