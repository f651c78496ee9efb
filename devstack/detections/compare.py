"""Compares a server's hits of a rule with the evaluation of the rule on the raw events."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cloudtrail_elasticsearch.core.errors import RejectedRequestError
from devstack.detections.index import OBJECT, LoadedEvents
from devstack.detections.rules import Comparison, Rule, Unconverted

_MOST: Final = 1_000
"""The number of differing events that are looked at for the reasons: ``ids`` queries are limited."""


class Result(enum.Enum):
    """How the found events differ from the expected ones."""

    EQUAL = "equal"
    TOO_FEW = "too few"
    TOO_MANY = "too many"
    OTHERS = "others"
    """Some are missing, and some are too many."""
    REJECTED = "rejected"
    """The server rejects the search."""
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Outcome:
    """A rule, its result, and the reasons for it."""

    name: str
    result: Result
    expected: int = 0
    """The number of events that the reference finds."""
    found: int = 0
    """The number of events that the server finds."""
    reasons: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """The fields of the rule that the mapping does not have."""


def compare_rule(rule: Rule | Unconverted, events: LoadedEvents) -> Outcome:
    """Run a rule on a server, and compare the found events with the expected ones."""
    missing = tuple(sorted(field for field in rule.fields if _is_missing(field, events)))
    if isinstance(rule, Unconverted):
        return Outcome(rule.name, Result.NOT_RUN, reasons=(rule.reason,), missing=missing)
    expected = frozenset(identifier for identifier, record in events.records.items() if rule.matches(record))
    try:
        found = events.search(rule.query)
    except RejectedRequestError as error:
        return Outcome(rule.name, Result.REJECTED, len(expected), 0, (f"the server rejects it: {error}",), missing)
    reasons = tuple(dict.fromkeys(_explain(rule, events, sorted(expected ^ found)[:_MOST])))
    return Outcome(rule.name, _judge(expected, found), len(expected), len(found), reasons, missing)


def _judge(expected: frozenset[str], found: frozenset[str]) -> Result:
    if expected == found:
        return Result.EQUAL
    if expected > found:
        return Result.TOO_FEW
    return Result.TOO_MANY if expected < found else Result.OTHERS


def _explain(rule: Rule, events: LoadedEvents, differing: list[str]) -> Iterator[str]:
    """Yield a reason for each comparison that has another result on the server for the differing events."""
    if not differing:
        return
    is_explained = False
    for comparison in rule.comparisons:
        try:
            found = events.search(comparison.query, differing)
        except RejectedRequestError as error:  # it must not hide that the rule as a whole differs
            is_explained = True
            yield f"{', '.join(comparison.fields) or 'keywords'}: the server rejects it alone: {error}"
            continue
        if found != {each for each in differing if comparison.matches(events.records[each])}:
            is_explained = True
            yield from _explain_comparison(comparison, events, differing, found)
    if not is_explained:
        yield "the whole query: each comparison alone is equal"


def _explain_comparison(
    comparison: Comparison, events: LoadedEvents, differing: Iterable[str], found: frozenset[str]
) -> Iterator[str]:
    if not comparison.fields:
        yield "keywords: other values"
    cased = comparison.matches_case
    is_case = cased is not None and found == {each for each in differing if cased(events.records[each])}
    for field in comparison.fields:
        kind = events.fields.get(field)
        if kind is None:
            yield f"{field}: not mapped"
        elif kind == OBJECT:
            yield f"{field}: an object, no field of its own"
        else:
            yield f"{field}: {'different case' if is_case else 'other values'} ({kind})"


def _is_missing(field: str, events: LoadedEvents) -> bool:
    return events.fields.get(field, OBJECT) == OBJECT and not _is_below_flat(field, events)


def _is_below_flat(field: str, events: LoadedEvents) -> bool:
    """Whether a flat field above the path indexes it."""
    parents = [field[:at] for at, character in enumerate(field) if character == "."]
    return any(events.fields.get(parent) in {"flattened", "flat_object"} for parent in parents)
