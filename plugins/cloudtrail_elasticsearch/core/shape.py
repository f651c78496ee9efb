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
from typing import Final, Literal

import msgspec

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.errors import MappingError, RulesError
from cloudtrail_elasticsearch.core.events import content_id
from cloudtrail_elasticsearch.core.rules import EVERY_CONFLICT, CompiledRule, Wrap

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


@dataclass(slots=True)
class Node:
    """One declared path; an object has children by name, every other kind is a field."""

    kind: Kind
    children: dict[str, Node] = field(default_factory=dict)
    rule: CompiledRule | None = None

    def count(self) -> int:
        """How many mapped fields it stands for, objects included, as the server counts them."""
        return sum(1 + child.count() for child in self.children.values())

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

    @property
    def fingerprint(self) -> str:
        """A short name: equal shapes make equal documents of equal events."""
        entries = [
            [path, node.kind.value, node.rule and msgspec.to_builtins(node.rule.rule.change)]
            for path, node in self.root.walk()
        ]
        return content_id(codec.canonical(entries))[:23]

    def fields(self, path: str) -> tuple[str, ...]:
        """Return the names of the fields that a search finds a scalar at this path under."""
        node = self.root
        for name in path.split("."):
            if node.kind is Kind.FLAT:
                return (path,)
            if name not in node.children:
                return (f"overflow.{path}",)
            node = node.children[name]
        if node.rule is not None and isinstance(node.rule.rule.change, Wrap):
            return tuple(field for key in node.rule.rule.change.keys for field in self.fields(f"{path}.{key}"))
        return (f"overflow.{path}",) if node.kind in {Kind.OBJECT, Kind.FLAT} else (path,)


def build(strategy: Strategy, rules: Iterable[CompiledRule], extra: Iterable[str] = ()) -> Shape:
    """Return what is declared under a mapping strategy.

    `extra` are further paths of the user's to have as keyword fields under the typed strategy. Where a listed
    path is also the parent of another, it is an object, and the rule for `EVERY_CONFLICT` stands on it.

    :raises MappingError: a path is declared both as a field and as an object
    """
    by_path = {rule.rule.path: rule for rule in rules}
    general = by_path.pop(EVERY_CONFLICT, None)
    root = Node(Kind.OBJECT)
    for path, kind in envelope().items():
        _declare(root, path, kind)
    for name in OPEN_OBJECTS:
        root.children[name] = Node(Kind.OBJECT if strategy == "typed" else Kind.FLAT)
    if strategy == "typed":
        _declare_fields(root, {*open_fields(), *extra}, by_path, general)
    for path, rule in by_path.items():
        if strategy == "typed" or "." not in path:
            _attach(root, rule)
    return Shape(strategy, root)


def _declare_fields(
    root: Node, paths: set[str], rules: dict[str, CompiledRule], general: CompiledRule | None
) -> None:
    parents = {parent for path in paths | rules.keys() for parent in _parents(path)}
    wrapped = {path for path, rule in rules.items() if isinstance(rule.rule.change, Wrap)}
    for path in paths - parents - wrapped:
        _declare(root, path, Kind.KEYWORD)
    if general is not None:
        for path in paths & parents - rules.keys():
            _attach(root, general, path)


def _parents(path: str) -> Iterator[str]:
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _declare(root: Node, path: str, kind: Kind) -> Node:
    node = root
    *parents, leaf = path.split(".")
    for name in parents:
        node = node.children.setdefault(name, Node(Kind.OBJECT))
        if node.kind is not Kind.OBJECT:
            raise MappingError(f"{path} cannot be declared: {name} in it is declared as a field of its own.")
    known = node.children.setdefault(leaf, Node(kind))
    if known.kind is not kind:
        raise MappingError(f"{path} is declared both as {known.kind.value} and as {kind.value}.")
    return known


def _attach(root: Node, rule: CompiledRule, path: str | None = None) -> None:
    """Put a rule where it says, or on a path that it does not name."""
    path, change = path or rule.rule.path, rule.rule.change
    if not isinstance(change, Wrap):
        _declare(root, path, Kind.KEYWORD).rule = rule
        return
    top = root.children.get(path)
    node = top if top is not None and top.kind is Kind.FLAT else _declare(root, path, Kind.OBJECT)
    node.rule = rule
    if node.kind is Kind.OBJECT:
        for key in change.keys:
            node.children.setdefault(key, Node(Kind.KEYWORD))


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
