"""What is declared: a tree of the paths that have a field of their own, with the rules that stand on them.

Only what is declared is ever mapped. Nothing is mapped because it happened to arrive first: that is what
makes other loaders depend on order.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.changes import Rename, Stringify, Unwrap, Wrap
from cloudtrail_elasticsearch.core.errors import MappingError, RulesError
from cloudtrail_elasticsearch.core.events import content_id
from cloudtrail_elasticsearch.core.rules import EVERY_CONFLICT, LOOKUP, Rule

Strategy = Literal["typed", "flattened"]
STRATEGIES: tuple[Strategy, ...] = ("typed", "flattened")

OPEN_OBJECTS = ("additionalEventData", "requestParameters", "responseElements", "serviceEventDetails")
"""The top-level objects that AWS's teams fill as they please."""

FIELDS: Final = "fields.txt"


class Kind(enum.Enum):
    """The kind of field that a declared path has."""

    OBJECT = "object"
    KEYWORD = "keyword"
    BOOLEAN = "boolean"
    DATE = "date"
    FLAT = "flat"
    UNMAPPED = "unmapped"
    """No field: there because a rule stands at the path, or below it."""


_NOTHING: Final = type(None)
_TAKEN: Final[dict[Kind, frozenset[type]]] = {
    Kind.OBJECT: frozenset({_NOTHING}),
    Kind.KEYWORD: frozenset({_NOTHING, str, int, bool}),
    Kind.BOOLEAN: frozenset({_NOTHING, bool}),
    Kind.DATE: frozenset({_NOTHING}),
    Kind.FLAT: frozenset({_NOTHING}),
    Kind.UNMAPPED: frozenset(),
}
"""The types of which a kind takes every plain value; others have to be looked at."""

_ALWAYS_TAKEN: Final = {kind: types - {str} for kind, types in _TAKEN.items()}
"""And those of which it takes every value: a text may be too long."""


@dataclass(slots=True)
class Node:
    """One declared path; an object has children by name, every other kind is a field.

    Below a field only rules can stand, on unmapped nodes.
    """

    kind: Kind
    children: dict[str, Node] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    secretive: bool = False
    """Whether a rule below it takes values out for good."""
    touched: frozenset[type] = frozenset()
    """The types of values that its rules can apply to; known, as what follows, once the tree is complete."""
    taken: frozenset[type] = frozenset()
    """The types of values of which it takes every one as it is, alone or in a list."""
    taken_plain: frozenset[type] = frozenset()
    """The same of the values of a plain event."""
    takes: dict[str, frozenset[type]] = field(default_factory=dict)
    """What is `taken` by each child, to be looked up at once."""
    takes_plain: dict[str, frozenset[type]] = field(default_factory=dict)

    def complete(self) -> None:
        """Note what is known of the tree below it, to be asked often."""
        self.touched = frozenset().union(*(rule.touches for rule in self.rules))
        self.taken = _ALWAYS_TAKEN[self.kind] - self.touched
        self.taken_plain = _TAKEN[self.kind] - self.touched
        for child in self.children.values():
            child.complete()
        self.takes = {name: child.taken for name, child in self.children.items()}
        self.takes_plain = {name: child.taken_plain for name, child in self.children.items()}

    @property
    def mapped(self) -> dict[str, Node]:
        """The children that have a place in the mapping."""
        return {name: child for name, child in self.children.items() if child.kind is not Kind.UNMAPPED}

    def count(self) -> int:
        """How many mapped fields it stands for, objects included, as the server counts them."""
        return sum(1 + child.count() for child in self.mapped.values())

    def rule_for(self, value: Any) -> Rule | None:
        """Return the first rule here that applies to a value."""
        if type(value) not in self.touched:
            return None
        for rule in self.rules:
            if rule.applies(value):
                hides = self.secretive and isinstance(rule.change, Stringify) and isinstance(value, dict)
                return None if hides else rule
        return None

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """Yield every path below it with its node."""
        for name, child in self.children.items():
            path = f"{prefix}{name}"
            yield path, child
            yield from child.walk(f"{path}.")


@dataclass(frozen=True, slots=True)
class Fields:
    """Paths by the kind of field they have."""

    keyword: tuple[str, ...] = ()
    boolean: tuple[str, ...] = ()
    date: tuple[str, ...] = ()

    def items(self) -> Iterator[tuple[str, Kind]]:
        """Yield every path with its kind."""
        for kind in (Kind.KEYWORD, Kind.BOOLEAN, Kind.DATE):
            for path in getattr(self, kind.value):
                yield path, kind


@dataclass(frozen=True, slots=True)
class Shape:
    """All that is declared under a mapping strategy."""

    strategy: Strategy
    root: Node
    lookup: Node
    """What LookupEvents writes around an event."""
    ecs: bool = True
    """Whether the envelope has the names of the Elastic Common Schema too."""

    @property
    def fingerprint(self) -> str:
        """A short name: equal shapes make equal documents of equal events."""
        entries = [
            [
                path,
                node.kind.value,
                msgspec.to_builtins([[rule.name, rule.when, rule.change] for rule in node.rules]),
            ]
            for top in (self.root, self.lookup)
            for path, node in top.walk()
        ]
        return content_id(codec.canonical([self.ecs, sorted(entries, key=codec.canonical)]))[:23]

    @property
    def secretive(self) -> bool:
        """Whether rules take values out of documents for good, so that the event itself is not to be shown."""
        return self.root.secretive or self.lookup.secretive

    def fields(self, path: str) -> tuple[str, ...]:
        """Return the names of the fields that a search finds a scalar at this path under."""
        node = self.root
        flat = False
        for name in path.split("."):
            flat = flat or node.kind is Kind.FLAT
            if name not in node.children:
                return (path,) if flat else (f"overflow.{path}",)
            node = node.children[name]
        keys = [key for rule in node.rules if isinstance(rule.change, Wrap) for key in rule.change.keys]
        if keys:
            return tuple(field for key in keys for field in self.fields(f"{path}.{key}"))
        is_field = flat or node.kind in {Kind.KEYWORD, Kind.BOOLEAN, Kind.DATE}
        return (path,) if is_field else (f"overflow.{path}",)


def build(strategy: Strategy, rules: Iterable[Rule], extra: Iterable[str] = (), ecs: bool = True) -> Shape:
    """Return what is declared under a mapping strategy.

    `extra` are further paths of the user's to have as keyword fields under the typed strategy. Where a listed
    path is also the parent of another, it is an object, and the rule for `EVERY_CONFLICT` stands on it.

    :raises MappingError: a path is declared both as a field and as an object
    :raises RulesError: a rule would show what another takes out
    """
    rules = tuple(rules)
    _check_secrets(rules)
    general = [rule for rule in rules if rule.path == EVERY_CONFLICT]
    rules = tuple(rule for rule in rules if rule.path != EVERY_CONFLICT)
    root = Node(Kind.OBJECT)
    for path, kind in envelope().items():
        _declare(root, path, kind)
    for name in OPEN_OBJECTS:
        root.children[name] = Node(Kind.OBJECT if strategy == "typed" else Kind.FLAT)
    if strategy == "typed":
        _declare_fields(root, {*open_fields(), *extra}, rules, general)
    lookup = Node(Kind.OBJECT)
    for path in ("username", "resources.name", "resources.type"):
        _declare(lookup, path, Kind.KEYWORD)
    for rule in rules:
        top, _, rest = rule.path.partition(".")
        if top == LOOKUP:
            _attach(lookup, rest, rule)
        else:
            _attach(root, rule.path, rule)
    root.complete()
    lookup.complete()
    return Shape(strategy, root, lookup, ecs)


def _declare_fields(root: Node, paths: set[str], rules: Iterable[Rule], general: Iterable[Rule]) -> None:
    wrapped = {rule.path for rule in rules if isinstance(rule.change, Wrap)}
    parents = {parent for path in paths | wrapped for parent in _parents(path)}
    for path in sorted(paths - parents - wrapped):
        _declare(root, path, Kind.KEYWORD)
    for path in sorted(paths & parents - wrapped):
        for rule in general:
            _attach(root, path, rule)


def _parents(path: str) -> Iterator[str]:
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _declare(root: Node, path: str, kind: Kind) -> Node:
    node = root
    *parents, leaf = path.split(".")
    for name in parents:
        node = node.children.setdefault(name, Node(Kind.OBJECT))
        if node.kind is Kind.UNMAPPED:
            node.kind = Kind.OBJECT
        if node.kind is not Kind.OBJECT:
            raise MappingError(f"{path} cannot be declared: {name} in it is declared as a field of its own.")
    known = node.children.setdefault(leaf, Node(kind))
    if known.kind is Kind.UNMAPPED:
        known.kind = kind
    if known.kind is not kind:
        raise MappingError(f"{path} is declared both as {known.kind.value} and as {kind.value}.")
    return known


def _attach(root: Node, path: str, rule: Rule) -> None:
    """Put a rule on its path; what it wraps values into is declared, where the path can be an object."""
    node = root
    flat = False
    for name in path.split("."):
        flat = flat or node.kind is Kind.FLAT
        node.secretive = node.secretive or rule.is_secretive
        node = node.children.setdefault(name, Node(Kind.UNMAPPED))
    node.rules = (*node.rules, rule)
    if isinstance(rule.change, Wrap) and not flat and node.kind is not Kind.FLAT:
        _declare(root, path, Kind.OBJECT)
        for key in rule.change.keys:
            if node.children.setdefault(key, Node(Kind.KEYWORD)).kind is Kind.UNMAPPED:
                node.children[key].kind = Kind.KEYWORD


def _check_secrets(rules: tuple[Rule, ...]) -> None:
    """Refuse a rule by which a value gets past one that takes it out."""
    secret = [rule for rule in rules if rule.is_secretive]
    for rule in rules:
        if not isinstance(rule.change, Rename | Unwrap):
            continue
        for other in secret:
            if other.path.startswith(f"{rule.path}."):
                raise RulesError(
                    f"Rule {rule.name!r} changes the name of {rule.path}, of which rule {other.name!r} takes out "
                    f"{other.path}: take out {rule.path} as a whole, or leave one of the two rules out."
                )


@cache
def envelope() -> Fields:
    """The fields that CloudTrail itself fills, from ``rules/envelope.yaml``."""
    return msgspec.yaml.decode(_shipped("envelope.yaml"), type=Fields)


@cache
def open_fields() -> tuple[str, ...]:
    """The declared keyword paths of the open objects, from ``rules/fields.txt``."""
    return _paths(_shipped(FIELDS).decode())


def read_fields(file: Path) -> tuple[str, ...]:
    """Read the user's own list of declared paths: one to a line, ``#`` begins a comment.

    :raises RulesError: it cannot be read, or a line is not a path of the open objects
    """
    try:
        paths = _paths(file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise RulesError(f"The fields file {file} cannot be read: {error}.") from error
    for path in paths:
        top, _, rest = path.partition(".")
        if top not in OPEN_OBJECTS or not all(rest.split(".")):
            raise RulesError(
                f"The fields file {file} has a mistake: {path!r} is not a path below {', '.join(OPEN_OBJECTS)}."
            )
    return paths


def _paths(text: str) -> tuple[str, ...]:
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def _shipped(name: str) -> bytes:
    return (resources.files("cloudtrail_elasticsearch") / "rules" / name).read_bytes()
