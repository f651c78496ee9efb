"""Displacing: nothing is left at the path, and the event comes back as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.displace import displace, seal, standing
from cloudtrail_elasticsearch.core.events import Event
from cloudtrail_elasticsearch.core.normalize import Normalizer, restore
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.shape import STRATEGIES, build

NORMALIZERS = [Normalizer(build(strategy, load_rules())) for strategy in STRATEGIES]

NAMES = st.sampled_from(["requestParameters", "policy", "items", "a", "a.b", "", "eventName", "overflow"])
VALUES = st.recursive(
    st.sampled_from([None, True, 1, 2**70, "", "text", "x" * 40_000]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(NAMES, children, max_size=3),
    max_leaves=8,
)
RECORDS = st.dictionaries(NAMES, VALUES, max_size=5)
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map(".".join), max_size=5)


@pytest.mark.parametrize("normalizer", NORMALIZERS, ids=STRATEGIES)
@given(record=RECORDS, paths=PATHS)
def test_a_displaced_event_comes_back_as_it_was(
    normalizer: Normalizer, record: dict[str, Any], paths: list[str]
) -> None:
    """Whatever the event, whatever the paths; and nothing stands at them any more."""
    source = displace(normalizer.document(Event(record, {})).source, paths)
    assert restore(source) == record
    assert [path for path in paths if not path.startswith("overflow") and standing(source, path) == path] == []


@pytest.mark.parametrize("normalizer", NORMALIZERS, ids=STRATEGIES)
@given(record=RECORDS)
def test_a_sealed_event_comes_back_as_it_was(normalizer: Normalizer, record: dict[str, Any]) -> None:
    """From `unindexed` alone."""
    source = seal(normalizer.document(Event(record, {})).source)
    assert source.keys() <= {"@timestamp", "unindexed"}
    assert restore(source) == record


def test_a_path_goes_to_overflow_and_from_there_to_unindexed() -> None:
    """Through lists, whose other elements stay; what the loader adds is left out."""
    source: dict[str, Any] = {
        "@timestamp": "2026-11-20T00:00:00Z",
        "source": {"ip": "::1"},
        "list": [{"a": 1, "b": 2}, None, {"b": 3}],
    }
    moved = displace(source, ["list.a", "source.ip"])
    assert moved == {
        "@timestamp": "2026-11-20T00:00:00Z",
        "source": {},
        "list": [{"b": 2}, None, {"b": 3}],
        "overflow": {"list": [{"a": 1}, None, None]},
    }
    again = displace(moved, ["overflow.list.a"])
    assert again["overflow"] == {"list": [{}, None, None]}
    assert len(again["unindexed"]) == 1
    assert restore(again) == {"list": source["list"]}


def test_a_document_without_the_path_stays_as_it_is() -> None:
    """Most documents do not have most paths."""
    source = {"eventName": "x", "overflow": {"a": 1}}
    assert displace(source, ["eventTime", "overflow.b", "unindexed", "normalization"]) == source


@pytest.mark.parametrize(
    ("blamed", "path"),
    [
        ("a.b", "a.b"),
        ("a.b.keyword", "a.b"),
        ("overflow._value", "overflow"),
        ("overflow.c.d.e", "overflow.c.d.e"),
        ("_id", None),
    ],
)
def test_a_blamed_path_is_found_in_the_document(blamed: str, path: str | None) -> None:
    """As far as it goes: a field can have fields of its own, and a key can have dots."""
    source = {"a": [{"x": 1}, {"b": 2}], "overflow": {"c": {"d.e": 1}}}
    assert standing(source, blamed) == path
