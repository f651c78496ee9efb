"""The tree of a query."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

Operator = Literal["lt", "lte", "gt", "gte"]


@dataclass(frozen=True)
class Text:
    """A value without a wildcard; a quoted one is a phrase."""

    text: str
    is_phrase: bool = False


@dataclass(frozen=True)
class Pattern:
    """A value or a field name with wildcards: the texts before, between and after its ``*``."""

    parts: tuple[str, ...]

    @property
    def is_anything(self) -> bool:
        """Whether it is ``*`` alone: the field has any value."""
        return not any(self.parts)

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """A regular expression that matches the same whole texts."""
        return re.compile(".*".join(map(re.escape, self.parts)), re.DOTALL)


Name: TypeAlias = Text | Pattern | None
"""The name of a field; None stands for all fields."""


@dataclass(frozen=True)
class Is:
    """``field: value``."""

    field: Name
    value: Text | Pattern


@dataclass(frozen=True)
class Range:
    """``field >= value``."""

    field: Text | Pattern
    operator: Operator
    value: str


@dataclass(frozen=True)
class Nested:
    """``field: { … }``: one object below the field matches."""

    field: Text
    child: Node


@dataclass(frozen=True)
class And:
    """All children match."""

    children: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    """At least one child matches."""

    children: tuple[Node, ...]


@dataclass(frozen=True)
class Not:
    """The child does not match."""

    child: Node


Comparison: TypeAlias = Is | Range | Nested
Node: TypeAlias = Comparison | And | Or | Not


def find_comparisons(node: Node) -> Iterator[Comparison]:
    """Yield the comparisons of a query, in its order."""
    match node:
        case And(children) | Or(children):
            for child in children:
                yield from find_comparisons(child)
        case Not(child):
            yield from find_comparisons(child)
        case Is() | Range() | Nested():
            yield node
