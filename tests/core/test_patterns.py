"""Regular expressions of rules: their time is bounded, and the shipped ones match like Python's `re`."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.changes import Wrap
from cloudtrail_elasticsearch.core.documents.patterns import LONGEST_TEXT, PatternError, compile_pattern, matches
from cloudtrail_elasticsearch.core.documents.rules import Rule, load_rules, read_rules
from cloudtrail_elasticsearch.core.errors import RulesError

RULES = [rule for rule in load_rules() if isinstance(rule, Rule)]
SHIPPED = sorted(
    {pattern.matches for rule in RULES if isinstance(rule.change, Wrap) for pattern in rule.change.patterns}
)

RULE = """
rules:
  - name: mine
    path: requestParameters.mine
    why: w
    change: {do: wrap, key: value, patterns: [{matches: '%s', key: other}]}
    examples: [{source: s, name: n, value: "%s", becomes: {value: "%s"}}]
"""


@pytest.mark.promise("bounded")
@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|a)+$", "(x+x+)+y", "(.*a){20}$", "^([a-z]+.)+[A-Z][a-z]+$"])
@pytest.mark.parametrize("text", ["a" * 40 + "!", "x" * 200_000, "aX" * 50_000], ids=["short", "x", "aX"])
def test_no_expression_hangs(pattern: str, text: str) -> None:
    """Expressions that would keep Python's `re` busy for years end at once, in a value and in an example."""
    began = time.process_time()
    matches(pattern, text)
    read_rules((RULE % (pattern, "a" * 40 + "!", "a" * 40 + "!")).encode(), "mine.yaml")
    assert time.process_time() - began < 5


def test_the_slowest_allowed_expression_takes_seconds() -> None:
    """Even if RE2 has to follow every state of a long text."""
    began = time.process_time()
    assert not matches("(([ab]{0,30}){30})c", "ab" * 200_000)
    assert not matches("(a|b)*a(a|b){900}c", "a" * 200_000)
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "missing )"),
        ("(?=a)b", "invalid perl operator"),
        ("(?<!a)b", "invalid perl operator"),
        (r"(a)\1", "invalid escape sequence"),
        ("a{2000}", "invalid repetition size"),
        (r"\pL{1,500}", "too large"),
        (r"[^/]{900}", "too large"),
        ("\ud800", "lone surrogate"),
    ],
)
def test_an_expression_that_re2_does_not_accept_is_rejected(pattern: str, reason: str) -> None:
    """Look-around, back-references, invalid expressions, and expressions that are too large."""
    with pytest.raises(PatternError, match=re.escape(reason)):
        compile_pattern(pattern)


def test_a_rule_with_look_around_is_rejected_when_its_file_is_read(capfd: pytest.CaptureFixture[str]) -> None:
    """With an error message; RE2 itself writes nothing to standard error."""
    with pytest.raises(RulesError, match=r"rule 'mine'.*RE2 .*Look-around and back-references are not supported"):
        read_rules((RULE % ("(?=a)", "x", "x")).encode(), "mine.yaml")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", ["\ud800", "a\udfff\x00", "\N{BOM}é", "x" * LONGEST_TEXT + "b"], ids=range(4))
def test_any_text_can_be_searched(text: str) -> None:
    """Also lone surrogates and null characters. Text beyond the limit is not searched."""
    assert matches("^", text)
    assert not matches("b", text)


def test_the_shipped_expressions_match_recorded_texts_as_pythons_do(recorded_events: list[dict[str, Any]]) -> None:
    """Both give the same result for every text of the recorded events and of the rules' examples."""
    assert SHIPPED == ["^[a-z]+://", "^arn:"]
    texts = set(_texts(recorded_events)) | set(_texts([rule.examples[0].value for rule in RULES]))
    assert len(texts) > 1000
    for pattern in SHIPPED:
        expected = {text for text in texts if re.search(pattern, text)}
        assert expected
        assert {text for text in texts if matches(pattern, text)} == expected


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list | tuple):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []
