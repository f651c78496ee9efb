"""The open objects as texts: in Elastic's notation, bounded, and no part of the event."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.documents.declared_fields import OPEN_OBJECTS
from cloudtrail_elasticsearch.core.documents.events import Event, parse_line
from cloudtrail_elasticsearch.core.documents.fast_path import FastPath
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules, read_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.documents.texts import TEXTS, render
from cloudtrail_elasticsearch.core.documents.unindexed import MAX_CHARACTERS
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.event_template import make_event_mappings
from tests.core.strategies import records
from tests.core.test_fast_path import EVENT

SCHEMAS = {strategy: build_schema(strategy, load_rules(), texts=True) for strategy in STRATEGIES}
HIDING = {
    "name": "hide",
    "path": "requestParameters.secret",
    "why": "It is one.",
    "change": {"do": "mask", "text": "gone"},
    "examples": [{"source": "a", "name": "b", "value": "x", "becomes": "gone"}],
}
"""A rule that masks a parameter."""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"userName": "Bob"}, "{userName=Bob}"),
        ({"a": {"b": [1, True, None, "x"]}, "c": False}, "{a={b=[1, true, null, x]}, c=false}"),
        ({"a": 0.5, "b": []}, "{a=0.5, b=[]}"),
    ],
)
def test_a_text_has_the_notation_of_javas_collections(value: Any, text: str) -> None:
    """Elastic's rules search for ``key=value``."""
    assert render(value) == text


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_text_holds_declared_and_other_values(strategy: Strategy) -> None:
    """Of each open object that has values."""
    record = EVENT | {
        "requestParameters": {"userName": "ada", "nobody": {"knows": "this"}},
        "responseElements": {},
    }
    source = Normalizer(SCHEMAS[strategy]).document(Event(record, {})).source
    assert source[TEXTS] == {"requestParameters": "{userName=ada, nobody={knows=this}}"}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("secret", [{}, {"secret": "s3cret"}])
def test_a_text_has_the_order_of_the_event(strategy: Strategy, secret: dict[str, str]) -> None:
    """Under each strategy, on the fast path and the walk, and if a rule changes a value."""
    schema = build_schema(strategy, read_rules(codec.encode({"rules": [HIDING]}), "mine"), texts=True)
    parameters = {
        "nobody": {"knows": 1},
        "userName": "ada",
        **secret,
        "other": [{"b": 1, "a": 2}],
        "roleName": "r",
    }
    record = EVENT | {"requestParameters": parameters}
    expected = "{nobody={knows=1}, userName=ada, other=[{b=1, a=2}], roleName=r}"
    if secret:
        expected = expected.replace("ada, ", "ada, secret=gone, ")
    source = Normalizer(schema).document(Event(record, {})).source
    assert source[TEXTS] == {"requestParameters": expected}
    fast = FastPath(schema).document(codec.encode(record))
    assert (fast is None) == bool(secret)
    assert fast is None or codec.decode(fast.source) == source


def test_a_text_is_cut_to_what_a_field_takes() -> None:
    """Also one whose characters have several bytes."""
    for letter in ("x", "\u20ac", "\U0001f600"):
        record = {"eventID": "1", "requestParameters": {"a": letter, "b": [letter * 100] * 400}}
        text = Normalizer(SCHEMAS["typed"]).document(Event(record, {})).source[TEXTS]["requestParameters"]
        assert len(text) == MAX_CHARACTERS
        assert len(text.encode()) <= 32_766


def test_a_text_has_no_value_that_a_rule_removes() -> None:
    """A masked value is masked there, too."""
    schema = build_schema("typed", read_rules(codec.encode({"rules": [HIDING]}), "mine"), texts=True)
    record = {"eventID": "1", "requestParameters": {"secret": "s3cret", "b": 1}}
    source = Normalizer(schema).document(Event(record, {})).source
    assert source[TEXTS] == {"requestParameters": "{secret=gone, b=1}"}


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"policy": "xyz"}, "{policy=xyz}"),
        ({"a": [{"cost": 1648282488.418}]}, "{a=[{cost=1648282488.418}]}"),
        ({"a": "x" * 40_000}, "{a=" + "x" * (MAX_CHARACTERS - 3)),
        ({"a": "\ud800"}, "{a=?}"),
        ("HIDDEN_DUE_TO_SECURITY_REASONS", "HIDDEN_DUE_TO_SECURITY_REASONS"),
    ],
)
def test_a_text_has_the_values_of_the_event(parameters: Any, text: str) -> None:
    """Also those that the loader wraps, writes in two notations, or moves: rules know the event only."""
    record = EVENT | {"requestParameters": parameters}
    source = Normalizer(SCHEMAS["typed"]).document(Event(record, {})).source
    assert source[TEXTS] == {"requestParameters": text}
    fast = FastPath(SCHEMAS["typed"]).document(codec.encode(record))
    assert fast is None or codec.decode(fast.source) == source


@pytest.mark.promise("reversible")
@given(
    opened=st.dictionaries(st.sampled_from(OPEN_OBJECTS), records, max_size=2),
    strategy=st.sampled_from(STRATEGIES),
)
def test_texts_are_the_same_on_both_ways_and_no_part_of_the_event(
    opened: dict[str, Any], strategy: Strategy
) -> None:
    """Whatever the open objects hold."""
    schema = SCHEMAS[strategy]
    record = codec.decode(codec.encode(EVENT | opened))
    line = codec.encode(record)
    event = parse_line(line)
    assert isinstance(event, Event)
    source = codec.decode(codec.encode(Normalizer(schema).document(event).source))
    assert restore(source) == record
    fast = FastPath(schema).document(line)
    assert fast is None or codec.decode(fast.source) == source


def test_texts_that_are_off_change_nothing() -> None:
    """No field, no setting, and the fingerprint of documents that were loaded before."""
    off, on = build_schema("typed", load_rules()), SCHEMAS["typed"]
    assert off.fingerprint != on.fingerprint
    assert TEXTS not in Normalizer(off).document(Event(EVENT, {})).source
    assert "_source" not in make_event_mappings(off, "opensearch")
    assert make_event_mappings(on, "opensearch")["_source"] == {"excludes": [TEXTS]}


@pytest.mark.promise("findable")
def test_the_beginning_of_a_value_that_is_too_long_is_indexed() -> None:
    """Of a text past the servers' limit, and of none that is shorter."""
    record = {"eventID": "1", "requestParameters": {"policyDocument": "Effect: Allow " * 4_000, "other": "\ud800"}}
    source = Normalizer(SCHEMAS["typed"]).document(Event(record, {})).source
    prefixes = {entry["path"]: entry.get("prefix") for entry in source["unindexed"]}
    assert prefixes["requestParameters.other"] is None
    (prefix,) = prefixes["requestParameters.policyDocument"]
    assert prefix == ("Effect: Allow " * 4_000)[:MAX_CHARACTERS]
    assert restore(source) == record
