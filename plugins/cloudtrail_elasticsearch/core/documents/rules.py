"""Rules: declared changes to the values at a path, read from YAML and checked when they are read.

A rule has a `path` (names joined by dots; lists are passed through), the kind of value that it changes (`when`)
and the `change`. The shipped rules are in ``rules/conflicts.yaml``; users add files in the same form.
"""

from __future__ import annotations

import re
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
from cloudtrail_elasticsearch.core.documents.patterns import PatternError, compile_pattern
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
    "number": frozenset({int, float, bool}),
    "object": frozenset({dict}),
}
"""The types that values of this kind have; values of other kinds may have them, too."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*")
_IN_RULE: Final = re.compile(r"`\$\.rules\[(\d+)\]")
_PLACE: Final = re.compile(r" - at `(\$[\w.\[\]]*)`$")
_QUOTES_NOTHING: Final = re.compile(r"Object missing required field `\w+`|Expected `[\w |]+`, got `\w+`")
"""The messages of msgspec that name only fields of the form and types."""

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
        return self.change.fits(value) and _has_form(value, self.when)

    @property
    def touches(self) -> frozenset[type]:
        """The types of the values that it can apply to."""
        return self.change.touches & _TYPES[self.when]

    @property
    def is_secretive(self) -> bool:
        """Whether it removes values from the document for good."""
        return isinstance(self.change, SECRETIVE)


class RuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of rules."""

    rules: tuple[Rule, ...]


def _has_form(value: Any, form: ValueForm) -> bool:
    match form:
        case "any":
            return True
        case "scalar":
            return not holds_object(value)
        case "text":
            return isinstance(value, str)
        case "number":
            # Booleans are numbers here, as in `_TYPES`.
            return isinstance(value, int | float)
        case "object":
            return isinstance(value, dict)


def load_rules(files: Iterable[Path] = ()) -> tuple[Rule, ...]:
    """Return the user's rules and the shipped rules. If several at one path apply, the first one is used.

    The user's rules come first, those of the last file before the others.

    :raises RulesError: a file cannot be read, or has a mistake
    """
    shipped = resources.files("cloudtrail_elasticsearch") / "rules" / SHIPPED
    rules = read_rules(shipped.read_bytes(), SHIPPED)
    for file in map(Path, files):
        rules = read_rules(read_user_file(file, "rules"), show_path(file)) + rules
    return rules


def read_rules(content: bytes, name: str) -> tuple[Rule, ...]:
    """Return the rules of one file. Errors use its `name`, and quote nothing unless the file holds rules.

    :raises RulesError: it is not YAML, does not have the form above, or a rule contradicts itself
    """
    rules = _convert(_parse(content, name), name)
    for rule in rules:
        _check(rule, name)
    _check_unique(rules, name)
    return rules


def _parse(content: bytes, name: str) -> Any:
    from cloudtrail_elasticsearch.core.documents.rules_text import TextError, parse_yaml

    try:
        return parse_yaml(content)
    except TextError as error:
        line = f", line {error.line}" if error.line else ""
        raise RulesError(f"The rules file {name}{line} {error}.") from None


def _convert(raw: Any, name: str) -> tuple[Rule, ...]:
    try:
        return typed.convert(raw, RuleFile).rules
    except msgspec.ValidationError as error:
        mistake = f"{_faulty_rule(raw, str(error))}: {_describe(str(error))}"
    # Outside the handler: msgspec's message can quote the file, and Airflow logs the whole chain of errors.
    raise RulesError(f"The rules file {name} has a mistake{mistake}.")


def _describe(message: str) -> str:
    """Return a validation message without its quotes from the file."""
    place = _PLACE.search(message)
    at = f" at {place[1]}" if place else ""
    text = _PLACE.sub("", message)
    if _QUOTES_NOTHING.fullmatch(text):
        return f"{text}{at}"
    if text.startswith("Object contains unknown field"):
        return f"a key{at} is not one that docs/rules.md lists"
    return f"the value{at} is not one that docs/rules.md lists"


def _faulty_rule(raw: Any, message: str) -> str:
    """Name the rule that a validation message is about. Its name is quoted only if it looks like a name."""
    found = _IN_RULE.search(message)
    if not found:
        return ""
    # msgspec's message has the position of the rule, and users look for its name.
    rule = raw["rules"][int(found[1])]
    name = rule.get("name") if isinstance(rule, dict) else None
    if isinstance(name, str) and _NAME.fullmatch(name):
        return f" in rule {name!r}"
    return f" in rule number {int(found[1]) + 1}"


def _check(rule: Rule, name: str) -> None:
    start = f"The rules file {name} has a mistake in rule {_shorten(rule.name)}"
    # First, because the messages below show these texts.
    if not all(text.isprintable() for text in _shown_texts(rule)):
        raise RulesError(f"{start}: its name, or a path in it, has a control character.")
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


def _shown_texts(rule: Rule) -> Iterator[str]:
    """Yield the texts of a rule that appear in messages and documents."""
    yield rule.name
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


def _check_unique(rules: tuple[Rule, ...], name: str) -> None:
    counts = Counter(rule.name for rule in rules)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise RulesError(f"The rules file {name} has two rules with the same name: {', '.join(twice)[:300]}.")
