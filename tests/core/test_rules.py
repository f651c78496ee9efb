"""Rules: declared changes, each proven by its examples, and clear words for a file with a mistake."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.errors import RulesError
from cloudtrail_elasticsearch.core.events import Event
from cloudtrail_elasticsearch.core.normalize import Normalizer, restore
from cloudtrail_elasticsearch.core.rules import EVERY_CONFLICT, Example, Rule, load_rules
from cloudtrail_elasticsearch.core.shape import STRATEGIES, build

RULES = load_rules()
CASES = [(rule, example) for rule in RULES for example in rule.examples]


def place(rule: Rule) -> str:
    """A path that the rule stands on."""
    return "requestParameters.logging" if rule.path == EVERY_CONFLICT else rule.path


def at(path: str, value: Any) -> dict[str, Any]:
    """An object that holds the value at a dotted path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("rule", "example"),
    CASES,
    ids=[f"{rule.name}-{example.source}-{example.name}" for rule, example in CASES],
)
def test_a_rule_does_what_its_example_says(rule: Rule, example: Example) -> None:
    """In a whole event of that API the value becomes what the rule's example says, and comes back."""
    record = {"eventSource": example.source, "eventName": example.name, **at(place(rule), example.value)}
    source = Normalizer(build("typed", RULES)).document(Event(record, {})).source
    everything = restore({**source, "normalization": {}})
    expected = {"eventSource": example.source, "eventName": example.name, **at(place(rule), example.becomes)}
    assert everything == expected
    changed = example.value != example.becomes
    assert source.get("normalization", {}).get("rules", []) == ([rule.name] if changed else [])
    assert restore(source) == record


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_documents_do_not_depend_on_the_order_of_events(strategy: str) -> None:
    """One normalizer makes the same document of an event, whatever it has seen before."""
    events = [Event({"eventName": example.name, **at(place(rule), example.value)}, {}) for rule, example in CASES]
    shape = build(strategy, RULES)  # type: ignore[arg-type]
    alone = [Normalizer(shape).document(event).source for event in events]
    for order in itertools.islice(itertools.permutations(range(len(events))), 0, 5000, 1000):
        normalizer = Normalizer(shape)
        assert {index: normalizer.document(events[index]).source for index in order} == dict(enumerate(alone))


def test_a_list_with_objects_is_wrapped_element_by_element() -> None:
    """In a list that mixes texts and objects, each text is wrapped, and the whole comes back."""
    record = {"requestParameters": {"filter": ["User", {"startTimes": []}]}}
    source = Normalizer(build("typed", RULES)).document(Event(record, {})).source
    assert source["requestParameters"]["filter"][0] == {"value": "User"}
    assert restore(source) == record


WRAP = "{do: wrap, key: value}"
EXAMPLE = "[{source: a, name: b, value: 1, becomes: {value: 1}}]"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("rules: [", "line 2 is not YAML"),
        ("rules: [{name: mine}]", "in rule 'mine'.*missing required field `path`"),
        (f"rules: [{{name: mine, path: a..b, why: w, change: {WRAP}, examples: []}}]", "path 'a..b'"),
        ("rules: [{name: mine, path: a, why: w, change: {do: fold}, examples: []}]", "in rule 'mine'.*fold"),
        ("rules: [{name: mine, path: a, why: w, change: {do: wrap, key: a.b}, examples: []}]", "key 'a.b'"),
        (
            f"rules: [{{name: mine, path: a, why: w, change: {WRAP}, "
            "examples: [{source: s, name: n, value: 1, becomes: 2}]}]",
            "example s n becomes {'value': 1}, not 2",
        ),
        (
            "rules: [{name: mine, path: a, why: w, examples: [], "
            "change: {do: wrap, key: v, patterns: [{matches: '(', key: k}]}}]",
            "not a regular expression",
        ),
        (
            f"rules: [{{name: one, path: a, why: w, change: {WRAP}, examples: {EXAMPLE}}}, "
            f"{{name: one, path: b, why: w, change: {WRAP}, examples: {EXAMPLE}}}]",
            "two rules with the same name: one",
        ),
        (
            "rules: [{name: mine, path: a, why: w, change: {do: rename, to: a.b}, examples: []}]",
            "new name 'a.b' must be a name without dots",
        ),
        (
            f"rules: [{{name: mine, path: lookup.username, why: w, change: {WRAP}, examples: []}}]",
            "masked or dropped only",
        ),
    ],
)
def test_a_mistake_in_a_rules_file_is_named(tmp_path: Path, content: str, words: str) -> None:
    """The error names the file, the rule and the mistake."""
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    with pytest.raises(RulesError, match=words) as raised:
        load_rules([file])
    assert str(file) in str(raised.value)


def test_a_missing_rules_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is a sentence, not a traceback."""
    with pytest.raises(RulesError, match=r"nothing\.yaml cannot be read"):
        load_rules([tmp_path / "nothing.yaml"])


def test_a_users_rule_comes_before_the_shipped_one_at_its_path(tmp_path: Path) -> None:
    """Users have the last word on a path."""
    file = tmp_path / "mine.yaml"
    file.write_text(
        "rules: [{name: mine, path: requestParameters.policy, why: w, "
        "change: {do: wrap, key: text}, examples: [{source: s, name: n, value: x, becomes: {text: x}}]}]"
    )
    rules = load_rules([file])
    record = {"requestParameters": {"policy": "x"}}
    source = Normalizer(build("typed", rules)).document(Event(record, {})).source
    assert source["requestParameters"] == {"policy": {"text": "x"}}
    assert source["normalization"]["rules"] == ["mine"]
