"""The schema: a tree of the declared fields, with their rules.

Only declared fields are mapped, so the mapping does not depend on the order in which events arrive (ADR-0001).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from cloudtrail_elasticsearch.core.documents.changes import Stringify, Wrap
from cloudtrail_elasticsearch.core.documents.declared_fields import FIELDS_OF_SCALARS, Kind
from cloudtrail_elasticsearch.core.documents.events import content_id
from cloudtrail_elasticsearch.core.documents.flat_field import is_flat_scalar
from cloudtrail_elasticsearch.core.documents.leave_out import LeaveOutRule
from cloudtrail_elasticsearch.core.documents.rules import Rule
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.encoding.codec import Json
from cloudtrail_elasticsearch.core.enrichment.enrichment import Enrichment

Strategy = Literal["typed", "flattened"]

STRATEGIES: tuple[Strategy, ...] = ("typed", "flattened")

_NULL: Final = type(None)

_TAKEN: Final[dict[Kind, frozenset[type]]] = {
    Kind.OBJECT: frozenset({_NULL}),
    # Not float: some fractions need a second notation.
    Kind.KEYWORD: frozenset({_NULL, str, int, bool}),
    Kind.BOOLEAN: frozenset({_NULL, bool}),
    # Dates and numbers take only some of the values of a type, so the walk checks each.
    Kind.DATE: frozenset({_NULL}),
    Kind.NUMBER: frozenset({_NULL}),
    Kind.FLAT: frozenset({_NULL}),
    Kind.UNMAPPED: frozenset(),
}
"""The types of which a kind of field takes every value; of texts, every short one."""


@dataclass(slots=True)
class Node:
    """One declared path: an object with children by name, or a field of any other kind.

    Below a field are only unmapped nodes, with rules.
    """

    kind: Kind
    children: dict[str, Node] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    secretive: bool = False
    """Whether a rule below masks or drops values."""
    touched: frozenset[type] = frozenset()
    """The types of values that its rules can apply to. This field and the next two are set by `complete`."""
    taken: frozenset[type] = frozenset()
    """The types of which it takes every value, alone or in a list; of texts, every short one."""
    takes: dict[str, frozenset[type]] = field(default_factory=dict)
    """The same for each child, cached for the walk."""

    def complete(self) -> None:
        """Set the cached fields of the whole tree, once it is built."""
        self.touched = frozenset().union(*(rule.touches for rule in self.rules))
        self.taken = _TAKEN[self.kind] - self.touched
        for child in self.children.values():
            child.complete()
        self.takes = {name: child.taken for name, child in self.children.items()}

    def takes_all(self, values: list[Json], are_short: bool) -> bool:
        """Whether it takes every value of a list as it is; a yes is certain.

        :param are_short: whether the texts among them are known to be short and ASCII
        """
        if not self.taken.issuperset(map(type, values)):
            return False
        return are_short or all(type(value) is not str or is_flat_scalar(value) for value in values)

    @property
    def mapped(self) -> dict[str, Node]:
        """The children that are in the mapping."""
        return {name: child for name, child in self.children.items() if child.kind is not Kind.UNMAPPED}

    def count(self) -> int:
        """Return the number of mapped fields below it, as the server counts them: with objects."""
        return sum(1 + child.count() for child in self.mapped.values())

    def rule_for(self, value: Any) -> Rule | None:
        """Return the first rule of this path that applies to a value."""
        if type(value) not in self.touched:
            return None
        for rule in self.rules:
            if rule.applies(value):
                # The text of the object would show the values that a rule below removes.
                hides = self.secretive and isinstance(rule.change, Stringify) and isinstance(value, dict)
                return None if hides else rule
        return None

    def secret_rule(self) -> Rule | None:
        """Return the first rule of this path or of one below that removes values for good; None if none does."""
        for rule in self.rules:
            if rule.is_secretive:
                return rule
        return next(filter(None, (child.secret_rule() for child in self.children.values())), None)

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """Yield every path below it with its node."""
        for name, child in self.children.items():
            path = f"{prefix}{name}"
            yield path, child
            yield from child.walk(f"{path}.")


@dataclass(frozen=True, slots=True)
class Schema:
    """The declared fields and the rules of a mapping strategy."""

    strategy: Strategy
    root: Node
    ecs: bool = True
    """Whether documents have the names of the Elastic Common Schema, too."""
    texts: bool = False
    """Whether the open objects are indexed as one text each, too."""
    leave_out: tuple[LeaveOutRule, ...] = ()
    """The rules that leave whole events out."""
    enrichment: Enrichment | None = None
    """What documents have beside their events; only with ECS fields."""

    @property
    def fingerprint(self) -> str:
        """A short name: equal schemas make equal documents from equal events.

        The events that are left out have no document, so `leave_out` is not part of it.
        """
        entries = [
            [
                path,
                node.kind.value,
                # Without `why` and `examples`, which change no document.
                msgspec.to_builtins([[rule.name, rule.when, rule.change] for rule in node.rules]),
            ]
            for path, node in self.root.walk()
        ]
        # Sorted, so that all processes get the same fingerprint; otherwise a loaded window would be loaded again.
        options = [self.ecs, *(["texts"] if self.texts else [])]
        content: list[Any] = [*options, sorted(entries, key=codec.canonical)]
        # The kinds alone: new data in a database must not load finished windows again (ADR-0030).
        if self.enrichment is not None:
            content.append(self.enrichment.kinds)
        return content_id(codec.canonical(content))[:23]

    @property
    def secretive(self) -> bool:
        """Whether rules remove values for good, so that the event itself must not be shown."""
        return self.root.secretive

    def fields(self, path: str) -> tuple[str, ...]:
        """Return the fields in which a search finds a scalar of this path."""
        node = self.root
        flat = False
        for name in path.split("."):
            flat = flat or node.kind is Kind.FLAT
            if name not in node.children:
                # A flat field holds all paths below it, declared or not.
                return (path,) if flat else (f"overflow.{path}",)
            node = node.children[name]
        keys = [key for rule in node.rules if isinstance(rule.change, Wrap) for key in rule.change.keys]
        # The rule puts scalars under its keys, so the path itself holds none.
        if keys:
            return tuple(field for key in keys for field in self.fields(f"{path}.{key}"))
        is_field = flat or node.kind in FIELDS_OF_SCALARS
        return (path,) if is_field else (f"overflow.{path}",)
