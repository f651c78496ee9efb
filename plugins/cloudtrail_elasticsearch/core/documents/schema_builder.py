"""Builds a schema from declared fields and rules."""

from __future__ import annotations

from collections.abc import Iterable

from cloudtrail_elasticsearch.core.documents.changes import Rename, Unwrap, Wrap
from cloudtrail_elasticsearch.core.documents.declared_fields import (
    OPEN_OBJECTS,
    Kind,
    envelope_fields,
    find_parents,
    open_fields,
)
from cloudtrail_elasticsearch.core.documents.leave_out import LeaveOutRule
from cloudtrail_elasticsearch.core.documents.rules import EVERY_CONFLICT, AnyRule, Rule
from cloudtrail_elasticsearch.core.documents.schema import Node, Schema, Strategy
from cloudtrail_elasticsearch.core.errors import MappingError, RulesError


def build_schema(
    strategy: Strategy,
    rules: Iterable[AnyRule],
    extra: Iterable[str] = (),
    ecs: bool = True,
    texts: bool = False,
) -> Schema:
    """Return the schema of a mapping strategy.

    A listed path that is also the parent of another one becomes an object with the rule for `EVERY_CONFLICT`.

    :param extra: the user's own paths; they become keyword fields under the typed strategy
    :param texts: whether the open objects are indexed as one text each, too
    :raises MappingError: a path is declared both as a field and as an object
    :raises RulesError: a rule would reveal a value that another rule removes
    """
    given = tuple(rules)
    changes = tuple(rule for rule in given if isinstance(rule, Rule))
    _check_secrets(changes)
    general = [rule for rule in changes if rule.path == EVERY_CONFLICT]
    changes = tuple(rule for rule in changes if rule.path != EVERY_CONFLICT)
    root = Node(Kind.OBJECT)
    for path, kind in envelope_fields():
        _declare(root, path, kind)
    for name in OPEN_OBJECTS:
        root.children[name] = Node(Kind.OBJECT if strategy == "typed" else Kind.FLAT)
    if strategy == "typed":
        _declare_fields(root, {*open_fields(), *extra}, changes, general)
    for rule in changes:
        _attach(root, rule.path, rule)
    # Last, because it caches facts about the finished tree.
    root.complete()
    leave_out = tuple(rule for rule in given if isinstance(rule, LeaveOutRule))
    return Schema(strategy, root, ecs, texts, leave_out)


def _declare_fields(root: Node, paths: set[str], rules: Iterable[Rule], general: Iterable[Rule]) -> None:
    wrapped = {rule.path for rule in rules if isinstance(rule.change, Wrap)}
    parents = {parent for path in paths | wrapped for parent in find_parents(path)}
    # A rule that wraps declares its own keys (see `_attach`).
    for path in sorted(paths - parents - wrapped):
        _declare(root, path, Kind.KEYWORD)
    # A listed path that is also a parent becomes an object, with its scalars under `value` (ADR-0007).
    for path in sorted(paths & parents - wrapped):
        for rule in general:
            _attach(root, path, rule)


def _declare(root: Node, path: str, kind: Kind) -> Node:
    node = root
    *parents, leaf = path.split(".")
    for name in parents:
        node = node.children.setdefault(name, Node(Kind.OBJECT))
        # A rule can have made this node without a field.
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
    """Attach a rule to its path. The keys that it wraps values into are declared if the path can be an object."""
    node = root
    flat = False
    for name in path.split("."):
        flat = flat or node.kind is Kind.FLAT
        # The whole value of any node above would show what the rule removes.
        node.secretive = node.secretive or rule.is_secretive
        node = node.children.setdefault(name, Node(Kind.UNMAPPED))
    node.rules = (*node.rules, rule)
    # A flat field takes any keys, so it needs no fields for them.
    if isinstance(rule.change, Wrap) and not flat and node.kind is not Kind.FLAT:
        _declare(root, path, Kind.OBJECT)
        for key in rule.change.keys:
            if node.children.setdefault(key, Node(Kind.KEYWORD)).kind is Kind.UNMAPPED:
                node.children[key].kind = Kind.KEYWORD


def _check_secrets(rules: tuple[Rule, ...]) -> None:
    """Raise if a rule moves a value past another rule that removes it."""
    secret = [rule for rule in rules if rule.is_secretive]
    for rule in rules:
        if not isinstance(rule.change, Rename | Unwrap):
            continue
        for other in secret:
            if other.path.startswith(f"{rule.path}."):
                raise RulesError(
                    f"Rule {rule.name!r} moves {rule.path}, but rule {other.name!r} masks or drops {other.path} "
                    f"in it: mask or drop the whole of {rule.path}, or remove one of the two rules."
                )
