"""Changes: the effect of each on a document under either strategy, and its reversal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.documents.events import Event
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import AnyRule, load_rules, read_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import MappingError, RulesError
from tests.core.strategies import records

POLICY = '{ "Version": "2012-10-17", "Statement": [{"Effect": "Allow"}] }'


def rules(*changes: tuple[str, dict[str, Any]]) -> tuple[AnyRule, ...]:
    """Return rules as in a user's file, each with a path and a change, before the shipped ones."""
    content = {
        "rules": [
            {"name": f"mine-{number}", "path": path, "why": "a test", "change": change, "examples": []}
            for number, (path, change) in enumerate(changes)
        ]
    }
    return read_rules(json.dumps(content).encode(), "mine.yaml") + load_rules()


def normalize(strategy: Strategy, rules: tuple[AnyRule, ...], record: dict[str, Any]) -> Any:
    """Return the document as a server returns it."""
    return codec.decode(codec.encode(Normalizer(build_schema(strategy, rules)).document(Event(record, {})).source))


def without_overflow(source: dict[str, Any]) -> dict[str, Any]:
    """Return the event in a document, wherever its values are stored, without undoing its changes."""
    restored = restore({**source, "normalization": {}})
    assert isinstance(restored, dict)
    return restored


@pytest.mark.promise("reversible")
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", ["bucketName", "neverSeenBefore"])
@pytest.mark.parametrize(
    ("change", "value", "becomes"),
    [
        ({"do": "wrap", "key": "text"}, "a", {"text": "a"}),
        ({"do": "wrap", "key": "text"}, ["a", 1], {"text": ["a", 1]}),
        ({"do": "wrap", "key": "n", "patterns": [{"matches": "^arn:", "key": "arn"}]}, "arn:x", {"arn": "arn:x"}),
        ({"do": "unwrap", "key": "items"}, {"items": ["a", "b"]}, ["a", "b"]),
        ({"do": "unwrap", "key": "items"}, {"items": 1, "more": 2}, {"items": 1, "more": 2}),
        ({"do": "stringify"}, {"a": [1, None]}, '{"a":[1,null]}'),
        ({"do": "stringify"}, True, "true"),
        ({"do": "stringify"}, 2**70, str(2**70)),
        ({"do": "parse"}, POLICY, json.loads(POLICY)),
        ({"do": "parse"}, [POLICY], [json.loads(POLICY)]),
        ({"do": "empty"}, "", {}),
        ({"do": "empty"}, ["", {"a": "b"}], [{}, {"a": "b"}]),
        ({"do": "mask"}, {"a": ["secret"]}, "***"),
        ({"do": "mask", "text": "gone"}, ["secret", {"a": 1}], "gone"),
    ],
)
def test_a_change_is_made_and_undone(
    strategy: Strategy, name: str, change: dict[str, Any], value: Any, becomes: Any
) -> None:
    """At a declared path, an undeclared path or one in a flat field, and inside lists."""
    mine = rules((f"requestParameters.{name}", change))
    record = {"requestParameters": {name: value, "other": [1]}}
    source = normalize(strategy, mine, record)
    changed = without_overflow(source)["requestParameters"][name]
    assert changed == becomes
    masked = {"requestParameters": {**record["requestParameters"], name: becomes}}
    assert restore(source) == (masked if change["do"] == "mask" else record)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("text", ["{", "[1]", '"a"', "", "{} trailing"])
def test_a_text_that_is_not_a_json_object_is_not_parsed(strategy: Strategy, text: str) -> None:
    """It stays a text."""
    source = normalize(
        strategy, rules(("requestParameters.aText", {"do": "parse"})), {"requestParameters": {"aText": text}}
    )
    assert without_overflow(source) == {"requestParameters": {"aText": text}}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_value_is_renamed_unless_its_new_name_is_taken(strategy: Strategy) -> None:
    """Two values never share a name."""
    mine = rules(
        ("requestParameters.zoneSpec", {"do": "rename", "to": "zoneNames"}),
        ("requestParameters.zoneList", {"do": "rename", "to": "zoneNames"}),
    )
    for record, expected in [
        ({"zoneSpec": {"a": "b"}}, {"zoneNames": {"a": "b"}}),
        ({"zoneSpec": "a", "zoneNames": "b"}, {"zoneSpec": "a", "zoneNames": "b"}),
        ({"zoneSpec": "a", "zoneList": "b"}, {"zoneNames": "a", "zoneList": "b"}),
        ({"zoneSpec": None, "zoneList": "b"}, {"zoneSpec": None, "zoneNames": "b"}),
        ({"zoneSpec": "x" * 40_000}, {"zoneNames": "x" * 40_000}),
    ]:
        source = normalize(strategy, mine, {"requestParameters": record})
        assert without_overflow(source) == {"requestParameters": expected}
        assert restore(source) == {"requestParameters": record}


SECRET = "correct horse battery staple"
SECRET_PATHS = [
    "requestParameters.masterUserPassword",
    "requestParameters.new.deep.password",
    "sourceIPAddress",
    "userIdentity.userName",
    "policyText",
    "requestParameters.policy.Statement.password",
]


@pytest.mark.promise("closed")
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("do", ["mask", "drop"])
@pytest.mark.parametrize("path", SECRET_PATHS)
def test_a_secret_is_nowhere_in_the_document(strategy: Strategy, do: str, path: str) -> None:
    """Whatever its shape, also in lists, and in values that are derived from it."""
    mine = rules((path, {"do": do}))
    for value in (SECRET, [SECRET], {"a": {"b": SECRET}}, [[{"c": SECRET}]], SECRET * 3_000):
        for wrap_in_lists in (False, True):
            record: Any = value
            for name in reversed(path.split(".")):
                record = {name: [record, "x"] if wrap_in_lists else record}
            schema = build_schema(strategy, mine)
            normalizer = Normalizer(schema)
            assert SECRET.encode() not in codec.encode(normalizer.document(Event(record, {})).source)
            assert schema.secretive
            assert SECRET.encode() not in normalizer.public_line(Event(record, {}), b"")


@pytest.mark.promise("closed")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_secret_in_a_parsed_or_stringified_object_is_nowhere(strategy: Strategy) -> None:
    """The parsed text is not stored, and an object with a secret is not converted to a text."""
    text = json.dumps({"password": SECRET, "user": "ada"})
    mine = rules(
        ("requestParameters.body", {"do": "parse"}),
        ("requestParameters.body.password", {"do": "mask"}),
        ("requestParameters.form", {"do": "stringify"}),
        ("requestParameters.form.password", {"do": "drop"}),
    )
    record = {"requestParameters": {"body": text, "form": json.loads(text)}}
    source = normalize(strategy, mine, record)
    assert SECRET not in json.dumps(source)
    event = restore(source)
    assert isinstance(event, dict)
    restored = event["requestParameters"]
    assert json.loads(restored["body"]) == {"password": "***", "user": "ada"}
    assert restored["form"] == {"user": "ada"}


@pytest.mark.promise("closed")
def test_a_quarantined_line_has_no_member_of_lookup_events_that_repeats_a_secret() -> None:
    """The user name and the resources repeat values of the record, which a rule may remove."""
    normalizer = Normalizer(build_schema("typed", rules(("userIdentity.userName", {"do": "mask"}))))
    lookup = {
        "EventId": "x",
        "EventTime": "2026-11-20T01:02:03+00:00",
        "Username": SECRET,
        "Resources": [{"ResourceName": SECRET, "ResourceType": "AWS::S3::Bucket"}],
    }
    event = Event({"eventName": "PutObject", "userIdentity": {"userName": SECRET}}, lookup)
    line = json.loads(normalizer.public_line(event, b""))
    assert line["lookup"] == {"EventId": "x", "EventTime": "2026-11-20T01:02:03+00:00"}
    assert line["event"] == {"eventName": "PutObject", "userIdentity": {"userName": "***"}}


@pytest.mark.parametrize("change", [{"do": "rename", "to": "other"}, {"do": "unwrap", "key": "password"}])
def test_a_rule_that_would_move_a_secret_is_rejected(change: dict[str, Any]) -> None:
    """The mask would not find the secret at its new path."""
    mine = rules(("requestParameters.body", change), ("requestParameters.body.password", {"do": "mask"}))
    with pytest.raises(RulesError, match=r"'mine-0'.*'mine-1' masks or drops requestParameters\.body\.password"):
        build_schema("typed", mine)


CHANGES = [
    {"do": "wrap", "key": "value"},
    {"do": "unwrap", "key": "value"},
    {"do": "stringify"},
    {"do": "parse"},
    {"do": "empty"},
    {"do": "rename", "to": "renamed"},
    {"do": "rename", "to": "key"},
]


@pytest.mark.promise("reversible")
@given(
    record=records,
    chosen=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "requestParameters",
                    "requestParameters.key",
                    "a",
                    "key",
                    "key.value",
                    "userIdentity",
                    "responseElements.value.key",
                    "resources.key",
                ]
            ),
            st.sampled_from(CHANGES),
        ),
        max_size=4,
    ),
    strategy=st.sampled_from(STRATEGIES),
)
def test_any_set_of_rules_is_undone(
    record: dict[str, Any], chosen: list[tuple[str, dict[str, Any]]], strategy: Strategy
) -> None:
    """Rules at the same path and at nested paths are undone in reverse order."""
    try:
        source = normalize(strategy, rules(*chosen), record)
    except MappingError:  # one rule wraps the result of another rule's wrapping
        reject()
    assert restore(source) == record


def test_a_users_file_is_read_with_its_masks(tmp_path: Path) -> None:
    """With the example of the documentation."""
    file = tmp_path / "mine.yaml"
    file.write_text(
        """
rules:
  - name: no-passwords
    path: requestParameters.masterUserPassword
    why: The index must not hold passwords, not even masked ones.
    change: {do: drop}
    examples:
      - {source: rds.amazonaws.com, name: CreateDBInstance, value: "****", becomes: null}
"""
    )
    record = {"requestParameters": {"masterUserPassword": SECRET, "engine": "mysql"}}
    source = normalize("typed", load_rules([file]), record)
    assert source["requestParameters"] == {"engine": "mysql"}
    assert source["normalization"]["rules"] == ["no-passwords"]
