"""Reports of a load: the outcomes of events, and the number of events acknowledged without a gap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from cloudtrail_elasticsearch.core.search.bulk import BatchEntry, BulkItem, LeftOut, Rejection
from cloudtrail_elasticsearch.core.search.bulk_answer import Answer


@dataclass(slots=True)
class LoadReport:
    """The outcomes of the events read: read = indexed + duplicates + quarantined + left out."""

    read: int = 0
    indexed: int = 0
    """Documents that did not exist before."""
    duplicates: int = 0
    """Documents that existed before; the load replaced each with an equal one."""
    quarantined: int = 0
    left_out_by: Counter[str] = field(default_factory=Counter)
    """Events that were not sent, by the name of the rule that leaves them out of the index."""

    @property
    def left_out(self) -> int:
        """Events that rules leave out of the index."""
        return self.left_out_by.total()

    def add(self, other: LoadReport) -> None:
        """Add another report's figures to these."""
        self.read += other.read
        self.indexed += other.indexed
        self.duplicates += other.duplicates
        self.quarantined += other.quarantined
        self.left_out_by += other.left_out_by

    def plus(self, other: LoadReport) -> LoadReport:
        """Return a report of these figures and another's."""
        both = LoadReport()
        both.add(self)
        both.add(other)
        return both

    def acknowledge(self, answer: Answer) -> None:
        """Add the documents that the server accepted."""
        self.indexed += answer.created
        self.duplicates += answer.updated


Progress = Callable[[LoadReport, int], None]
"""Takes the counts so far, and the number of events, from the first on, that are acknowledged without a gap."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The outcomes of consecutive lines, by their numbers among all lines, from 0."""

    lines: range
    duplicates: frozenset[int]
    quarantined: frozenset[int]
    left_out: frozenset[int]
    """All other lines are indexed."""


@dataclass(slots=True)
class Delivered:
    """A delivered batch: quarantined events, and documents that replaced an equal one; all others are new."""

    quarantined: list[Rejection]
    replaced: list[BulkItem]


def number_outcomes(batch: list[BatchEntry], first: int, delivered: Delivered) -> Outcomes:
    """Return the outcomes of a batch's lines by their numbers; `first` is the number of the batch's first line."""
    lines = range(first, first + len(batch))
    left_out = frozenset(number for number, entry in zip(lines, batch, strict=True) if isinstance(entry, LeftOut))
    if not delivered.quarantined and not delivered.replaced:
        return Outcomes(lines, frozenset(), frozenset(), left_out)
    # Equal lines can have different outcomes, so lines are compared by identity. An item that is rendered again
    # keeps the same line object.
    numbers = {id(entry.original): number for number, entry in zip(lines, batch, strict=True)}
    return Outcomes(
        lines,
        frozenset(numbers[id(item.original)] for item in delivered.replaced),
        frozenset(numbers[id(entry.original)] for entry in delivered.quarantined),
        left_out,
    )


class Acknowledgements:
    """Counts the events of requests that were acknowledged, up to the first request that was not."""

    def __init__(self) -> None:
        self.events = 0
        self.requests = 0
        self._ahead: dict[int, int] = {}

    def add(self, number: int, events: int) -> None:
        """Record the acknowledgement of a request."""
        self._ahead[number] = events
        # Requests are acknowledged in any order, and a resumed load begins at the first gap.
        while self.requests in self._ahead:
            self.events += self._ahead.pop(self.requests)
            self.requests += 1
