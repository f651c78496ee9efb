"""A rule in the form that is compared: its search, and its evaluation on a raw event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Event: TypeAlias = dict[str, Any]
Query: TypeAlias = dict[str, Any]
Matches: TypeAlias = Callable[[Event], bool]


@dataclass(frozen=True)
class Comparison:
    """One comparison of a rule: a part of it that is searched and evaluated on its own."""

    fields: tuple[str, ...]
    """The fields that the server searches: the names of the rule, or those of its pipeline; none for keywords."""
    query: Query
    matches: Matches
    matches_case: Matches | None = None
    """The evaluation with case as it is, if the language ignores case."""


@dataclass(frozen=True)
class Rule:
    """A rule that was converted for one engine."""

    name: str
    query: Query
    matches: Matches
    comparisons: tuple[Comparison, ...]

    @property
    def fields(self) -> frozenset[str]:
        """The fields that the rule searches."""
        return frozenset(field for each in self.comparisons for field in each.fields)


@dataclass(frozen=True)
class Unconverted:
    """A rule that is not run, with the reason, and the fields that are known of it."""

    name: str
    reason: str
    fields: frozenset[str] = frozenset()
