"""Coverage: the end of a run, which fails where a cell is missing or does not add up, and tells complete days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import BaseOperator, Context

from cloudtrail_elasticsearch.core.complete import complete_days
from cloudtrail_elasticsearch.core.coverage import Cell, Coverage
from cloudtrail_elasticsearch.core.errors import CoverageError
from cloudtrail_elasticsearch.core.mapping import DEFAULT_INDEX
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.operators.complete_days import COMPLETE_DAYS, tell_new
from cloudtrail_elasticsearch.operators.context import this_run
from cloudtrail_elasticsearch.operators.metrics import tell_newest
from cloudtrail_elasticsearch.operators.retries import fails_for_good, retry_arguments

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.ledger import Ledger, Run

SECONDS_FOR_THE_LEDGER: Final = 30.0


class CloudTrailCoverageOperator(BaseOperator):
    """Holds the cells that were loaded against the plan; returns the totals.

    :param planned: the windows, from `CloudTrailPlanOperator`
    :param cells: the cells, from the mapped `S3ToElasticsearchOperator`; those that failed are not there
    :param index: the index pattern, under which the ledger has the cells
    :param search_conn_id: the connection to the search server, to note in the ledger the cells that no load has:
        the missing ones, and those without events; None: they are told, and not noted
    :param aws_conn_id: the AWS connection, to know every region that a complete day has
    :param fetch_task_id: the mapped task whose log says why a cell is missing that no load has begun

    Where all adds up, it tells Airflow's metrics of each region's newest event, and Airflow's assets of those of
    the run's days that are complete, by `complete_days`: once, and again where a day's figures have changed since.
    The runs of a DAG tell one after the other (``max_active_tis_per_dag``), so that none tells what another is
    about to. With ``outlets=[]`` no day is told.
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
        kwargs.setdefault("trigger_rule", "all_done")
        kwargs.setdefault("inlets", [COMPLETE_DAYS])
        kwargs.setdefault("outlets", [COMPLETE_DAYS])
        kwargs.setdefault("max_active_tis_per_dag", 1)
        super().__init__(**retry_arguments() | kwargs)
        self.planned: Iterable[dict[str, str]] | None = planned
        self.cells: Iterable[dict[str, Any]] | dict[str, Any] | None = cells
        self.index = index
        self.search_conn_id = search_conn_id
        self.aws_conn_id = aws_conn_id
        self.fetch_task_id = fetch_task_id

    @fails_for_good
    def execute(self, context: Context) -> dict[str, int]:
        """Return the totals over all cells.

        :raises CoverageError: there is no plan, or a planned cell is missing or does not add up
        :raises TransientError: all adds up, and the search server cannot be told
        """
        if self.planned is None:
            raise CoverageError("Nothing was planned, so nothing is covered: the plan task's log says why.")
        rows = [row for row in _rows(self.cells) if row]
        planned = [Window.from_dict(window) for window in self.planned]
        coverage = Coverage.of(planned, map(Cell.from_dict, rows))
        totals = coverage.totals()
        self.log.info("Coverage: %s", ", ".join(f"{name} {count}" for name, count in totals.items()))
        try:
            self._note(rows, self._tasks(context, planned, coverage.missing))
        except Exception:
            coverage.prove()  # what it has to say matters more
            raise
        coverage.prove()
        if self.search_conn_id and planned and context.get("ti"):
            self._tell(planned, context)
        return totals

    def _tell(self, windows: Sequence[Window], context: Context) -> None:
        """Tell of each region's newest event, and of the days that are complete."""
        ledger, account = self._ledger(), windows[0].account
        tell_newest(account, ledger.newest(account))
        if COMPLETE_DAYS not in self.outlets:
            return
        from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook

        days = sorted({f"{window.start:%Y-%m-%d}" for window in windows})
        of_the_days = {"bool": {"filter": [{"term": {"account": account}}, {"terms": {"day": days}}]}}
        regions = CloudTrailHook(aws_conn_id=self.aws_conn_id).enabled_regions()
        for day in tell_new(complete_days(ledger.cells(of_the_days), regions), context):
            self.log.info("%s is complete: %d events of %d regions.", day.day, day.staged, day.regions)

    def _ledger(self) -> Ledger:
        from cloudtrail_elasticsearch.core.ledger import Ledger
        from cloudtrail_elasticsearch.core.send import LoadSettings
        from cloudtrail_elasticsearch.hooks.search import SearchHook

        server = SearchHook(str(self.search_conn_id)).get_conn()
        return Ledger(server, self.index, LoadSettings(patience=SECONDS_FOR_THE_LEDGER))

    def _tasks(
        self, context: Context, planned: Sequence[Window], missing: Iterable[Window]
    ) -> dict[Window, Run | None]:
        """Return the fetch of each missing cell: its place in the plan is its map index."""
        this = this_run(context)
        places = {window: place for place, window in enumerate(planned)}
        return {
            window: this and replace(this, task_id=self.fetch_task_id, map_index=places[window])
            for window in missing
        }

    def _note(self, rows: Iterable[dict[str, Any]], missing: Mapping[Window, Run | None]) -> None:
        """Note in the ledger what no load has: the quiet cells, all at once, and the missing ones."""
        from cloudtrail_elasticsearch.core.ledger import Verified

        quiet = [found for found in map(Verified.from_dict, rows) if found]
        if not self.search_conn_id or not (quiet or missing):
            return
        ledger = self._ledger()
        ledger.verified_all(quiet)
        begun = _begun(ledger, missing)
        for window, fetch in missing.items():
            ledger.missing(window, "It was not loaded; its own log says why.", None if window in begun else fetch)


def _begun(ledger: Ledger, missing: Mapping[Window, Run | None]) -> set[Window]:
    """Return the cells whose load this run has begun: the ledger names it already."""
    runs = {run.run_id for run in missing.values() if run}
    if not runs:
        return set()
    return {Window.from_dict(cell) for cell in ledger.cells({"terms": {"run.run_id": sorted(runs)}})}


def _rows(cells: Iterable[dict[str, Any]] | dict[str, Any] | None) -> Iterable[dict[str, Any]]:
    """Read the results of mapped tasks: Airflow gives one result bare, more as a list, none as None."""
    if isinstance(cells, dict):
        return [cells]
    return cells or ()
