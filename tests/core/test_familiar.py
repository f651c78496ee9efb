"""Familiar objects: what is known to fit by its names and types does fit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.events import is_plain_line
from cloudtrail_elasticsearch.core.familiar import FIRST, MOST_NAMES, Familiar
from cloudtrail_elasticsearch.core.normalize import MISSING, Placing
from cloudtrail_elasticsearch.core.rules import load_rules, read_rules
from cloudtrail_elasticsearch.core.shape import STRATEGIES, Node, Strategy, build
from tests.core.strategies import names, scalars, values

NODES = {strategy: build(strategy, load_rules()).root.children["requestParameters"] for strategy in STRATEGIES}
USUAL: dict[str, Any] = {
    "instancesSet": {"items": [{"instanceId": "i-1"}, {"instanceId": "i-2"}]},
    "userName": "ada",
    "maxResults": 20,
    "dryRun": False,
}


def familiar(node: Node, *seen: dict[str, Any]) -> Familiar:
    """What is familiar once these objects were seen often enough."""
    known = Familiar(node)
    for _ in range(FIRST):
        for value in seen:
            known.learn(value)
    return known


def fits(node: Node, value: dict[str, Any]) -> bool:
    """Whether an object of a plain event stays as it is."""
    placed, rest = Placing(is_plain=True).member("requestParameters", value, node)
    return placed is value and rest is MISSING


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("value", "is_familiar"),
    [
        (USUAL, True),
        ({}, True),
        ({"userName": "eve", "instancesSet": {"items": []}}, True),
        ({"userName": None}, True),
        ({"instancesSet": {"items": [{"instanceId": "i-1"}] * 20}}, True),
        ({"userName": 7}, False),
        ({"maxResults": 0.5}, False),
        ({"maxResults": "20"}, False),
        ({"userName": ["ada"]}, False),
        ({"instancesSet": {"items": [{"instanceId": {}}]}}, False),
        ({"instancesSet": {"items": "i-1"}}, False),
        ({"groupName": "admins"}, False),
        ({"": ""}, False),
    ],
)
def test_what_has_the_names_and_types_that_were_seen_is_familiar(
    strategy: Strategy, value: dict[str, Any], is_familiar: bool
) -> None:
    """And nothing else is, though it may fit."""
    known = familiar(NODES[strategy], USUAL)
    assert (known.decode(codec.encode(value)) is not None) == is_familiar
    if is_familiar:
        assert fits(NODES[strategy], value)


def test_nothing_is_familiar_at_first() -> None:
    """A type is made once it pays."""
    known = Familiar(NODES["typed"])
    for _ in range(FIRST - 1):
        known.learn(USUAL)
    assert known.decode(codec.encode(USUAL)) is None
    known.learn(USUAL)
    assert known.decode(codec.encode(USUAL)).userName == "ada"


def test_what_comes_later_becomes_familiar_too() -> None:
    """Beside what was familiar before."""
    known = familiar(NODES["typed"], USUAL)
    later = {"groupName": "admins"}
    while known.decode(codec.encode(later)) is None:
        known.learn(later)
    assert known.decode(codec.encode(USUAL | later)) is not None


def test_objects_of_too_many_names_stay_strange() -> None:
    """Names that are values of their own are no type."""
    node = NODES["flattened"]
    known = familiar(node, *({f"name-{number}": "x"} for number in range(MOST_NAMES + 1)))
    assert known.decode(b'{"name-1":"x"}') is None


@pytest.mark.parametrize("name", ["class", "_private", "a-b", "aws:tag", "a.b", " ", "7"])
def test_any_name_can_be_familiar(name: str) -> None:
    """Though it is none for an attribute."""
    value = {"outer": {name: "x"}}
    known = familiar(NODES["flattened"], value)
    assert known.decode(codec.encode(value)) is not None
    assert known.decode(codec.encode({"outer": {name + "x": "x"}})) is None


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_where_a_rule_looks_at_values_nothing_is_familiar(strategy: Strategy) -> None:
    """Another value of the same type may be one that it changes."""
    change = {"do": "parse"}
    rule = {
        "name": "mine",
        "path": "requestParameters.userName",
        "why": "a test",
        "change": change,
        "examples": [],
    }
    rules = read_rules(json.dumps({"rules": [rule]}).encode(), "mine.yaml")
    node = build(strategy, rules + load_rules()).root.children["requestParameters"]
    value = {"userName": "ada"}
    if fits(node, value):
        assert familiar(node, value).decode(codec.encode(value)) is None


_objects = st.dictionaries(st.sampled_from(sorted(USUAL)) | names, scalars | values, max_size=3)


@given(seen=st.lists(_objects, min_size=1, max_size=3), other=_objects, strategy=st.sampled_from(STRATEGIES))
def test_what_is_familiar_fits(seen: list[dict[str, Any]], other: dict[str, Any], strategy: Strategy) -> None:
    """Whatever was seen, and whatever comes."""
    node = NODES[strategy]
    usual = [value for value in [USUAL, *seen] if is_quick(value) and fits(node, value)]
    known = familiar(node, *usual)
    for value in (other, USUAL | other, *(value | other for value in usual)):
        text = codec.encode(value)
        if is_quick(value) and known.decode(text) is not None:
            assert fits(node, codec.decode(text))


def is_quick(value: Any) -> bool:
    """Whether an object can come to be looked at here: in a plain line, and without fractions."""
    return is_plain_line(codec.encode(value)) and not has_fractions(value)


def has_fractions(value: Any) -> bool:
    """Whether there is a fraction in a value."""
    if isinstance(value, dict):
        return any(map(has_fractions, value.values()))
    return any(map(has_fractions, value)) if isinstance(value, list) else isinstance(value, float)
