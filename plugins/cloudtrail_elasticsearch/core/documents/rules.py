"""Rules: declared changes to the values at a path, read from YAML and checked when they are read.

A rule has a `path` (names joined by dots; lists are passed through), the kind of value that it changes (`when`)
and the `change`. A rule with ``do: leave-out`` leaves whole events out instead. The shipped rules are in
``rules/conflicts.yaml``; users add files in the same form.
"""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from cloudtrail_elasticsearch.core.documents.changes import (
    SECRETIVE,
    TYPES,
    Change,
    Drop,
    Rename,
    Wrap,
    holds_object,
)
from cloudtrail_elasticsearch.core.documents.leave_out import (
    LEAVE_OUT,
    LeaveOutRule,
    check_number,
    check_rule,
    find_unknown_name,
    is_leave_out,
)
from cloudtrail_elasticsearch.core.documents.patterns import PatternError, compile_pattern
from cloudtrail_elasticsearch.core.documents.rule_mistakes import describe_mistake, name_rule
from cloudtrail_elasticsearch.core.encoding import typed
from cloudtrail_elasticsearch.core.errors import RulesError
from cloudtrail_elasticsearch.core.user_files import read_user_file, show_path

SHIPPED: Final = "conflicts.yaml"
EVERY_CONFLICT: Final = "*"
"""The path of the rule for all conflicts that have no rule of their own."""

LOOKUP: Final = "lookup"
"""The first name in the paths of the fields that LookupEvents adds, which documents do not hold (ADR-0019)."""

ValueForm: TypeAlias = Literal["any", "scalar", "text", "number", "object"]

_TYPES: Final[dict[ValueForm, frozenset[type]]] = {
    "any": TYPES,
    "scalar": TYPES - {dict},
    "text": frozenset({str}),
    # Booleans are numbers here.
    "number": frozenset({int, float, bool}),
    "object": frozenset({dict}),
}
"""The types that values of this kind have; values of other kinds may have them, too."""

_shorten: Final = reprlib.Repr().repr


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value at the rule's path, in an event of one API, and the changed value (null: it is dropped)."""

    source: str
    name: str
    value: Any
    becomes: Any


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One declared change; `when` limits it to some of the values that the change fits."""

    name: str
    path: str
    why: str
    change: Change
    examples: tuple[Example, ...]
    when: ValueForm = "any"
    services: tuple[str, ...] = ()

    def applies(self, value: Any) -> bool:
        """Whether the rule changes the value; null is never changed."""
        kind = type(value)
        if kind not in self.change.touches or kind not in _TYPES[self.when]:
            return False
        return self.change.fits(value) and (self.when != "scalar" or not holds_object(value))

    @property
    def touches(self) -> frozenset[type]:
        """The types of the values that it can apply to."""
        return self.change.touches & _TYPES[self.when]

    @property
    def is_secretive(self) -> bool:
        """Whether it removes values from the document for good."""
        return isinstance(self.change, SECRETIVE)


AnyRule: TypeAlias = Rule | LeaveOutRule


class RuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of rules, of which each is converted to the type of its form."""

    rules: tuple[Any, ...]


def load_rules(files: Iterable[Path] = ()) -> tuple[AnyRule, ...]:
    """Return the user's rules and the shipped rules. If several at one path apply, the first one is used.

    The user's rules come first, those of the last file before the others.

    :raises RulesError: a file cannot be read, or has a mistake
    """
    shipped = resources.files("cloudtrail_elasticsearch") / "rules" / SHIPPED
    rules = read_rules(shipped.read_bytes(), SHIPPED)
    for file in map(Path, files):
        rules = read_rules(read_user_file(file, "rules"), show_path(file)) + rules
    # Events are counted under the names of these rules, so no other rule of any file may have one.
    leave_out = [rule for rule in rules if isinstance(rule, LeaveOutRule)]
    names = {rule.name for rule in leave_out}
    _check_unique([rule.name for rule in rules if rule.name in names], "The rules files together have")
    check_number(leave_out)
    return rules


def read_rules(content: bytes, name: str) -> tuple[AnyRule, ...]:
    """Return the rules of one file. Errors use its `name`, and quote nothing unless the file holds rules.

    :raises RulesError: it is not YAML, does not have the form above, or a rule contradicts itself
    """
    from cloudtrail_elasticsearch.core.documents.rules_text import parse_yaml

    rules = _convert(parse_yaml(content, name), name)
    for rule in rules:
        _check(rule, name)
    _check_unique([rule.name for rule in rules], f"The rules file {name} has")
    return rules


def _convert(raw: Any, name: str) -> tuple[AnyRule, ...]:
    mistake = ""
    try:
        entries = typed.convert(raw, RuleFile).rules
    except msgspec.ValidationError as error:
        mistake = f": {describe_mistake(str(error), '$')}"
    # Outside the handler: msgspec's message can quote the file, and Airflow logs the whole chain of errors.
    if mistake:
        raise RulesError(f"The rules file {name} has a mistake{mistake}.")
    return tuple(_convert_rule(entry, number, name) for number, entry in enumerate(entries))


def _convert_rule(raw: Any, number: int, name: str) -> AnyRule:
    start = f"The rules file {name} has a mistake in {name_rule(raw, number)}"
    kind: type[AnyRule] = LeaveOutRule if is_leave_out(raw) else Rule
    unknown = find_unknown_name(raw) if kind is LeaveOutRule else None
    if unknown:
        raise RulesError(f"{start}: {unknown}.")
    try:
        return typed.convert(raw, kind)
    except msgspec.ValidationError as error:
        mistake = describe_mistake(str(error), f"$.rules[{number}]")
    if _changes_into_leave_out(raw):
        mistake = (
            f"{LEAVE_OUT} is no change: write do: {LEAVE_OUT} and events beside the name, without path and change"
        )
    # As in `_convert`.
    raise RulesError(f"{start}: {mistake}.")


def _changes_into_leave_out(raw: Any) -> bool:
    change = raw.get("change") if isinstance(raw, dict) else None
    return isinstance(change, dict) and change.get("do") == LEAVE_OUT


def _check(rule: AnyRule, name: str) -> None:
    start = f"The rules file {name} has a mistake in rule {_shorten(rule.name)}"
    # First, because the messages below show these texts.
    if not all(text.isprintable() for text in _shown_texts(rule)):
        raise RulesError(f"{start}: its name, or a path in it, has a control character.")
    if isinstance(rule, LeaveOutRule):
        check_rule(rule, start)
    else:
        _check_change(rule, start)


def _check_change(rule: Rule, start: str) -> None:
    if not rule.path or any(not part for part in rule.path.split(".")):
        raise RulesError(f"{start}: path {_shorten(rule.path)} is not a list of names joined by dots.")
    if rule.path == EVERY_CONFLICT and not isinstance(rule.change, Wrap):
        raise RulesError(f"{start}: the rule for every conflict ({EVERY_CONFLICT}) can only wrap.")
    if rule.path.split(".")[0] == LOOKUP:
        raise RulesError(
            f"{start}: documents do not hold the fields that LookupEvents adds, so {_shorten(rule.path)} needs no "
            f"rule. Remove the rule; to hide the caller's name, mask or drop the fields of userIdentity."
        )
    if isinstance(rule.change, Wrap):
        _check_wrap(rule.change, start)
    if isinstance(rule.change, Rename) and not _is_name(rule.change.to):
        raise RulesError(f"{start}: the new name {_shorten(rule.change.to)} must be a name without dots.")
    # Examples are the rule's tests, and run each time the file is read.
    for example in rule.examples:
        became = _changed_value(rule, example.value)
        if became != example.becomes:
            raise RulesError(
                f"{start}: its example {example.source} {example.name} becomes {_shorten(became)}, "
                f"not {_shorten(example.becomes)} as declared."
            )


def _shown_texts(rule: AnyRule) -> Iterator[str]:
    """Yield the texts of a rule that appear in messages and documents."""
    yield rule.name
    if isinstance(rule, LeaveOutRule):
        yield from (name for name, _ in rule.events.list_values())
        return
    yield rule.path
    for example in rule.examples:
        yield example.source
        yield example.name


def _check_wrap(change: Wrap, start: str) -> None:
    for key in change.keys:
        if not _is_name(key):
            raise RulesError(f"{start}: the key {_shorten(key)} must be a name without dots.")
    for pattern in change.patterns:
        try:
            compile_pattern(pattern.matches)
        except PatternError as error:
            raise RulesError(
                f"{start}: {_shorten(pattern.matches)} is not a regular expression of RE2 ({error}). "
                f"Look-around and back-references are not supported."
            ) from error


def _is_name(text: str) -> bool:
    return bool(text) and "." not in text


def _changed_value(rule: Rule, value: Any) -> Any:
    """Return the changed value; a renamed value stays as it is."""
    # Rules about names leave the value itself as it is.
    if not rule.applies(value) or isinstance(rule.change, Rename):
        return value
    # An example of a dropped value has null as its result.
    return None if isinstance(rule.change, Drop) else rule.change.apply(value)[0]


def _check_unique(names: Iterable[str], start: str) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise RulesError(f"{start} two rules with the same name: {', '.join(twice)[:300]}.")
