"""Prints the outcomes of a set of rules as a table, with its totals and missing fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from devstack.detections.compare import Outcome, Result

_WIDTH: Final = 76


def make_table(title: str, outcomes: Sequence[Outcome]) -> str:
    """Return the table of one set of rules on one server."""
    head = f"{'rule':<{_WIDTH}}{'expected':>9}{'found':>8}  result"
    rows = (line for outcome in outcomes for line in _make_rows(outcome))
    return "\n".join([title, head, *rows, "", *make_totals(outcomes)])


def make_totals(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield the totals of a set of rules, and the fields that the mapping does not have."""
    counts = Counter(outcome.result for outcome in outcomes)
    each = ", ".join(f"{counts[result]} {result.value}" for result in Result)
    run = [outcome for outcome in outcomes if outcome.result is not Result.NOT_RUN]
    hitting = [outcome for outcome in run if outcome.expected]
    equal = sum(outcome.result is Result.EQUAL for outcome in hitting)
    yield f"{len(outcomes)} rules: {each}"
    yield f"{equal} of {len(hitting)} rules with expected events are equal"
    yield f"{sum(not outcome.missing for outcome in outcomes)} of {len(outcomes)} rules have all fields"
    missing = Counter(field for outcome in outcomes for field in outcome.missing)
    yield from (f"  missing in {count:>3} rules: {field}" for field, count in missing.most_common())


def _make_rows(outcome: Outcome) -> Iterator[str]:
    name = outcome.name[: _WIDTH - 1]
    yield f"{name:<{_WIDTH}}{outcome.expected:>9}{outcome.found:>8}  {outcome.result.value}"
    yield from (f"    {reason}" for reason in outcome.reasons)
