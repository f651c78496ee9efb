"""The coverage task ends a run. It fails if a cell is missing or does not add up, and reports complete days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import BaseOperator, Context

from cloudtrail_elasticsearch.core.coverage.cells import Cell, Coverage
from cloudtrail_elasticsearch.core.coverage.complete_days import find_complete_days
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import CoverageError
from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX, IndexPattern
from cloudtrail_elasticsearch.operators.complete_days import COMPLETE_DAYS, add_asset_events
from cloudtrail_elasticsearch.operators.context import find_this_run
from cloudtrail_elasticsearch.operators.metrics import report_newest_ages
from cloudtrail_elasticsearch.operators.retries import make_retry_arguments, never_retry_final_errors

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.coverage.complete_days import CompleteDay
    from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, Run, VerifiedCell

LEDGER_PATIENCE: Final = 30.0
"""Seconds for which requests to the ledger are retried."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A plan beside the loaded cells."""

    coverage: Coverage
    unrecorded: Sequence[VerifiedCell]
    """The cells that no load task has stored in the ledger."""
    missing: Mapping[Window, Run | None]
    """The missing cells, and the first task of each."""


class CloudTrailCoverageOperator(BaseOperator):
    """Compares the loaded cells with the plan; returns the totals.

    :param planned: the windows, from `CloudTrailPlanOperator`
    :param cells: the cells, from the mapped `S3ToElasticsearchOperator`; failed tasks return none
    :param index: the index pattern of the cells in the ledger
    :param search_conn_id: the connection to the search server, to store in the ledger the cells that no load task
        stored: the missing ones, and those without events; None: only log them
    :param aws_conn_id: the AWS connection, to list the regions that a complete day must include
    :param fetch_task_id: the mapped task to link to if a missing cell's load never started

    If every cell adds up, it reports the age of each region's newest event as a metric, and adds an asset event
    for each of the run's days that is complete (`find_complete_days`): once, and again when its figures change.
    Only one run of a DAG does so at a time (``max_active_tis_per_dag``), so that no two runs add the same event.
    With ``outlets=[]`` it adds no asset events.
    """

    template_fields: Sequence[str] = ("planned", "cells", "index")

    def __init__(
        self,
        *,
        planned: Any,
        cells: Any,
        index: str = DEFAULT_INDEX,
        search_conn_id: str | None = "elasticsearch_default",
        aws_conn_id: str | None = "aws_default",
        fetch_task_id: str = "cell.fetch",
        **kwargs: Any,
    ) -> None:
        # Runs after failed cells, too, and then fails: a backfill of failed runs would otherwise skip this run.
        kwargs.setdefault("trigger_rule", "all_done")
        kwargs.setdefault("inlets", [COMPLETE_DAYS])
        kwargs.setdefault("outlets", [COMPLETE_DAYS])
        kwargs.setdefault("max_active_tis_per_dag", 1)
        super().__init__(**make_retry_arguments() | kwargs)
        self.planned: Iterable[dict[str, str]] | None = planned
        self.cells: Iterable[dict[str, Any]] | dict[str, Any] | None = cells
        self.index = index
        self.search_conn_id = search_conn_id
        self.aws_conn_id = aws_conn_id
        self.fetch_task_id = fetch_task_id

    @never_retry_final_errors
    def execute(self, context: Context) -> dict[str, int]:
        """Return the totals over all cells.

        :raises MappingError: the index is not a valid index name
        :raises CoverageError: there is no plan, or a planned cell is missing or does not add up
        :raises TransientError: every cell adds up, but the search server does not store the ledger's cells
        """
        if self.planned is None:
            raise CoverageError("The plan task returned no plan, so nothing can be verified: see its log.")
        # Raises now if the name is not valid, before any request is made.
        IndexPattern(self.index)
        result = self.compare(context)
        coverage = result.coverage
        totals = coverage.totals()
        self.log.info("Coverage: %s", ", ".join(f"{name} {count}" for name, count in totals.items()))
        try:
            # Before the check, so that the ledger has the missing cells, too.
            self._store_cells(result)
        except Exception:
            coverage.check()  # a missing cell is the more important error
            raise
        coverage.check()
        if self.search_conn_id and coverage.cells and context.get("ti"):
            self.report(result, context)
        return totals

    def compare(self, context: Context) -> Comparison:
        """Return the plan beside the loaded cells."""
        from cloudtrail_elasticsearch.core.coverage.ledger import VerifiedCell

        rows = [row for row in list_rows(self.cells) if row]
        planned = [Window.from_dict(window) for window in self.planned or ()]
        coverage = Coverage.from_plan(planned, map(Cell.from_dict, rows))
        quiet = tuple(found for found in map(VerifiedCell.from_dict, rows) if found)
        positions = {window: position for position, window in enumerate(planned)}
        return Comparison(coverage, quiet, self.find_first_tasks(coverage.missing, positions, context))

    def find_first_tasks(
        self, missing: Iterable[Window], positions: Mapping[Window, int], context: Context
    ) -> dict[Window, Run | None]:
        """Return the first task of each missing cell.

        :param positions: the map index of each cell's first task
        """
        this = find_this_run(context)
        return {
            window: this and replace(this, task_id=self.fetch_task_id, map_index=positions[window])
            for window in missing
        }

    def report(self, result: Comparison, context: Context) -> None:
        """Report the age of each region's newest event, and add asset events for complete days."""
        from cloudtrail_elasticsearch.core.coverage.ledger import query_source

        windows = [cell.window for cell in result.coverage.cells]
        ledger, account, source = self.open_ledger(), windows[0].account, windows[0].source
        report_newest_ages(account, ledger.find_newest_events(account, source), source)
        if COMPLETE_DAYS not in self.outlets:
            return
        from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook

        days = sorted({f"{window.start:%Y-%m-%d}" for window in windows})
        wanted = [{"term": {"account": account}}, {"terms": {"day": days}}, query_source(source)]
        regions = CloudTrailHook(aws_conn_id=self.aws_conn_id).enabled_regions()
        cells = ledger.read_cells({"bool": {"filter": wanted}})
        self.add_complete_days(find_complete_days(cells, regions), context)

    def add_complete_days(self, days: Iterable[CompleteDay], context: Context) -> None:
        """Add an asset event for each complete day without an equal earlier event."""
        for day in add_asset_events(days, context):
            self.log.info("%s is complete: %d events of %d regions.", day.day, day.staged, day.regions)

    def open_ledger(self) -> Ledger:
        """Return the ledger of the index pattern."""
        from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
        from cloudtrail_elasticsearch.core.search.sender import LoadSettings
        from cloudtrail_elasticsearch.hooks.search import SearchHook

        server = SearchHook(str(self.search_conn_id)).get_conn()
        return Ledger(server, self.index, LoadSettings(patience=LEDGER_PATIENCE))

    def _store_cells(self, result: Comparison) -> None:
        """Store the cells that no load task stored, in one request, and the missing ones."""
        if not self.search_conn_id or not (result.unrecorded or result.missing):
            return
        ledger = self.open_ledger()
        ledger.record_verified_all(result.unrecorded)
        started = _find_started(ledger, result.missing)
        for window, first in result.missing.items():
            # If the load started, the ledger already names its task, whose log has the reason.
            ledger.record_missing(
                window, "It was not loaded; see the log of its task.", None if window in started else first
            )


def _find_started(ledger: Ledger, missing: Mapping[Window, Run | None]) -> set[Window]:
    """Return the cells whose load task this run started; the ledger already names that task."""
    runs = {run.run_id for run in missing.values() if run}
    if not runs:
        return set()
    return {Window.from_dict(cell) for cell in ledger.read_cells({"terms": {"run.run_id": sorted(runs)}})}


def list_rows(cells: Iterable[dict[str, Any]] | dict[str, Any] | None) -> Iterable[dict[str, Any]]:
    """Return the results of mapped tasks; Airflow passes one result bare, several as a list, none as None."""
    if isinstance(cells, dict):
        return [cells]
    return cells or ()
