"""Rules: declared changes to a path, read from YAML and checked on load.

A rule says where it looks (`path`, names joined by dots, lists are passed through), which shape of value it
changes (`when`) and how (`change`). The shipped rules are in ``rules/conflicts.yaml``; users add files of
their own in the same form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from cloudtrail_elasticsearch.core.changes import SECRETIVE, TYPES, Change, Drop, Rename, Wrap, holds_object
from cloudtrail_elasticsearch.core.errors import RulesError

SHIPPED: Final = "conflicts.yaml"
EVERY_CONFLICT: Final = "*"
"""The path of the rule for every conflict that has no rule of its own."""

LOOKUP: Final = "lookup"
"""The first name of the paths of what LookupEvents wrote around an event."""

ValueShape: TypeAlias = Literal["any", "scalar", "text", "number", "object"]

_TYPES: Final[dict[ValueShape, frozenset[type]]] = {
    "any": TYPES,
    "scalar": TYPES - {dict},
    "text": frozenset({str}),
    "number": frozenset({int, float, bool}),
    "object": frozenset({dict}),
}
"""The types of values among which all are that have the shape."""


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value at the rule's path, in an event of one API, and what it becomes (null: it is left out)."""

    source: str
    name: str
    value: Any
    becomes: Any


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One declared change; `when` narrows the values it is made to, among those that it fits."""

    name: str
    path: str
    why: str
    change: Change
    examples: tuple[Example, ...]
    when: ValueShape = "any"
    services: tuple[str, ...] = ()

    def applies(self, value: Any) -> bool:
        """Whether the value is one that the rule changes; null never is."""
        return self.change.fits(value) and _has_shape(value, self.when)

    @property
    def touches(self) -> frozenset[type]:
        """The types of values among which all are that it applies to."""
        return self.change.touches & _TYPES[self.when]

    @property
    def is_secretive(self) -> bool:
        """Whether it takes values out of the document for good."""
        return isinstance(self.change, SECRETIVE)


class RuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of rules."""

    rules: tuple[Rule, ...]


def _has_shape(value: Any, shape: ValueShape) -> bool:
    match shape:
        case "any":
            return True
        case "scalar":
            return not holds_object(value)
        case "text":
            return isinstance(value, str)
        case "number":
            return isinstance(value, int | float)
        case "object":
            return isinstance(value, dict)


def load_rules(files: Iterable[Path] = ()) -> tuple[Rule, ...]:
    """Read the user's files and the shipped rules; where several stand at a path, the first that applies is it.

    The user's come first, the last file before the others.

    :raises RulesError: a file cannot be read, or has a mistake
    """
    shipped = resources.files("cloudtrail_elasticsearch") / "rules" / SHIPPED
    rules = read_rules(shipped.read_bytes(), SHIPPED)
    for file in files:
        try:
            content = Path(file).read_bytes()
        except OSError as error:
            raise RulesError(f"The rules file {file} cannot be read: {error.strerror}.") from error
        rules = read_rules(content, str(file)) + rules
    return rules


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
    if rule.path == EVERY_CONFLICT and not isinstance(rule.change, Wrap):
        raise RulesError(f"{start}: the rule for every conflict ({EVERY_CONFLICT}) can only wrap.")
    if rule.path.split(".")[0] == LOOKUP and not rule.is_secretive:
        raise RulesError(f"{start}: what LookupEvents wrote around an event can be masked or dropped only.")
    if isinstance(rule.change, Wrap):
        _check_wrap(rule.change, start)
    if isinstance(rule.change, Rename) and not _is_name(rule.change.to):
        raise RulesError(f"{start}: the new name {rule.change.to!r} must be a name without dots.")
    for example in rule.examples:
        became = _becomes(rule, example.value)
        if became != example.becomes:
            raise RulesError(
                f"{start}: its example {example.source} {example.name} becomes {became!r}, "
                f"not {example.becomes!r} as it says."
            )


def _check_wrap(change: Wrap, start: str) -> None:
    for key in change.keys:
        if not _is_name(key):
            raise RulesError(f"{start}: the key {key!r} must be a name without dots.")
    for pattern in change.patterns:
        try:
            re.compile(pattern.matches)
        except re.error as error:
            raise RulesError(f"{start}: {pattern.matches!r} is not a regular expression ({error}).") from error


def _is_name(text: str) -> bool:
    return bool(text) and "." not in text


def _becomes(rule: Rule, value: Any) -> Any:
    """Return what a rule makes of a value alone; a renamed value stays as it is."""
    if not rule.applies(value) or isinstance(rule.change, Rename):
        return value
    return None if isinstance(rule.change, Drop) else rule.change.apply(value)[0]


def _check_unique(rules: tuple[Rule, ...], name: str) -> None:
    names = [rule.name for rule in rules]
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise RulesError(f"The rules file {name} has two rules with the same name: {', '.join(twice)}.")
