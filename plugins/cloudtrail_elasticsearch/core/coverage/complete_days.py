"""Complete days: days of the ledger on which every region is verified.

A day is complete for one source. The days of LookupEvents are those of the events, and the days of a trail those
of the delivery of its log files, so that one does not follow from the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, ClassVar, Final

from cloudtrail_elasticsearch.core.coverage.cells import State
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import Window

FIGURES: Final = ("staged", "indexed", "quarantined", "left_out")
PROVEN: Final = frozenset({State.COMPLETE, State.QUIET, State.QUARANTINED})
"""Every event of such a cell is accounted for."""


@dataclass(frozen=True, slots=True)
class CompleteDay:
    """A day of an account under an index pattern, from one source; two equal ones have the same events."""

    SUBJECT: ClassVar = ("account", "day", "index", "source")
    """The names of the members of `subject`."""

    account: str
    day: str
    index: str
    regions: int
    staged: int
    indexed: int
    quarantined: int
    left_out: int
    source: Source = Source.LOOKUP_EVENTS

    def to_dict(self) -> dict[str, str | int]:
        """Return plain values."""
        return asdict(self) | {"source": self.source.value}

    @property
    def subject(self) -> tuple[str, str, str, str]:
        """The account, the day, the index pattern and the source, which identify the day."""
        return self.account, self.day, self.index, self.source.value

    @property
    def partition_key(self) -> str:
        """The account and the day, as the key of a partition; a bar separates the parts of Airflow's keys."""
        return f"{self.account}|{self.day}"


def find_complete_days(cells: Iterable[dict[str, Any]], regions: Collection[str]) -> Iterator[CompleteDay]:
    """Yield the days on which each of these regions has a verified cell of the same source.

    :param cells: cells of the ledger, of one index pattern; windows that are not whole days are skipped
    """
    whole = sorted((cell for cell in cells if Window.from_dict(cell).is_day), key=_day_of)
    for (day, account, source), of_the_day in groupby(whole, key=_day_of):
        proven = {cell["region"]: cell for cell in of_the_day if cell["state"] in PROVEN}
        # There can be more: a region may be disabled after its day was loaded.
        if proven and proven.keys() >= set(regions):
            # Cells of earlier versions lack some figures.
            sums = {name: sum(cell.get(name, 0) for cell in proven.values()) for name in FIGURES}
            pattern = next(iter(proven.values()))["pattern"]
            yield CompleteDay(account, day, pattern, len(proven), **sums, source=source)


def _day_of(cell: dict[str, Any]) -> tuple[str, str, Source]:
    return cell["day"], cell["account"], Window.from_dict(cell).source
