"""Rules: declared changes to a path, read from YAML and checked on load.

A rule says where it looks (`path`, names joined by dots, lists are passed through), which shape of value it
changes (`when`) and how (`change`). The shipped rules are in ``rules/conflicts.yaml``; users add files of
their own in the same form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import msgspec

from cloudtrail_elasticsearch.core.errors import RulesError

SHIPPED = "conflicts.yaml"
EVERY_CONFLICT = "*"
"""The path of the rule for every conflict that has no rule of its own."""


class KeyPattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to choose where the text matches a regular expression (searched, not anchored)."""

    matches: str
    key: str


class Wrap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="wrap", tag_field="do"):
    """Put the value into an object, under `key` or the key of the first of `patterns` that its text matches."""

    key: str
    patterns: tuple[KeyPattern, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that the value can come to stand under."""
        return (self.key, *(pattern.key for pattern in self.patterns))


class Stringify(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="stringify", tag_field="do"):
    """Write a number or a boolean as its JSON text."""


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value at the rule's path, in an event of one API, and what it becomes."""

    source: str
    name: str
    value: Any
    becomes: Any


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One declared change. `when` is the shape it changes: any scalar (also in a list), or just a number."""

    name: str
    path: str
    why: str
    change: Wrap | Stringify
    examples: tuple[Example, ...]
    when: Literal["scalar", "number"] = "scalar"
    services: tuple[str, ...] = ()


class RuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of rules."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class CompiledRule:
    """A rule made ready to be applied to many values."""

    rule: Rule

    @cached_property
    def _patterns(self) -> tuple[tuple[re.Pattern[str], str], ...]:
        change = self.rule.change
        patterns = change.patterns if isinstance(change, Wrap) else ()
        return tuple((re.compile(pattern.matches), pattern.key) for pattern in patterns)

    def applies(self, value: Any) -> bool:
        """Whether the value has the shape that the rule changes; null and lists with objects never have."""
        if self.rule.when == "number":
            return isinstance(value, int | float)
        return value is not None and not holds_object(value)

    def change(self, value: Any) -> tuple[Any, dict[str, Any]]:
        """Return the changed value, and what `undo` needs to know."""
        change = self.rule.change
        if isinstance(change, Stringify):
            return msgspec.json.encode(value).decode(), {"do": "stringify"}
        key = self._key(value, change.key)
        return {key: value}, {"do": "wrap", "key": key}

    def _key(self, value: Any, default: str) -> str:
        sample = value
        while isinstance(sample, list):
            sample = sample[0] if sample else None
        if isinstance(sample, str):
            for pattern, key in self._patterns:
                if pattern.search(sample):
                    return key
        return default


def holds_object(value: Any) -> bool:
    """Whether the value is an object, or a list with an object at any depth."""
    if isinstance(value, list):
        return any(holds_object(element) for element in value)
    return isinstance(value, dict)


def undo(value: Any, step: dict[str, Any]) -> Any:
    """Return what stood there before `CompiledRule.change`, from what it noted."""
    if step["do"] == "stringify":
        return msgspec.json.decode(value)
    return value[step["key"]]


def load_rules(files: Iterable[Path] = ()) -> tuple[CompiledRule, ...]:
    """Read the shipped rules and the user's files; a user's rule replaces a shipped one at the same path.

    :raises RulesError: a file cannot be read, or has a mistake
    """
    shipped = resources.files("cloudtrail_elasticsearch") / "rules" / SHIPPED
    by_path = {rule.path: rule for rule in read_rules(shipped.read_bytes(), SHIPPED)}
    for file in files:
        try:
            content = Path(file).read_bytes()
        except OSError as error:
            raise RulesError(f"The rules file {file} cannot be read: {error.strerror}.") from error
        by_path.update({rule.path: rule for rule in read_rules(content, str(file))})
    return tuple(CompiledRule(rule) for rule in by_path.values())


def read_rules(content: bytes, name: str) -> tuple[Rule, ...]:
    """Read one file of rules; `name` is what to call it in an error.

    :raises RulesError: it is not YAML, not of the form above, or a rule contradicts itself
    """
    import yaml

    try:
        raw = yaml.load(content, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise RulesError(
            f"The rules file {name}{line} is not YAML: {getattr(error, 'problem', error)}."
        ) from error
    try:
        rules = msgspec.convert(raw, RuleFile).rules
    except msgspec.ValidationError as error:
        raise RulesError(f"The rules file {name} has a mistake{_culprit(raw, str(error))}: {error}.") from error
    for rule in rules:
        _check(rule, name)
    _check_unique(rules, name)
    return rules


def _culprit(raw: Any, message: str) -> str:
    """Name the rule that a validation message points to by number."""
    found = re.search(r"\$\.rules\[(\d+)\]", message)
    try:
        return f" in rule {raw['rules'][int(found[1])]['name']!r}" if found else ""
    except (KeyError, IndexError, TypeError):
        return f" in rule number {int(found[1]) + 1}" if found else ""


def _check(rule: Rule, name: str) -> None:
    start = f"The rules file {name} has a mistake in rule {rule.name!r}"
    if not rule.path or any(not part for part in rule.path.split(".")):
        raise RulesError(f"{start}: path {rule.path!r} is not a list of names joined by dots.")
    if isinstance(rule.change, Wrap):
        for key in rule.change.keys:
            if not key or "." in key:
                raise RulesError(f"{start}: the key {key!r} must be a name without dots.")
        for pattern in rule.change.patterns:
            try:
                re.compile(pattern.matches)
            except re.error as error:
                raise RulesError(f"{start}: {pattern.matches!r} is not a regular expression ({error}).") from error
    compiled = CompiledRule(rule)
    for example in rule.examples:
        became = compiled.change(example.value)[0] if compiled.applies(example.value) else example.value
        if became != example.becomes:
            raise RulesError(
                f"{start}: its example {example.source} {example.name} becomes {became!r}, "
                f"not {example.becomes!r} as it says."
            )


def _check_unique(rules: tuple[Rule, ...], name: str) -> None:
    for what in ("name", "path"):
        values = [getattr(rule, what) for rule in rules]
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise RulesError(f"The rules file {name} has two rules with the same {what}: {', '.join(twice)}.")
