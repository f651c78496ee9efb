"""Rules: declared changes, each tested by its examples, and clear errors for mistakes in a file."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.declared_fields import read_fields
from cloudtrail_elasticsearch.core.documents.events import Event
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import EVERY_CONFLICT, Example, Rule, load_rules, read_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.errors import RulesError

RULES = load_rules()
CASES = [(rule, example) for rule in RULES if isinstance(rule, Rule) for example in rule.examples]


def place(rule: Rule) -> str:
    """Return a path that the rule applies to."""
    return "requestParameters.logging" if rule.path == EVERY_CONFLICT else rule.path


def at(path: str, value: Any) -> dict[str, Any]:
    """Return an object that holds the value at a dotted path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("rule", "example"),
    CASES,
    ids=[f"{rule.name}-{example.source}-{example.name}" for rule, example in CASES],
)
def test_a_rule_matches_its_example(rule: Rule, example: Example) -> None:
    """In a whole event of that API the value becomes that of the example, and is restored."""
    record = {"eventSource": example.source, "eventName": example.name, **at(place(rule), example.value)}
    source = Normalizer(build_schema("typed", RULES)).document(Event(record, {})).source
    everything = restore({**source, "normalization": {}})
    expected = {"eventSource": example.source, "eventName": example.name, **at(place(rule), example.becomes)}
    assert everything == expected
    changed = example.value != example.becomes
    assert source.get("normalization", {}).get("rules", []) == ([rule.name] if changed else [])
    assert restore(source) == record


@pytest.mark.promise("order-free")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_documents_do_not_depend_on_the_order_of_events(strategy: str) -> None:
    """A normalizer makes the same document of an event, whatever events came before."""
    events = [Event({"eventName": example.name, **at(place(rule), example.value)}, {}) for rule, example in CASES]
    schema = build_schema(strategy, RULES)  # type: ignore[arg-type]
    alone = [Normalizer(schema).document(event).source for event in events]
    for order in itertools.islice(itertools.permutations(range(len(events))), 0, 5000, 1000):
        normalizer = Normalizer(schema)
        assert {index: normalizer.document(events[index]).source for index in order} == dict(enumerate(alone))


def test_a_list_with_objects_is_wrapped_element_by_element() -> None:
    """In a list of texts and objects each text is wrapped, and the whole list is restored."""
    record = {"requestParameters": {"filter": ["User", {"startTimes": []}]}}
    source = Normalizer(build_schema("typed", RULES)).document(Event(record, {})).source
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
        ("rules: [{name: mine, path: a, why: w, change: {do: fold}, examples: []}]", "in rule 'mine'.*change.do"),
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
            "lookup.username' needs no rule",
        ),
    ],
)
def test_an_error_names_the_mistake_in_a_rules_file(tmp_path: Path, content: str, words: str) -> None:
    """It has the file, the rule and the mistake."""
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    with pytest.raises(RulesError, match=words) as raised:
        load_rules([file])
    assert str(file) in str(raised.value)


def test_an_error_names_a_missing_rules_file(tmp_path: Path) -> None:
    """In one sentence, without a traceback."""
    with pytest.raises(RulesError, match=r"nothing\.yaml cannot be read"):
        load_rules([tmp_path / "nothing.yaml"])


def test_a_users_rule_overrides_the_shipped_one_at_its_path(tmp_path: Path) -> None:
    """The user's rule is applied, not the shipped one."""
    file = tmp_path / "mine.yaml"
    file.write_text(
        "rules: [{name: mine, path: requestParameters.policy, why: w, "
        "change: {do: wrap, key: text}, examples: [{source: s, name: n, value: x, becomes: {text: x}}]}]"
    )
    rules = load_rules([file])
    record = {"requestParameters": {"policy": "x"}}
    source = Normalizer(build_schema("typed", rules)).document(Event(record, {})).source
    assert source["requestParameters"] == {"policy": {"text": "x"}}
    assert source["normalization"]["rules"] == ["mine"]


SECRET = "Tr0ub4dor3SECRETeyJhbGciOi"

NO_RULES = {
    "a password file": f"root:{SECRET}:0:0:root:/root:/bin/bash\ndaemon:*:1:1::/:\n",
    "a token": SECRET,
    "settings": f"password: {SECRET}\n",
    "a key": f"{SECRET}: 1\n",
    "a broken quote": f"password: 'x\n{SECRET}: [",
    "an undefined alias": f"a: *{SECRET}\n",
    "a directive": f"%{SECRET} 1\n---\na\n",
    "a tag": f"a: !{SECRET} x\n",
    "a number too long": "a: " + "1" * 5000 + f"\nb: {SECRET}\n",
    "a date that is none": f"a: 2026-99-99\nb: {SECRET}\n",
    "not UTF-8": SECRET.encode() + b"\xff\xfe\x00",
    "rules that are none": f"rules: {SECRET}\n",
    "a rule that is none": f"rules: [{SECRET}]\n",
    "a rule's unknown key": f"rules: [{{{SECRET}: 1}}]\n",
    "a rule's odd name": f"rules: [{{name: 'a {SECRET}'}}]\n",
    "an unknown change": f"rules: [{{name: a, path: b, why: c, examples: [], change: {{do: {SECRET}}}}}]\n",
    "a change that is none": f"rules: [{{name: a, path: b, why: c, examples: [], change: {SECRET}}}]\n",
    "something else to do": f"rules: [{{name: a, why: c, do: {SECRET}, events: {{name: x}}}}]",
    "keys beside something to do": f"rules: [{{do: x, {SECRET}: 1}}]",
    "conditions that are none": f"rules: [{{name: a, why: c, do: leave-out, events: {SECRET}}}]",
    "a condition's odd value": f"rules: [{{why: c, do: leave-out, events: {{name: {{{SECRET}: 1}}}}}}]",
    "an unknown shape": f"rules: [{{name: a, path: b, why: c, when: {SECRET}, change: {{do: drop}}}}]",
}


def whole_chain(error: BaseException | None) -> str:
    """Return all texts that a logger can print of an error and its causes."""
    return "" if error is None else f"{error!r} {vars(error)} " + whole_chain(error.__cause__ or error.__context__)


@pytest.mark.promise("closed")
@pytest.mark.parametrize("content", NO_RULES.values(), ids=NO_RULES)
def test_an_error_quotes_nothing_of_a_file_without_rules(tmp_path: Path, content: str | bytes) -> None:
    """A path can name any file, and readers of a task's log must not see its contents."""
    file = tmp_path / "mine.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    for read in (lambda: load_rules([file]), lambda: read_fields(file)):
        with pytest.raises(RulesError, match=r"mine\.yaml") as raised:
            read()
        assert SECRET not in whole_chain(raised.value)


@pytest.mark.promise("bounded")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\nrules: [*b, *b]\n", "line 1 has an anchor or an alias"),
        ("rules: !!python/object/apply:os.getcwd []", "line 1 has a tag"),
        ("rules: " + "[" * 200 + "]" * 200, "nested deeper than 64 levels"),
        ("rules: " + "[" * 500_000, "nested deeper than 64 levels|is not YAML"),
        ("rules:\n " + "- " * 500_000, "nested deeper than 64 levels"),
        ("rules: [" + "a," * 500_000 + "]", "more than 100000 values"),
        ("a: 1" + ":1" * 500_000, "a key is not one that docs"),
        ("# x\n" * 300_000, "has more than 1048576 bytes"),
    ],
    ids=["bomb", "tag", "lists", "more lists", "items", "values", "base 60", "size"],
)
def test_a_hostile_rules_file_is_rejected_quickly(tmp_path: Path, content: str, words: str) -> None:
    """Within seconds and without a traceback, whatever its contents are."""
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    began = time.process_time()
    with pytest.raises(RulesError, match=words):
        load_rules([file])
    assert time.process_time() - began < 20


@pytest.mark.parametrize("made", ["pipe", "device", "folder", "null character"])
def test_only_regular_files_are_read(tmp_path: Path, made: str) -> None:
    """A pipe without a writer does not hang, and a device without an end is not read."""
    file = {"device": Path("/dev/zero"), "null character": Path("a\0b")}.get(made, tmp_path / "mine.yaml")
    if made == "pipe":
        os.mkfifo(file)
    if made == "folder":
        file.mkdir()
    for read in (lambda: load_rules([file]), lambda: read_fields(file)):
        with pytest.raises(RulesError, match="cannot be read"):
            read()


def test_a_control_character_of_a_rule_is_not_shown(tmp_path: Path) -> None:
    """Control characters of rules and fields are escaped in terminals and logs."""
    file = tmp_path / "mine.yaml"
    file.write_text(f'rules: [{{name: "a\\e[31m", path: b, why: w, change: {WRAP}, examples: {EXAMPLE}}}]')
    with pytest.raises(RulesError, match="control character") as raised:
        load_rules([file])
    assert "\x1b" not in str(raised.value)
    file.write_text(
        f"rules: [{{name: a, path: b, why: w, change: {WRAP}, "
        'examples: [{source: "a\\n2026 INFO", name: b, value: 1, becomes: 2}]}]'
    )
    with pytest.raises(RulesError, match="control character"):
        load_rules([file])
    file.write_text("requestParameters.a\x1b[31m\n")
    with pytest.raises(RulesError, match="line 1 is not a path below") as raised:
        read_fields(file)
    assert "\x1b" not in str(raised.value)


def test_a_date_in_an_example_is_a_text() -> None:
    """Like a date in the JSON of an event."""
    rules = read_rules(
        f"rules: [{{name: a, path: b, why: w, change: {WRAP}, examples: "
        f"[{{source: s, name: n, value: 2026-11-20, becomes: {{value: 2026-11-20}}}}]}}]".encode(),
        "mine.yaml",
    )
    assert isinstance(rules[0], Rule)
    assert rules[0].examples[0].value == "2026-11-20"
