"""The base of the coverage tasks: the cells of all batches beside the plan, and the complete days."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import BaseOperator, Context

from cloudtrail_elasticsearch.core.coverage.batch_cells import unpack_cells
from cloudtrail_elasticsearch.core.coverage.cells import Coverage
from cloudtrail_elasticsearch.core.coverage.complete_days import find_complete_days
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.errors import CoverageError
from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX, IndexPattern
from cloudtrail_elasticsearch.operators.complete_days import COMPLETE_DAYS, add_asset_events
from cloudtrail_elasticsearch.operators.context import find_this_run
from cloudtrail_elasticsearch.operators.retries import make_retry_arguments, never_retry_final_errors

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.coverage.cells import Cell
    from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, MissingCell, Run, VerifiedCell
    from cloudtrail_elasticsearch.core.coverage.windows import Window

_LEDGER_PATIENCE: Final = 30.0
"""Seconds for which requests to the ledger are retried."""

_NO_REASON: Final = "It was not loaded; see the log of its task."

Regions = dict[tuple[Source, str, str], Collection[str]]
"""The regions that must be verified for a complete day, by source, day and account."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """A planned batch, and the result of its load task if there is one."""

    position: int
    """The map index of its tasks."""
    windows: Sequence[Window]
    row: Mapping[str, Any] | None

    @property
    def reasons(self) -> dict[int, str]:
        """The reasons of the windows that were not loaded, by their numbers, as the load task returned them."""
        from cloudtrail_elasticsearch.pipeline.failures import read_failures

        return read_failures((self.row or {}).get("failures", ()))

    def has_begun(self, number: int) -> bool:
        """Return whether the load task has worked on a window; if not, the task before it has failed."""
        return self.row is not None and number not in self.row.get("unstaged", ())


@dataclass(frozen=True, slots=True)
class Comparison:
    """A plan beside the loaded cells."""

    coverage: Coverage
    unrecorded: Sequence[VerifiedCell]
    """The cells that no load task has stored in the ledger."""
    missing: Sequence[MissingCell]


class BatchCoverageOperator(BaseOperator):
    """Compares the cells of all batches with the plan; returns the totals.

    :param planned: the batches, from the plan task
    :param cells: the results of the mapped load task; failed tasks may return none
    :param index: the index pattern of the cells in the ledger
    :param search_conn_id: the connection to the search server, to store in the ledger the cells that no load task
        stored: the missing ones, and those without events; None: only log them
    :param first_task_id: the mapped task before the load task, whose log has the reason if a load never began
    :param load_task_id: the mapped load task

    If every cell adds up, it adds an asset event for each of the run's days that is complete
    (`find_complete_days`): once, and again when its figures change. Only one run of a DAG does so at a time
    (``max_active_tis_per_dag``), so that no two runs add the same event. With ``outlets=[]`` it adds none.
    """

    template_fields: Sequence[str] = ("planned", "cells", "index")

    def __init__(
        self,
        *,
        planned: Any,
        cells: Any,
        first_task_id: str,
        index: str = DEFAULT_INDEX,
        search_conn_id: str | None = "elasticsearch_default",
        load_task_id: str = "cell.load",
        **kwargs: Any,
    ) -> None:
        # Runs after failed cells, too, and then fails: a backfill of failed runs would otherwise skip this run.
        kwargs.setdefault("trigger_rule", "all_done")
        kwargs.setdefault("inlets", [COMPLETE_DAYS])
        kwargs.setdefault("outlets", [COMPLETE_DAYS])
        kwargs.setdefault("max_active_tis_per_dag", 1)
        super().__init__(**make_retry_arguments() | kwargs)
        self.planned: Iterable[dict[str, Any]] | None = planned
        self.cells: Iterable[dict[str, Any]] | dict[str, Any] | None = cells
        self.index = index
        self.search_conn_id = search_conn_id
        self.first_task_id = first_task_id
        self.load_task_id = load_task_id

    @never_retry_final_errors
    def execute(self, context: Context) -> dict[str, int]:
        """Return the totals over all cells.

        :raises MappingError: the index is not a valid index name
        :raises CoverageError: there is no plan, or a planned cell is missing or does not add up
        :raises TransientError: every cell adds up, but the search server does not store the ledger's cells
        """
        # Airflow 3.0 passes an object of its own if the plan task has no result.
        if not isinstance(self.planned, Iterable):
            raise CoverageError("The plan task returned no plan, so nothing can be verified: see its log.")
        # Raises now if the name is not valid, before any request is made.
        IndexPattern(self.index)
        result = self.compare(context)
        coverage = result.coverage
        totals = coverage.totals()
        self.log.info("Coverage: %s", ", ".join(f"{name} {count}" for name, count in totals.items()))
        reasons = {each.window: each.problem for each in result.missing}
        try:
            # Before the check, so that the ledger has the missing cells, too.
            self._store_cells(result)
        except Exception:
            coverage.check(reasons)  # a missing cell is the more important error
            raise
        coverage.check(reasons)
        if self.search_conn_id and coverage.cells and context.get("ti"):
            self.report(result, context)
        return totals

    @abstractmethod
    def list_batches(self) -> Iterator[tuple[dict[str, Any], Sequence[Window]]]:
        """Yield the identity and the windows of each planned batch."""

    @abstractmethod
    def cover(self, windows: Sequence[Window], cells: Iterable[Cell]) -> Coverage:
        """Return the coverage of the windows by these cells."""

    @abstractmethod
    def find_cell(self, window: Window) -> Window:
        """Return the cell that a window is, or is a part of."""

    @abstractmethod
    def choose_unrecorded(self, found: Iterable[VerifiedCell]) -> Iterable[VerifiedCell]:
        """Return the cells that no load task has stored."""

    @abstractmethod
    def list_wanted_regions(self) -> Regions:
        """Return the regions that must be verified for each complete day of the run."""

    def compare(self, context: Context) -> Comparison:
        """Return the plan beside the loaded cells."""
        results = list(self._find_results())
        found = [cell for each in results if each.row for cell in unpack_cells(dict(each.row), each.windows)]
        coverage = self.cover(
            [window for each in results for window in each.windows], (each.cell for each in found)
        )
        missing = self._explain_missing(set(coverage.missing), results, find_this_run(context))
        return Comparison(coverage, tuple(self.choose_unrecorded(found)), tuple(missing))

    def report(self, result: Comparison, context: Context) -> None:  # noqa: ARG002 - subclasses report more
        """Add asset events for the complete days of each account."""
        regions = self.list_wanted_regions() if COMPLETE_DAYS in self.outlets else {}
        if not regions:
            return
        query = [
            {"terms": {"day": sorted({day for _, day, _ in regions})}},
            {"terms": {"account": sorted({account for _, _, account in regions})}},
        ]
        cells: defaultdict[tuple[Source, str, str], list[dict[str, Any]]] = defaultdict(list)
        for cell in self.open_ledger().read_cells({"bool": {"filter": query}}):
            # Cells of version 0.1 name no source.
            source = Source(cell.get("source", Source.LOOKUP_EVENTS))
            cells[source, cell["day"], cell["account"]].append(cell)
        complete = [
            day
            for subject, wanted in sorted(regions.items())
            for day in find_complete_days(cells[subject], wanted)
        ]
        for day in add_asset_events(complete, context):
            figures = day.day, day.account, day.staged, day.regions
            self.log.info("%s of %s is complete: %d events of %d regions.", *figures)

    def open_ledger(self) -> Ledger:
        """Return the ledger of the index pattern."""
        from cloudtrail_elasticsearch.hooks.search import SearchHook

        return SearchHook(str(self.search_conn_id)).open_ledger(self.index, _LEDGER_PATIENCE)

    def _find_results(self) -> Iterator[BatchResult]:
        planned = list(self.list_batches())
        names = planned[0][0] if planned else {}
        # If only the plan task was cleared, a result can be of the plan before: its windows are missing.
        rows = {(_find_position(row), *(row.get(name) for name in names)): row for row in list_rows(self.cells)}
        for position, (identity, windows) in enumerate(planned):
            # An operator that is not mapped has no position.
            keys = ((at, *identity.values()) for at in (position, None))
            yield BatchResult(position, windows, next((rows[key] for key in keys if key in rows), None))

    def _explain_missing(
        self, missing: Collection[Window], results: Iterable[BatchResult], this: Run | None
    ) -> Iterator[MissingCell]:
        """Yield the missing cells with their reasons, and the task whose log has the details."""
        from cloudtrail_elasticsearch.core.coverage.ledger import MissingCell

        explained: dict[Window, MissingCell] = {}
        failed: set[Window] = set()
        for result in results:
            reasons = result.reasons
            for number, window in enumerate(result.windows):
                cell = self.find_cell(window)
                is_failed = result.row is None or number in reasons
                # Of a day with several parts, the first part that failed explains the day.
                if cell not in missing or cell in failed or (cell in explained and not is_failed):
                    continue
                if is_failed:
                    failed.add(cell)
                task = self.load_task_id if result.has_begun(number) else self.first_task_id
                reason = reasons.get(number, _NO_REASON)
                run = this and replace(this, task_id=task, map_index=result.position)
                explained[cell] = MissingCell(cell, reason[:1].upper() + reason[1:], run)
        yield from explained.values()

    def _store_cells(self, result: Comparison) -> None:
        """Store the cells that no load task stored, and the missing ones, each in one request."""
        if not self.search_conn_id or not (result.unrecorded or result.missing):
            return
        ledger = self.open_ledger()
        ledger.record_verified_all(result.unrecorded)
        ledger.record_missing(result.missing)


def _find_position(row: Mapping[str, Any]) -> int | None:
    """Return the map index of the task that returned a row; None if it was not mapped.

    If a run is repeated with fewer batches, Airflow still passes the results of the map indices that it removed,
    and one of them can be of the same windows as a new batch.
    """
    index = (row.get("run") or {}).get("map_index", -1)
    return None if index < 0 else int(index)


def list_rows(cells: Iterable[Any] | dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the results of mapped tasks.

    Airflow passes one result bare, several as a sequence, and none as None. For a task without a result, the
    sequence has nothing, None, or in Airflow 3.0 an object that stands for an argument that was not given.
    """
    if isinstance(cells, dict):
        return [cells]
    return [row for row in cells if isinstance(row, dict)] if isinstance(cells, Iterable) else []
