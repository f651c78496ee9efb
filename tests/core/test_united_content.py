"""Two DAGs of one pattern with different choices: neither removes fields or settings of the other."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.index.event_template import make_event_mappings
from cloudtrail_elasticsearch.core.index.united_content import (
    has_fields,
    unite_mappings,
    unite_meta,
    unite_settings,
)

PLAIN = make_event_mappings(build_schema("typed", load_rules()), "opensearch")
TEXTS = make_event_mappings(build_schema("typed", load_rules(), texts=True), "opensearch")
BARE = make_event_mappings(build_schema("typed", load_rules(), ecs=False), "opensearch")
FLAT = make_event_mappings(build_schema("flattened", load_rules()), "opensearch")


@pytest.mark.parametrize("pair", [(PLAIN, TEXTS), (PLAIN, BARE), (BARE, TEXTS)])
def test_a_mapping_has_the_fields_of_both(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """In either order; no further load changes it."""
    one, other = pair
    united = unite_mappings(one, other)
    assert unite_mappings(other, one) == united
    assert unite_mappings(united, one) == unite_mappings(united, other) == united
    for each in pair:
        assert each["properties"].keys() <= united["properties"].keys()
        assert has_fields(united["_meta"], each["_meta"])
    if TEXTS in pair:
        assert united["_source"] == {"excludes": ["texts"]}


@pytest.mark.parametrize(
    "own", [{"fingerprint": 7}, {"fingerprint": ["a"], "fingerprints": "b"}, {"fingerprints": None}]
)
def test_an_owner_of_an_index_may_have_other_fingerprints(own: dict[str, Any]) -> None:
    """They count as none."""
    assert not has_fields({**PLAIN["_meta"], **own, "fingerprint": 7}, PLAIN["_meta"])
    assert unite_meta(own, PLAIN["_meta"])["fingerprint"] == PLAIN["_meta"]["fingerprint"]


def test_a_mapping_of_another_strategy_is_replaced() -> None:
    """The two have different types for the same fields."""
    assert unite_mappings(FLAT, PLAIN) == PLAIN
    assert unite_mappings({}, PLAIN) == PLAIN


def test_a_parameter_that_a_later_version_drops_is_dropped() -> None:
    """Of a field and of an object: new indices would have it for ever."""
    wanted = {**PLAIN, "properties": {"a": {"type": "keyword"}, "b": {"properties": {"c": {"type": "date"}}}}}
    earlier = {
        **PLAIN,
        "properties": {
            "a": {"type": "keyword", "ignore_above": 256, "copy_to": ["d"]},
            "b": {"enabled": False, "properties": {"c": {"type": "date", "index": False}}},
            "d": {"type": "keyword"},
        },
    }
    united = unite_mappings(earlier, wanted)["properties"]
    assert united["a"] == {"type": "keyword", "copy_to": ["d"]}
    assert united["b"] == wanted["properties"]["b"]
    assert united["d"] == {"type": "keyword"}


def test_the_owner_of_an_index_keeps_its_meta() -> None:
    """The mapping still has the fields of an earlier configuration after a later one added its own."""
    meta = unite_meta({"owner": "them", "fingerprint": "earlier"}, PLAIN["_meta"])
    assert meta["owner"] == "them"
    assert has_fields(meta, PLAIN["_meta"])
    assert not has_fields(meta, TEXTS["_meta"])
    assert has_fields(unite_meta(meta, TEXTS["_meta"]), PLAIN["_meta"])


def test_the_choices_of_other_runs_stay(caplog: pytest.LogCaptureFixture) -> None:
    """If this run does not choose a setting, the stored value stays. If they differ, a warning names both."""
    stored = {"index.number_of_shards": "2", "index.default_pipeline": "geo", "index.codec": "default"}
    wanted = {"index.codec": "best_compression"}
    with caplog.at_level(logging.WARNING):
        united = unite_settings("trail-%Y", stored, wanted)
        assert united == {**wanted, "index.number_of_shards": 2, "index.default_pipeline": "geo"}
        assert caplog.messages == []
        united = unite_settings("trail-%Y", stored, {**wanted, "index.number_of_shards": 3})
    assert united["index.number_of_shards"] == 3
    assert caplog.messages == [
        "index.number_of_shards of new indices of trail-%Y is 3 from now on, instead of 2. If another DAG that "
        "loads into these indices chose 2, give both the same value: the run that creates an index decides."
    ]
