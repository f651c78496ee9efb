"""The evaluation of Sigma rules on raw events, as the Sigma specification defines it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sigma.processing.pipeline import ProcessingPipeline

from devstack.detections.rules import Rule, Unconverted
from devstack.detections.sigma_rules import convert_sigma_rule, evaluate_sigma_rule, read_sigma_rules

EVENT = {
    "name": "ListBuckets",
    "address": "10.1.2.3",
    "port": 443,
    "text": "443",
    "is": True,
    "empty": None,
    "tags": ["Red", "blue"],
    "parts": {"items": [{"cidr": "0.0.0.0/0"}, {"cidr": "10.0.0.0/8"}], "Effect": "Allow"},
    "with.dot": {"in.it": "found"},
    "other": "listbuckets",
}


def make_document(detection: dict[str, Any]) -> dict[str, Any]:
    return {"title": "Test", "logsource": {"product": "aws", "service": "cloudtrail"}, "detection": detection}


def convert(detection: dict[str, Any]) -> Rule | Unconverted:
    return convert_sigma_rule("test", make_document(detection), "opensearch", ProcessingPipeline())


@pytest.mark.parametrize(
    ("part", "is_match"),
    [
        ({"name": "ListBuckets"}, True),
        ({"name": "LISTBUCKETS"}, True),
        ({"name|cased": "LISTBUCKETS"}, False),
        ({"name": "List*"}, True),
        ({"name": "List?uckets"}, True),
        ({"name": r"List\*"}, False),
        ({"name": "List"}, False),
        ({"name|contains": "BUCK"}, True),
        ({"name|startswith": "list"}, True),
        ({"name|endswith": "list"}, False),
        ({"name|contains|all": ["list", "buck"]}, True),
        ({"name|contains|all": ["list", "objects"]}, False),
        ({"name": ["GetObject", "ListBuckets"]}, True),
        ({"name|re": "List[A-Z]"}, True),
        ({"name|re": "list[A-Z]"}, False),
        ({"name|re|i": "list[A-Z]"}, True),
        ({"address|cidr": "10.0.0.0/8"}, True),
        ({"address|cidr": "192.168.0.0/16"}, False),
        ({"name|cidr": "10.0.0.0/8"}, False),
        ({"port": 443}, True),
        ({"text": 443}, True),
        ({"port|gte": 400}, True),
        ({"port|lt": 400}, False),
        ({"is": True}, True),
        ({"is": "true"}, True),
        ({"empty": None}, True),
        ({"absent": None}, True),
        ({"name": None}, False),
        ({"name|exists": True}, True),
        ({"absent|exists": True}, False),
        ({"absent|exists": False}, True),
        ({"absent|contains": "*"}, False),
        ({"tags": "red"}, True),
        ({"tags|contains|all": ["red", "blue"]}, True),
        ({"tags|contains|all": ["red", "green"]}, False),
        ({"parts.items.cidr": "10.0.0.0/8"}, True),
        ({"parts|contains": '"Effect":"Allow"'}, True),
        ({"with.dot.in.it": "found"}, True),
        ({"name|fieldref": "other"}, True),
        ({"name|fieldref|startswith": "tags"}, False),
        (["buckets"], True),
        (["0.0.0.0"], True),
        (["objects"], False),
        ([{"name": "Other"}, {"port": 443}], True),
        ({"name": "ListBuckets", "port": 80}, False),
    ],
)
def test_values_are_compared(part: Any, is_match: bool) -> None:
    assert evaluate_sigma_rule(make_document({"part": part, "condition": "part"}))(EVENT) is is_match


@pytest.mark.parametrize(
    ("condition", "is_match"),
    [
        ("yes", True),
        ("not yes", False),
        ("yes and not no", True),
        ("no or yes", True),
        ("1 of them", True),
        ("all of them", False),
        ("1 of n*", False),
        (["no", "yes"], True),
    ],
)
def test_conditions_are_evaluated(condition: Any, is_match: bool) -> None:
    document = make_document({"yes": {"port": 443}, "no": {"port": 80}, "condition": condition})
    assert evaluate_sigma_rule(document)(EVENT) is is_match


def test_a_time_window_is_no_keyword(tmp_path: Path) -> None:
    """pySigma reads `timeframe` as one more detection, which the server would search in every field."""
    file = tmp_path / "rule.yml"
    detection = {"part": {"name": "x"}, "timeframe": "10m", "condition": "part"}
    file.write_text(json.dumps(make_document(detection)))  # JSON is YAML
    (rule,) = read_sigma_rules(file, "opensearch", ProcessingPipeline())
    assert isinstance(rule, Rule)
    assert [each.fields for each in rule.comparisons] == [("name",)]


def test_comparisons_are_rules_of_their_own() -> None:
    """Each has its own search and evaluation, with and without case, to name the field that differs."""
    rule = convert({"a": {"name": "listbuckets", "port|gt": 5}, "b": {"absent": "x"}, "condition": "a and not b"})
    assert isinstance(rule, Rule)
    assert [each.fields for each in rule.comparisons] == [("name",), ("port",), ("absent",)]
    assert [each.matches(EVENT) for each in rule.comparisons] == [True, True, False]
    assert [each.matches_case is not None and each.matches_case(EVENT) for each in rule.comparisons] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("detection", "reason"),
    [
        ({"part": {"name": "x"}, "condition": "part and other"}, "other"),
        ({"part": {"name|cased": "x"}, "condition": "part"}, "[Cc]ase-sensitive"),
        ({"part": {"name|fieldref": "other"}, "condition": "part"}, "field references"),
    ],
)
def test_a_rule_that_cannot_be_converted_is_not_run(detection: dict[str, Any], reason: str) -> None:
    rule = convert(detection)
    assert isinstance(rule, Unconverted)
    assert re.search(reason, rule.reason)
