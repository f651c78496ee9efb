"""Displacing moves every value away from a path, and the event is still restored."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.documents.displace import displace, seal, standing
from cloudtrail_elasticsearch.core.documents.events import Event
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema

NORMALIZERS = [Normalizer(build_schema(strategy, load_rules())) for strategy in STRATEGIES]

NAMES = st.sampled_from(["requestParameters", "policy", "items", "a", "a.b", "", "eventName", "overflow"])
VALUES = st.recursive(
    st.sampled_from([None, True, 1, 2**70, "", "text", "x" * 40_000]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(NAMES, children, max_size=3),
    max_leaves=8,
)
RECORDS = st.dictionaries(NAMES, VALUES, max_size=5)
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map(".".join), max_size=5)


@pytest.mark.promise("reversible")
@pytest.mark.parametrize("normalizer", NORMALIZERS, ids=STRATEGIES)
@given(record=RECORDS, paths=PATHS)
def test_a_displaced_event_is_restored(normalizer: Normalizer, record: dict[str, Any], paths: list[str]) -> None:
    """For any event and any paths; no value is left at the paths."""
    source = displace(normalizer.document(Event(record, {})).source, paths)
    assert restore(source) == record
    assert [path for path in paths if not path.startswith("overflow") and standing(source, path) == path] == []


@pytest.mark.promise("reversible")
@pytest.mark.parametrize("normalizer", NORMALIZERS, ids=STRATEGIES)
@given(record=RECORDS)
def test_a_sealed_event_is_restored(normalizer: Normalizer, record: dict[str, Any]) -> None:
    """From `unindexed` alone."""
    source = seal(normalizer.document(Event(record, {})).source)
    assert source.keys() <= {"@timestamp", "unindexed"}
    assert restore(source) == record


def test_a_path_moves_to_overflow_and_then_to_unindexed() -> None:
    """In lists the other elements stay. Fields that the loader adds are dropped."""
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


def test_a_document_without_the_path_is_unchanged() -> None:
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
def test_a_path_in_an_error_is_found_in_the_document(blamed: str, path: str | None) -> None:
    """As far as the document has it: a field can have subfields, and a key can contain dots."""
    source = {"a": [{"x": 1}, {"b": 2}], "overflow": {"c": {"d.e": 1}}}
    assert standing(source, blamed) == path
