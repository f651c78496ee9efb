"""A name that is repeated in an object: every value is kept, found and restored."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.documents.displace import displace, seal
from cloudtrail_elasticsearch.core.documents.events import (
    Event,
    Unreadable,
    content_id,
    document_id,
    line_place,
    parse_line,
    parse_object,
)
from cloudtrail_elasticsearch.core.documents.explain import locate
from cloudtrail_elasticsearch.core.documents.fast_path import FastPath
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules, read_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Schema, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.encoding.codec import Verbatim
from tests.core.texts import Pairs, holds_text, meaning, records, write, write_escaped

RULES = load_rules()
SCHEMAS = {strategy: build_schema(strategy, RULES) for strategy in STRATEGIES}
FAST = {strategy: FastPath(schema) for strategy, schema in SCHEMAS.items()}
ID = "86f3858e-4df0-4e40-9f05-38cfbe2a9c09"
TIME = "2026-11-20T01:02:03Z"


def read(line: bytes | str) -> Event:
    event = parse_object(line)
    assert isinstance(event, Event)
    return event


def stored(schema: Schema, line: bytes | str) -> Any:
    """Return an event's document as a server returns it."""
    return codec.decode(codec.encode(Normalizer(schema).document(read(line)).source))


def with_rule(path: str, change: dict[str, Any], **others: Any) -> Schema:
    rule = {"name": "mine", "path": path, "why": "a test", "change": change, "examples": [], **others}
    return build_schema("typed", read_rules(json.dumps({"rules": [rule]}).encode(), "mine.yaml") + RULES)


def count_scalars(value: Any) -> int:
    if isinstance(value, Pairs):
        return sum(count_scalars(child) for _, child in value)
    if isinstance(value, list):
        return sum(map(count_scalars, value))
    return value is not None


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.promise("reversible")
@given(record=records, strategy=st.sampled_from(STRATEGIES), is_escaped=st.booleans(), is_staged=st.booleans())
def test_any_text_is_restored_from_its_document(
    record: Pairs, strategy: Strategy, is_escaped: bool, is_staged: bool
) -> None:
    """Whichever names are repeated, at any depth. Each scalar has a place."""
    text = write(record, " ,", ":  ", quote=write_escaped if is_escaped else json.dumps)
    source = stored(SCHEMAS[strategy], f'{{"lookup":{{}},"event":{text}}}' if is_staged else text)
    assert meaning(codec.encode(restore(source))) == meaning(text)
    assert len(list(locate(source))) == count_scalars(record)
    for changed in (seal(source), displace(source, [name for name in source if name != "unindexed"])):
        assert meaning(codec.encode(restore(changed))) == meaning(text)


@given(record=records, strategy=st.sampled_from(STRATEGIES), is_staged=st.booleans())
def test_the_fast_path_loses_no_value(record: Pairs, strategy: Strategy, is_staged: bool) -> None:
    """If it makes a document, that is the document of the walk, and no name in it is repeated."""
    line = write(Pairs([("eventID", ID), ("eventTime", TIME), *record])).encode()
    if is_staged:
        line = b'{"lookup":{"EventId":"%b"},"event":%b}' % (ID.encode(), line)
    fast = FAST[strategy].document(line)
    if fast is not None:
        source = codec.decode(fast.source)
        assert not holds_text(source)
        assert source == stored(SCHEMAS[strategy], line)


@pytest.mark.parametrize(
    "line",
    [
        '{"lookup":{},"event":{"eventID":"%s"},"event":{"eventID":"%s"}}',
        '{"lookup":{},"lookup":{},"event":{"eventID":"%s","eventTime":"%s"}}',
        '{"lookup":{},"event":{"eventID":"%s","eventTime":"%s"},"lookup":{"EventId":"x"}}',
    ],
)
def test_a_repeated_name_around_the_event_is_quarantined(line: str) -> None:
    """The whole line is kept, under the id that the proof searches for. Neither of the two values is chosen."""
    text = (line % (ID, TIME)).encode()
    event = parse_line(text)
    assert isinstance(event, Unreadable)
    assert "twice" in event.reason
    assert line_place(text)[0] == content_id(text)
    for fast in FAST.values():
        assert fast.document(text) is None


@pytest.mark.parametrize(
    "lookup",
    [
        '{"Username":"a","Username":"b"}',
        '{"EventId":"a","EventId":"b"}',
        '{"Resources":[{"ResourceName":"a","ResourceName":"b"}]}',
        f'{{"Resources":{"[" * 2_000}{"]" * 2_000}}}',
        '{"event":{"eventID":"another"},"Username":"a"}',
        '{"event":{"a":{"event":{}}}}',
    ],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_event_is_loaded_whatever_is_beside_it(strategy: Strategy, lookup: str) -> None:
    """LookupEvents' fields are no part of the document, so nothing in them takes the event to the quarantine."""
    record = f'{{"eventID":"{ID}","eventTime":"{TIME}","eventName":"GetUser"}}'
    line = f'{{"lookup":{lookup},"event":{record}}}'.encode()
    expected = stored(SCHEMAS[strategy], record)
    assert stored(SCHEMAS[strategy], line) == expected
    assert line_place(line)[0] == ID
    fast = FAST[strategy].document(line)
    assert fast is None or codec.decode(fast.source) == expected


@pytest.mark.promise("findable")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_both_values_are_found(strategy: Strategy) -> None:
    """Those of an inner object by their SHA-256; at the top, the last in its field and the others by SHA-256."""
    line = (
        f'{{"eventID":"{ID}","eventTime":"{TIME}","eventName":"CreateUser","eventName":"PutUser",'
        f'"requestParameters":{{"userName":"first","userName":"second"}},"eventName":"DeleteUser"}}'
    )
    source = stored(SCHEMAS[strategy], line)
    assert source["eventName"] == "DeleteUser"
    digests = {digest for entry in source["unindexed"] for digest in entry["sha256"]}
    assert digests == {sha256(text) for text in ("first", "second", "CreateUser", "PutUser")}
    assert {found.at for found in locate(source) if found.field == "unindexed.sha256"} == {
        "eventName",
        "requestParameters",
    }
    restored = restore(source)
    assert isinstance(restored, Verbatim)
    assert [text for name, text in restored.read_members() if name == "eventName"] == [
        '"CreateUser"',
        '"PutUser"',
        '"DeleteUser"',
    ]


def test_an_earlier_value_changes_the_id_computed_from_the_content() -> None:
    """Two events without an eventID that differ only in it are two documents."""
    names = {document_id(read(f'{{"a":{value},"a":3}}')) for value in (1, 2)} | {document_id(read('{"a":3}'))}
    assert len(names) == 3


PLACES = [
    '"requestParameters":{"secret":"S3CRET","secret":"S3CRET"}',
    '"requestParameters":{"secret":"S3CRET"},"requestParameters":{"secret":"S3CRET"}',
    '"requestParameters":{"secret":{"a":"S3CRET","a":1}}',
    '"requestParameters":{"secret":[{"a":"S3CRET","a":1},"S3CRET"]}',
    '"requestParameters":[{"secret":"S3CRET","secret":"S3CRET"},{"secret":"S3CRET"}]',
    '"requestParameters":{{"secret":{}"S3CRET"{}}}'.format("[" * 150, "]" * 150),
    '"requestParameters":{{"secret":{}"S3CRET"{}}}'.format('{"a":' * 150, "}" * 150),
]


@pytest.mark.parametrize("change", [{"do": "drop"}, {"do": "mask"}])
@pytest.mark.parametrize("path", ["requestParameters.secret", "requestParameters"])
@pytest.mark.parametrize("place", PLACES)
def test_a_rule_removes_a_value_from_a_text_too(place: str, path: str, change: dict[str, Any]) -> None:
    """The whole object of the text is removed, because a part of a text cannot be masked."""
    schema = with_rule(path, change)
    line = f'{{"eventID":"{ID}","eventTime":"{TIME}","eventName":"E",{place}}}'.encode()
    for each in (line, b'{"lookup":{},"event":%b}' % line):
        source = stored(schema, each)
        assert "S3CRET" not in str(source)
        assert sha256("S3CRET") not in str(source)
        assert source["normalization"]["rules"][0] == "mine"
        assert b"S3CRET" not in codec.encode(restore(source))
        assert b"S3CRET" not in Normalizer(schema).public_line(read(each), each)
        fast = FastPath(schema).document(each)
        assert fast is None or b"S3CRET" not in fast.source


PARSE = {
    "name": "parse",
    "path": "requestParameters.policy",
    "why": "a test",
    "change": {"do": "parse"},
    "examples": [],
}
DROP = {**PARSE, "name": "drop", "path": "requestParameters.policy.secret", "change": {"do": "drop"}}


@pytest.mark.parametrize(
    "text", ['{"a":"x","a":"y"}', '{"b":{"a":"x","a":"y"}}', '{{"b":{}"x"{}}}'.format("[" * 900, "]" * 900)]
)
def test_a_parsed_text_with_a_repeated_name_or_too_deep_is_restored(text: str) -> None:
    """Its scalars are found by their SHA-256."""
    schema = build_schema("typed", read_rules(json.dumps({"rules": [PARSE]}).encode(), "mine.yaml") + RULES)
    line = json.dumps({"requestParameters": {"policy": text}})
    source = stored(schema, line)
    assert sha256("x") in str(source["unindexed"])
    assert restore(source) == json.loads(line)


def test_a_secret_in_a_parsed_text_with_a_repeated_name_is_removed() -> None:
    """Neither the text nor a part of it is kept."""
    schema = build_schema("typed", read_rules(json.dumps({"rules": [PARSE, DROP]}).encode(), "mine.yaml") + RULES)
    for text in ('{"secret":"S3CRET","secret":"S3CRET"}', '{"secret":{"a":"S3CRET","a":1},"b":1}'):
        source = stored(schema, json.dumps({"requestParameters": {"policy": text, "other": 1}}))
        assert "S3CRET" not in str(source)
        assert sha256("S3CRET") not in str(source)
        assert b"S3CRET" not in codec.encode(restore(source))
