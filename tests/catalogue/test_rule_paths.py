"""The paths that detection rules read: found by name in each format of rules, and declared."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from cloudtrail_elasticsearch.core.documents.catalogue import Catalogue, Entry, Occurrence, ValueKind
from cloudtrail_elasticsearch.core.documents.declared_fields import detection_fields, open_fields
from cloudtrail_elasticsearch.core.documents.events import Event
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from devstack.detections.panther import RULES
from devstack.rule_paths.choose import choose_paths
from devstack.rule_paths.names import read_members, read_scalars

SIGMA = """
title: mine
detection:
    selection:
        requestParameters.b|contains: x
        eventName: CreateUser
    others:
        - responseElements.c: 1
        - plain keyword
    condition: selection or others
"""
ELASTIC = """
[rule]
query = '''
event.action: "x" and aws.cloudtrail.flattened.request_parameters.d.e: "y"
  and not aws.cloudtrail.flattened.digest.f: *
'''
[rule.new_terms]
value = ["aws.cloudtrail.flattened.response_elements.g"]
"""
ALIASES = '{"mappings": [{"raw_field": "requestParameters.h"}, {"raw_field": "resources[].ARN"}]}'
PYTHON = """
def rule(event):
    event.get("requestParameters", {}).get("i", "default")
    event.deep_get("requestParameters", "j", "k", default="x")
    deep_get(event, "responseElements", "l")
    for item in event.deep_get("requestParameters", "items"):
        item.get("n")
    event.get("eventName")
    event.get(event)
"""


@pytest.mark.parametrize(
    ("name", "text", "scalars"),
    [
        ("a.yml", SIGMA, {"requestParameters.b", "responseElements.c"}),
        ("a.toml", ELASTIC, {"requestParameters.d.e", "responseElements.g"}),
        ("a.json", ALIASES, {"requestParameters.h"}),
        ("a.md", "requestParameters.m", set()),
    ],
)
def test_names_are_read_from_rules(tmp_path: Path, name: str, text: str, scalars: set[str]) -> None:
    """Only paths of the open objects, without their modifiers and values."""
    file = tmp_path / name
    file.write_text(text)
    assert set(read_scalars(file)) == scalars


def test_names_are_read_from_python_rules(tmp_path: Path) -> None:
    """Of a checkout of Panther's rules, also those of the items of a list."""
    assert set(read_members(tmp_path)) == set()
    (tmp_path / RULES).mkdir(parents=True)
    (tmp_path / RULES / "a.py").write_text(PYTHON)
    assert set(read_members(tmp_path)) == {
        "requestParameters.i",
        "requestParameters.items.n",
        "requestParameters.j.k",
        "responseElements.l",
    }


def test_a_path_that_holds_objects_is_listed_only_if_its_scalars_are_compared() -> None:
    """A rule that reads an object as a whole compares none."""
    entry = Entry("requestParameters.map", (Occurrence(ValueKind.MAP, 1, 1, False),))
    known = Catalogue(msgspec.json.encode(entry) + b"\n")
    declared = ["requestParameters.both.below", "requestParameters.object.below"]
    scalars = ["requestParameters.both"]
    members = ["requestParameters.object", "requestParameters.map", "requestParameters.text"]
    chosen = choose_paths(scalars, members, known, declared)
    assert chosen == ["requestParameters.both", "requestParameters.text"]


def test_a_path_with_scalars_keeps_its_field_if_rules_read_below_it() -> None:
    """Some events have an object there, of which a rule reads a member; most have a scalar."""
    entry = Entry("requestParameters.size", (Occurrence(ValueKind.TEXT, 1, 1, False),))
    known = Catalogue(msgspec.json.encode(entry) + b"\n")
    members = ["requestParameters.size.value", "requestParameters.other.value"]
    assert choose_paths([], members, known, []) == ["requestParameters.other.value"]


def test_every_listed_path_has_a_field_of_its_own() -> None:
    """And none below it."""
    schema = build_schema("typed", load_rules())
    assert len(detection_fields()) > 100
    for path in detection_fields():
        assert schema.fields(path) == (path,)
        assert not [other for other in open_fields() if other.startswith(f"{path}.")]


@pytest.mark.promise("findable")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_kind_that_rules_compare_keeps_its_name(strategy: Strategy) -> None:
    """A name of an attribute is found under its own name; an object of attributes goes to overflow."""
    schema = build_schema(strategy, load_rules())
    scalar = {"requestParameters": {"attribute": "userData", "instanceId": "i-1"}}
    source = Normalizer(schema).document(Event(scalar, {})).source
    assert source["requestParameters"] == scalar["requestParameters"]
    assert "normalization" not in source
    record = {"requestParameters": {"attribute": {"VisibilityTimeout": "43200"}}}
    source = Normalizer(schema).document(Event(record, {})).source
    assert restore(source) == record
    if strategy == "typed":
        assert source["overflow"] == record
