"""The cells that a user chooses on the coverage page, and the backfills that load exactly these again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from cloudtrail_elasticsearch.airflows import Reprocess
from cloudtrail_elasticsearch.core.coverage.cells import State
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.ui import coverage_table, live
from cloudtrail_elasticsearch.ui.boxes import Box, Place, cover_cells, enclose_boxes
from cloudtrail_elasticsearch.ui.coverage_table import ALL_ACCOUNTS, STATES, Choice
from cloudtrail_elasticsearch.ui.questions import AskedError

MOST_CELLS: Final = 20_000
"""The most cells whose states are read for one choice."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of the coverage table on the days of a choice, and the states that their cells must have."""

    choice: Choice
    """Its source is not None, because each source has a DAG of its own."""
    rows: tuple[str, ...]
    """Regions of the choice's account, or accounts."""
    states: frozenset[State | None]
    """None: cells that were never planned. Empty: every cell."""

    def name_place(self, row: str) -> Place:
        """Return the account and the region of a row; a row of an account has every region."""
        return (row, "") if self.choice.account == ALL_ACCOUNTS else (self.choice.account, row)

    @property
    def days(self) -> list[str]:
        """The days, as the ledger writes them, without today: no run can prove a day that is not over."""
        today = str(datetime.now(UTC).date())
        return [day for day in coverage_table.list_days(self.choice.first, self.choice.last) if day != today]

    @property
    def query(self) -> dict[str, Any]:
        """The query for the ledger's cells of the rows and days, whatever their states."""
        query = coverage_table.query_choice(self.choice, self.days)
        query["bool"]["filter"].append({"terms": {self.choice.row_field: sorted(self.rows)}})
        return query


@dataclass(frozen=True, slots=True)
class ChosenCells:
    """The cells of a selection as boxes, one for each backfill."""

    boxes: list[Box]
    """Together exactly the cells. Whole days of accounts have every region: the ledger need not know them all."""
    cells: int
    """The number of cells; a day of every region of an account counts as one."""
    days_with_cells: frozenset[date]
    """The days of the selection of which the ledger has cells, of any account and region."""

    @property
    def joint(self) -> Box | None:
        """The smallest box with all of the cells, if they need several boxes; it has further cells."""
        return enclose_boxes(self.boxes) if len(self.boxes) > 1 else None

    def choose_reprocess(self, box: Box) -> Reprocess:
        """Return which existing runs must run again to load the cells of a box.

        A day's run loads the cells of all accounts and regions. A backfill of other cells of the day can have
        changed a failed run to a successful one, so that runs of both kinds are repeated: of a complete cell, this
        costs little.
        """
        return "none" if self.days_with_cells.isdisjoint(box.days) else "completed"


def find_chosen_cells(server: SearchServer, selection: Selection) -> ChosenCells:
    """Return the selected cells.

    :raises AskedError: too many cells are selected (400)
    """
    cells = _find_cells(server, selection)
    days: defaultdict[Place, list[date]] = defaultdict(list)
    for place, day in cells:
        days[place].append(day)
    return ChosenCells(cover_cells(days), len(cells), _find_days_with_cells(server, selection))


def _find_cells(server: SearchServer, selection: Selection) -> set[tuple[Place, date]]:
    if not selection.states:
        return set(_list_squares(selection))
    found = set(_read_cells(server, selection))
    if None in selection.states:
        planned = _find_planned_rows(server, selection) | _find_live_squares(server, selection)
        found |= {(place, day) for place, day in _list_squares(selection) if (place, day) not in planned}
    return found


def _list_squares(selection: Selection) -> Iterator[tuple[Place, date]]:
    for row in selection.rows:
        place = selection.name_place(row)
        yield from ((place, date.fromisoformat(day)) for day in selection.days)


def _read_cells(server: SearchServer, selection: Selection) -> Iterator[tuple[Place, date]]:
    """Yield the ledger's cells of the selection.

    :raises AskedError: there are too many (400)
    """
    ranks = [rank for rank, state in enumerate(STATES) if state in selection.states]
    if not ranks:
        return
    # A cell with several windows has the worst of their states, so worse states than the wanted ones are read.
    query = {"bool": {"filter": [selection.query, {"terms": {"state": STATES[min(ranks) :]}}]}}
    found: dict[tuple[str, str, str], int] = {}
    for bucket in coverage_table.read_buckets(server, query, ("account", "region", "day", "state")):
        key = bucket.values
        cell = (key["account"], key["region"], key["day"])
        found[cell] = max(found.get(cell, 0), STATES.index(State(key["state"])))
        if len(found) > MOST_CELLS:
            raise AskedError(400, f"More than {MOST_CELLS:,} cells are chosen. Choose fewer days, rows or states.")
    for (account, region, day), rank in found.items():
        if rank in ranks:
            yield (account, region), date.fromisoformat(day)


def _find_planned_rows(server: SearchServer, selection: Selection) -> set[tuple[Place, date]]:
    """Return the squares of the selection that have a cell in the ledger."""
    field = selection.choice.row_field
    keys = (bucket.values for bucket in coverage_table.read_buckets(server, selection.query, (field, "day")))
    return {(selection.name_place(key[field]), date.fromisoformat(key["day"])) for key in keys}


def _find_live_squares(server: SearchServer, selection: Selection) -> set[tuple[Place, date]]:
    """Return the squares that the page shows as live if they have no cell: the daily run loads them anyway."""
    days = live.list_live_days(datetime.now(UTC).date())
    if {str(day) for day in days}.isdisjoint(selection.days):
        return set()
    rows = live.find_followed_rows(server, selection.choice)
    return {(selection.name_place(row), day) for row in rows for day in days}


def _find_days_with_cells(server: SearchServer, selection: Selection) -> frozenset[date]:
    choice = selection.choice
    every = Choice(choice.first, choice.last, ALL_ACCOUNTS, choice.pattern, choice.source)
    query = coverage_table.query_choice(every, selection.days)
    buckets = coverage_table.read_buckets(server, query, ("day",))
    return frozenset(date.fromisoformat(bucket.values["day"]) for bucket in buckets)
