"""Changes: what each does to a document under either strategy, and that it is undone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.errors import MappingError, RulesError
from cloudtrail_elasticsearch.core.events import Event
from cloudtrail_elasticsearch.core.normalize import Normalizer, restore
from cloudtrail_elasticsearch.core.rules import Rule, load_rules, read_rules
from cloudtrail_elasticsearch.core.shape import STRATEGIES, Strategy, build
from tests.core.strategies import records

POLICY = '{ "Version": "2012-10-17", "Statement": [{"Effect": "Allow"}] }'


def rules(*changes: tuple[str, dict[str, Any]]) -> tuple[Rule, ...]:
    """Rules as a user's file holds them: a path and a change each, before the shipped ones."""
    content = {
        "rules": [
            {"name": f"mine-{number}", "path": path, "why": "a test", "change": change, "examples": []}
            for number, (path, change) in enumerate(changes)
        ]
    }
    return read_rules(json.dumps(content).encode(), "mine.yaml") + load_rules()


def normalize(strategy: Strategy, rules: tuple[Rule, ...], record: dict[str, Any]) -> Any:
    """The document as a server gives it back."""
    return codec.decode(codec.encode(Normalizer(build(strategy, rules)).document(Event(record, {})).source))


def without_overflow(source: dict[str, Any]) -> dict[str, Any]:
    """The event in a document, wherever its values are put, with its changes not undone."""
    return restore({**source, "normalization": {}})


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
    """Wherever the path lies: declared, not declared, or in a flat field; and inside of lists."""
    mine = rules((f"requestParameters.{name}", change))
    record = {"requestParameters": {name: value, "other": [1]}}
    source = normalize(strategy, mine, record)
    changed = without_overflow(source)["requestParameters"][name]
    assert changed == becomes
    masked = {"requestParameters": {**record["requestParameters"], name: becomes}}
    assert restore(source) == (masked if change["do"] == "mask" else record)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("text", ["{", "[1]", '"a"', "", "{} trailing"])
def test_what_is_not_the_json_of_an_object_is_not_parsed(strategy: Strategy, text: str) -> None:
    """It stays the text that it is."""
    source = normalize(
        strategy, rules(("requestParameters.aText", {"do": "parse"})), {"requestParameters": {"aText": text}}
    )
    assert without_overflow(source) == {"requestParameters": {"aText": text}}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_value_is_renamed_unless_its_new_name_is_taken(strategy: Strategy) -> None:
    """Two values never come to stand under one name."""
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


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("do", ["mask", "drop"])
@pytest.mark.parametrize("path", SECRET_PATHS)
def test_a_secret_is_nowhere_in_the_document(strategy: Strategy, do: str, path: str) -> None:
    """Whatever its shape, in lists too, and not in what is derived from it."""
    mine = rules((path, {"do": do}))
    for value in (SECRET, [SECRET], {"a": {"b": SECRET}}, [[{"c": SECRET}]], SECRET * 3_000):
        for wrap_in_lists in (False, True):
            record: Any = value
            for name in reversed(path.split(".")):
                record = {name: [record, "x"] if wrap_in_lists else record}
            shape = build(strategy, mine)
            normalizer = Normalizer(shape)
            assert SECRET.encode() not in codec.encode(normalizer.document(Event(record, {})).source)
            assert shape.secretive
            assert SECRET.encode() not in normalizer.public_line(Event(record, {}), b"")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_secret_in_a_parsed_or_stringified_object_is_nowhere(strategy: Strategy) -> None:
    """The text that was parsed is not noted, and an object with a secret is not written out."""
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
    restored = restore(source)["requestParameters"]
    assert json.loads(restored["body"]) == {"password": "***", "user": "ada"}
    assert restored["form"] == {"user": "ada"}


def test_what_lookup_events_adds_can_be_masked() -> None:
    """The user's name stands there once more."""
    mine = rules(("lookup.username", {"do": "mask"}), ("lookup.resources.name", {"do": "drop"}))
    lookup = {"Username": SECRET, "Resources": [{"ResourceName": SECRET, "ResourceType": "AWS::S3::Bucket"}]}
    source = Normalizer(build("typed", mine)).document(Event({"eventName": "PutObject"}, lookup)).source
    assert source["lookup"] == {"username": "***", "resources": [{"type": "AWS::S3::Bucket"}]}
    assert source["normalization"]["rules"] == ["mine-0", "mine-1"]


@pytest.mark.parametrize("change", [{"do": "rename", "to": "other"}, {"do": "unwrap", "key": "password"}])
def test_a_rule_that_would_move_a_secret_away_is_refused(change: dict[str, Any]) -> None:
    """The mask would not find it under its new path."""
    mine = rules(("requestParameters.body", change), ("requestParameters.body.password", {"do": "mask"}))
    with pytest.raises(RulesError, match=r"'mine-0'.*'mine-1' takes out requestParameters\.body\.password"):
        build("typed", mine)


CHANGES = [
    {"do": "wrap", "key": "value"},
    {"do": "unwrap", "key": "value"},
    {"do": "stringify"},
    {"do": "parse"},
    {"do": "empty"},
    {"do": "rename", "to": "renamed"},
    {"do": "rename", "to": "key"},
]


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
def test_whatever_the_rules_the_event_is_restored(
    record: dict[str, Any], chosen: list[tuple[str, dict[str, Any]]], strategy: Strategy
) -> None:
    """Rules on top of one another and inside of one another are undone in turn."""
    try:
        source = normalize(strategy, rules(*chosen), record)
    except MappingError:  # one rule wraps into what another one wraps
        reject()
    assert restore(source) == record


def test_a_users_file_is_read_with_its_masks(tmp_path: Path) -> None:
    """As the documentation writes it."""
    file = tmp_path / "mine.yaml"
    file.write_text(
        """
rules:
  - name: no-passwords
    path: requestParameters.masterUserPassword
    why: Not even a hidden one.
    change: {do: drop}
    examples:
      - {source: rds.amazonaws.com, name: CreateDBInstance, value: "****", becomes: null}
"""
    )
    record = {"requestParameters": {"masterUserPassword": SECRET, "engine": "mysql"}}
    source = normalize("typed", load_rules([file]), record)
    assert source["requestParameters"] == {"engine": "mysql"}
    assert source["normalization"]["rules"] == ["no-passwords"]
