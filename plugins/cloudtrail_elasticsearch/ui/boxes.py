"""Chosen cells as few boxes, one for each backfill: it has the same accounts and regions on each of its days.

A box is some accounts x some regions x consecutive days. The boxes of some cells cover exactly these cells. To
find the smallest number of boxes is NP-hard (of one day, it is the biclique cover of a graph), so a cover with
fewer boxes than the one that is returned can exist.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Final

_MOST_STEPS: Final = 500_000
"""The most pairs of runs and places that the search for larger boxes compares: under a second."""

Place = tuple[str, str]
"""An account and a region; an empty region stands for every region of the account."""

Run = tuple[date, date]
"""Consecutive days: the first and the last."""


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """The cells of some accounts and regions on consecutive days, both included."""

    first: date
    last: date
    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    """Empty: every region."""

    @property
    def places(self) -> Iterator[Place]:
        """The pairs of account and region."""
        return ((account, region) for account in self.accounts for region in self.regions or ("",))

    @property
    def cells(self) -> int:
        """The number of cells; a day of every region of an account counts as one."""
        return len(self.accounts) * len(self.regions or ("",)) * len(self.days)

    @property
    def days(self) -> list[date]:
        """The days."""
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]


def cover_cells(days: Mapping[Place, Iterable[date]]) -> list[Box]:
    """Return boxes that cover exactly these days of these places, sorted by their days."""
    runs = {place: _join_days(found) for place, found in days.items()}
    # A box has either every region or some by name.
    whole = {place: found for place, found in runs.items() if not place[1]}
    named = {place: found for place, found in runs.items() if place[1]}
    return sorted([*_cover(whole), *_cover(named)])


def enclose_boxes(boxes: Collection[Box]) -> Box:
    """Return the smallest box that has all cells of some boxes, at least one; it can have further cells.

    It has every region if one of the boxes has.
    """
    regions = {region for box in boxes for region in box.regions} if all(box.regions for box in boxes) else set()
    accounts = {account for box in boxes for account in box.accounts}
    run = (min(box.first for box in boxes), max(box.last for box in boxes))
    return _make_box(run, accounts, regions)


def _cover(runs: Mapping[Place, list[Run]]) -> list[Box]:
    found = _divide(runs)
    if len(found) > 1 and len({run for each in runs.values() for run in each}) * len(runs) <= _MOST_STEPS:
        # Boxes that overlap load a cell twice, so they must be fewer.
        return min(found, _cover_greedily(runs), key=len)
    return found


def _join_days(days: Iterable[date]) -> list[Run]:
    """Return the longest runs of consecutive days."""
    numbers = sorted({day.toordinal() for day in days})
    groups = groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    joined = [[number for _, number in group] for _, group in groups]
    return [(date.fromordinal(run[0]), date.fromordinal(run[-1])) for run in joined]


def _divide(runs: Mapping[Place, list[Run]]) -> list[Box]:
    """Return boxes that do not overlap: places with the same run, grouped by account or by region."""
    places: defaultdict[Run, list[Place]] = defaultdict(list)
    for place, found in runs.items():
        for run in found:
            places[run].append(place)
    boxes: list[Box] = []
    for run, of_the_run in places.items():
        by_account = _list_equal(of_the_run)
        by_region = [(accounts, regions) for regions, accounts in _list_equal([(r, a) for a, r in of_the_run])]
        boxes += [_make_box(run, *sides) for sides in min(by_account, by_region, key=len)]
    return boxes


def _list_equal(pairs: Iterable[Place]) -> list[tuple[frozenset[str], frozenset[str]]]:
    """Return groups of first members that have the same second members, with these."""
    groups: defaultdict[frozenset[str], set[str]] = defaultdict(set)
    for first, seconds in _collect(pairs).items():
        groups[frozenset(seconds)].add(first)
    return [(frozenset(firsts), seconds) for seconds, firsts in groups.items()]


def _collect(pairs: Iterable[Place]) -> dict[str, set[str]]:
    collected: defaultdict[str, set[str]] = defaultdict(set)
    for first, second in pairs:
        collected[first].add(second)
    return collected


def _make_box(run: Run, accounts: Iterable[str], regions: Iterable[str]) -> Box:
    return Box(*run, tuple(sorted(accounts)), tuple(sorted(filter(None, regions))))


def _cover_greedily(runs: Mapping[Place, list[Run]]) -> list[Box]:
    """Return boxes that may overlap: again and again the one with the most cells that no other box has yet."""
    starts = _number_cells(runs)
    masks = {box: _mask_cells(box, runs, starts) for box in _list_large_boxes(runs)}
    missing = (1 << sum(_count_days(run) for found in runs.values() for run in found)) - 1
    chosen: list[Box] = []
    while missing:
        best = max(masks, key=lambda box: (masks[box] & missing).bit_count())
        missing &= ~masks[best]
        chosen.append(best)
    return _drop_redundant(chosen, masks)


def _list_large_boxes(runs: Mapping[Place, list[Run]]) -> Iterator[Box]:
    """Yield for each run, and each account or region that has it, the largest box with all of its cells."""
    for run in {run for found in runs.values() for run in found}:
        places = [place for place, found in runs.items() if any(_contains(other, run) for other in found)]
        regions, accounts = _collect(places), _collect((region, account) for account, region in places)
        for chosen in {frozenset(each) for each in regions.values()}:
            yield _make_box(run, (account for account, found in regions.items() if found >= chosen), chosen)
        for chosen in {frozenset(each) for each in accounts.values()}:
            yield _make_box(run, chosen, (region for region, found in accounts.items() if found >= chosen))


def _contains(one: Run, other: Run) -> bool:
    return one[0] <= other[0] and other[1] <= one[1]


def _count_days(run: Run) -> int:
    return (run[1] - run[0]).days + 1


def _number_cells(runs: Mapping[Place, list[Run]]) -> dict[tuple[Place, Run], int]:
    """Return the number of the first cell of each run of a place; the cells of a run have consecutive numbers."""
    starts: dict[tuple[Place, Run], int] = {}
    number = 0
    for place, found in runs.items():
        for run in found:
            starts[place, run] = number
            number += _count_days(run)
    return starts


def _mask_cells(box: Box, runs: Mapping[Place, list[Run]], starts: Mapping[tuple[Place, Run], int]) -> int:
    """Return the numbers of a box's cells, as the bits of a number."""
    mask = 0
    wanted = (box.first, box.last)
    for place in box.places:
        run = next(each for each in runs[place] if _contains(each, wanted))
        shift = starts[place, run] + (box.first - run[0]).days
        mask |= ((1 << _count_days(wanted)) - 1) << shift
    return mask


def _drop_redundant(boxes: list[Box], masks: Mapping[Box, int]) -> list[Box]:
    """Return the boxes without those whose cells the others have, too."""
    kept = list(boxes)
    for box in boxes:
        others = 0
        for other in kept:
            if other is not box:
                others |= masks[other]
        if masks[box] & ~others == 0:
            kept.remove(box)
    return kept
