"""Normalization: every event becomes a document, and every document can be restored to its event."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.documents.declared_fields import Kind
from cloudtrail_elasticsearch.core.documents.events import Event, parse_line
from cloudtrail_elasticsearch.core.documents.explain import locate
from cloudtrail_elasticsearch.core.documents.fast_path import FastPath
from cloudtrail_elasticsearch.core.documents.normalize import Document, Normalizer
from cloudtrail_elasticsearch.core.documents.restore import DERIVED, restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Node, Schema
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.documents.unindexed import scalars
from cloudtrail_elasticsearch.core.encoding import codec
from tests.core.strategies import nested, records

SCHEMAS = {strategy: build_schema(strategy, load_rules()) for strategy in STRATEGIES}


@pytest.fixture(params=STRATEGIES)
def schema(request: pytest.FixtureRequest) -> Schema:
    return SCHEMAS[request.param]


def document(schema: Schema, record: dict[str, Any], lookup: dict[str, Any] | None = None) -> Document:
    return Normalizer(schema).document(Event(record, lookup or {}))


def stored(schema: Schema, record: dict[str, Any]) -> Any:
    """Return the document as a server returns it."""
    return codec.decode(codec.encode(document(schema, record).source))


@pytest.mark.promise("reversible")
@given(record=records, strategy=st.sampled_from(STRATEGIES))
def test_any_event_is_restored_from_its_document(record: dict[str, Any], strategy: str) -> None:
    """restore(normalize(event)) == event for every event."""
    assert restore(stored(SCHEMAS[strategy], record)) == record  # type: ignore[index]


@given(record=records, strategy=st.sampled_from(STRATEGIES))
def test_no_document_can_be_rejected(record: dict[str, Any], strategy: str) -> None:
    """Every value at a declared path has the declared kind."""
    schema = SCHEMAS[strategy]  # type: ignore[index]
    source = stored(schema, record)
    for name, node in schema.root.children.items():
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


@pytest.mark.promise("findable")
@given(record=records, strategy=st.sampled_from(STRATEGIES))
def test_every_scalar_has_a_place(record: dict[str, Any], strategy: str) -> None:
    """The document has as many scalars as the event: none is dropped."""
    source = stored(SCHEMAS[strategy], record)  # type: ignore[index]
    found = list(locate(source))
    assert len(found) == len(list(scalars(record)))


def test_a_declared_path_keeps_its_name(schema: Schema) -> None:
    """Members that CloudTrail itself fills are found under CloudTrail's own names."""
    record = {"eventName": "RunInstances", "readOnly": False, "userIdentity": {"type": "Root"}}
    source = stored(schema, record)
    assert {name: source[name] for name in record} == record
    assert "overflow" not in source


def test_an_undeclared_path_goes_to_overflow() -> None:
    """It keeps its path there."""
    source = stored(SCHEMAS["typed"], {"requestParameters": {"neverSeenBefore": {"deep": [1, 2]}}})
    assert source["overflow"] == {"requestParameters": {"neverSeenBefore": {"deep": [1, 2]}}}
    assert "requestParameters" not in source


def test_a_list_of_objects_is_split_element_by_element() -> None:
    """Both parts of a list keep its length, so that it can be restored."""
    record = {"resources": [{"ARN": "a", "odd": 1}, {"ARN": "b"}, "text"]}
    source = stored(SCHEMAS["typed"], record)
    assert source["resources"] == [{"ARN": "a"}, {"ARN": "b"}, None]
    assert source["overflow"]["resources"] == [{"odd": 1}, None, "text"]
    assert restore(source) == record


def test_a_wrong_kind_at_a_declared_path_goes_to_overflow(schema: Schema) -> None:
    """An object instead of a text, or a text instead of a boolean or a date, is kept and findable."""
    record = {"eventName": {"a": "b"}, "readOnly": "maybe", "eventTime": "yesterday", "userIdentity": "nobody"}
    source = stored(schema, record)
    assert source["overflow"] == record


@pytest.mark.parametrize("name", sorted(DERIVED))
def test_an_events_own_field_of_a_reserved_name_is_kept(schema: Schema, name: str) -> None:
    """An event can have a field with a name that the loader uses; its value is not lost."""
    source = stored(schema, {name: {"own": "value"}})
    assert source["overflow"] == {name: {"own": "value"}}
    assert restore(source) == {name: {"own": "value"}}


@pytest.mark.parametrize(
    "value",
    ["x" * 40_000, "\u20ac" * 12_000, "\ud800", {"\ud800": 1}, nested(200)],
    ids=["long", "long in UTF-8", "lone surrogate", "lone surrogate in a name", "deep"],
)
def test_a_value_that_no_field_can_index_is_kept_unindexed(schema: Schema, value: Any) -> None:
    """It is in the document but not in the index, and is restored."""
    record = {"requestParameters": {"name": value, "other": [value, "plain"]}}
    source = stored(schema, record)
    assert len(source["unindexed"]) >= 2
    assert restore(source) == record


@pytest.mark.promise("findable")
def test_a_long_text_is_found_by_its_digest(schema: Schema) -> None:
    """The digest is that of sha256sum for the text in UTF-8; explain reports it."""
    text = "\u20ac" * 12_000
    source = stored(schema, {"requestParameters": {"policyDocument": text}})
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert source["unindexed"][0]["path"] == "requestParameters.policyDocument"
    assert source["unindexed"][0]["sha256"] == [expected]
    [found] = locate(source)
    assert (found.field, found.value, found.original) == ("unindexed.sha256", expected, text)
    assert found.at == "requestParameters.policyDocument"


@pytest.mark.promise("findable")
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
def test_a_large_or_small_number_is_found_in_either_notation(schema: Schema, number: float, text: str) -> None:
    """That of the event, and that of the servers for a number in a search."""
    record = {"requestParameters": {"n": [number, 1], "apiVersion": number}, "errorCode": number}
    source = stored(schema, record)
    assert source["errorCode"] == [number, text]
    assert restore(source) == record
    assert [found.value for found in locate(source)].count(number) == 3


@pytest.mark.parametrize("number", [0.0, -0.0, 0.001, 9_999_999.5, 100.0])
def test_other_numbers_have_one_notation(schema: Schema, number: float) -> None:
    """Nothing is added for them."""
    assert stored(schema, {"errorCode": number})["errorCode"] == number


def test_a_name_with_a_null_character_is_kept_unindexed(schema: Schema) -> None:
    """Elasticsearch rejects such a name in a flat field."""
    record = {"requestParameters": {"a\0b": {"c": "d"}, "e": "\0"}}
    source = stored(schema, record)
    assert "a\0b" not in str(source.get("overflow", {}))
    assert restore(source) == record
    assert {found.original for found in locate(source)} == {"d", "\0"}


def test_a_blank_name_is_stored_below_overflow(schema: Schema) -> None:
    """OpenSearch finds it there, but not at the top of a flat field."""
    source = stored(schema, {"requestParameters": {"": "blank"}})
    assert source["overflow"] == {"requestParameters": {"": "blank"}}


def test_the_time_becomes_the_timestamp(schema: Schema) -> None:
    """@timestamp is the event's own time in UTC, and eventTime stays as it was."""
    source = stored(schema, {"eventTime": "2026-11-20T01:02:03+02:00"})
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
def test_a_time_is_a_date_if_the_server_can_read_it(schema: Schema, said: str, is_date: bool) -> None:
    """In the spellings of strict_date_optional_time, on both paths. Any other text goes to overflow."""
    line = codec.encode({"eventTime": said, "eventName": "Get"})
    event = parse_line(line)
    assert isinstance(event, Event)
    source = Normalizer(schema).document(event).source
    assert ("eventTime" in source) == ("@timestamp" in source) == is_date
    assert source.get("overflow") == (None if is_date else {"eventTime": said})


def test_only_a_callers_ecs_fields_are_cached(schema: Schema) -> None:
    """The next event of the same caller has its own values in all other fields."""
    caller = {"userIdentity": {"type": "IAMUser", "userName": "ada"}, "sourceIPAddress": "192.0.2.1"}
    event = {**caller, "eventID": str(uuid.UUID(int=1)), "eventTime": "2026-11-20T01:02:03Z"}
    fast = FastPath(schema)
    first = fast.document(codec.encode({"lookup": {"Username": "ada"}, "event": event}))
    second = fast.document(codec.encode(event))
    assert first is not None
    assert second is not None
    assert first.source == second.source
    normalizer = Normalizer(schema)
    normalizer.document(Event(event, {"Username": "ada"}))
    source = normalizer.document(Event(caller, {})).source
    assert "@timestamp" not in source
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
def test_an_ip_address_goes_to_source_ip(schema: Schema, address: str, expected: str | None) -> None:
    """source.ip holds a sourceIPAddress that is an IP address, and is absent if it is a name."""
    source = stored(schema, {"sourceIPAddress": address})
    assert source["sourceIPAddress"] == address
    assert source.get("source", {}).get("ip") == expected


def test_members_that_lookup_events_adds_are_not_in_the_document(schema: Schema) -> None:
    """A trail's file has none of them, and the document must be the same."""
    lookup = {"Username": "ada", "Resources": [{"ResourceName": "web", "ResourceType": "AWS::EC2::Instance"}]}
    assert document(schema, {"eventName": "RunInstances"}, lookup) == document(
        schema, {"eventName": "RunInstances"}
    )


def test_a_document_of_version_0_1_is_restored_without_its_lookup(schema: Schema) -> None:
    """Such documents stay in an index until they are loaded again."""
    event = {"eventName": "RunInstances", "lookup": {"mine": 1}}
    source = stored(schema, event) | {"lookup": {"username": "ada", "resources": [{"name": "web", "type": None}]}}
    assert restore(source) == event


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ({"type": "IAMUser", "principalId": "AIDA", "userName": "ada"}, "ada"),
        ({"type": "Root", "principalId": "123456789012"}, "root"),
        ({"type": "AssumedRole", "principalId": "AROA:my-session"}, "my-session"),
        ({"type": "FederatedUser", "principalId": "123456789012:bob"}, "bob"),
        (
            {"type": "SAMLUser", "principalId": "x:y:ada@example.com", "userName": "ada@example.com"},
            "ada@example.com",
        ),
    ],
)
def test_the_user_name_that_lookup_events_shows_is_a_related_user(
    schema: Schema, identity: dict[str, str], name: str
) -> None:
    """On both paths, from the record alone."""
    event = {
        "userIdentity": identity,
        "eventTime": "2026-11-20T01:02:03Z",
        "eventID": "86f3858e-4df0-4e40-9f05-38cfbe2a9c09",
    }
    assert name in stored(schema, event)["related"]["user"]
    fast = FastPath(schema).document(codec.encode(event))
    assert fast is not None
    assert name in codec.decode(fast.source)["related"]["user"]
