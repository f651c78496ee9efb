"""Days of which every region is proven, as the ledger has them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, ClassVar, Final

from cloudtrail_elasticsearch.core.coverage import State
from cloudtrail_elasticsearch.core.windows import Window

FIGURES: Final = ("staged", "indexed", "quarantined", "left_out")
PROVEN: Final = frozenset({State.COMPLETE, State.QUIET, State.QUARANTINED})
"""Every event of such a cell is accounted for."""


@dataclass(frozen=True, slots=True)
class CompleteDay:
    """A day of an account under an index pattern; two that are equal hold the same events."""

    SUBJECT: ClassVar = ("account", "day", "index")
    """The names of what it says something of."""

    account: str
    day: str
    index: str
    regions: int
    staged: int
    indexed: int
    quarantined: int
    left_out: int

    def to_dict(self) -> dict[str, str | int]:
        """Plain values."""
        return asdict(self)

    @property
    def subject(self) -> tuple[str, str, str]:
        """What it says something of."""
        return self.account, self.day, self.index


def complete_days(cells: Iterable[dict[str, Any]], regions: Collection[str]) -> Iterator[CompleteDay]:
    """Yield the days that have a proven cell of every one of these regions.

    :param cells: cells of whole days of the ledger, of one account and index pattern
    """
    whole = sorted((cell for cell in cells if Window.from_dict(cell).is_day), key=itemgetter("day"))
    for day, of_the_day in groupby(whole, key=itemgetter("day")):
        proven = {cell["region"]: cell for cell in of_the_day if cell["state"] in PROVEN}
        if proven and proven.keys() >= set(regions):
            sums = {name: sum(cell.get(name, 0) for cell in proven.values()) for name in FIGURES}
            one = next(iter(proven.values()))
            yield CompleteDay(one["account"], day, one["pattern"], len(proven), **sums)
