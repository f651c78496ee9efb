"""Coverage: the end of a run, which fails it where a cell is missing or does not add up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from airflow.providers.common.compat.sdk import BaseOperator, Context

from cloudtrail_elasticsearch.core.coverage import Cell, Coverage
from cloudtrail_elasticsearch.core.errors import CoverageError
from cloudtrail_elasticsearch.core.mapping import DEFAULT_INDEX
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.operators.retries import retry_policy

SECONDS_FOR_THE_LEDGER: Final = 30.0


class CloudTrailCoverageOperator(BaseOperator):
    """Holds the cells that were loaded against the plan; returns the totals.

    :param planned: the windows, from `CloudTrailPlanOperator`
    :param cells: the cells, from the mapped `S3ToElasticsearchOperator`; those that failed are not there
    :param index: the index pattern, under which the ledger has the cells
    :param search_conn_id: the connection to the search server, to note in the ledger the cells that no load has:
        the missing ones, and those without events; None: they are told, and not noted
    """

    template_fields: Sequence[str] = ("planned", "cells", "index")

    def __init__(
        self,
        *,
        planned: Any,
        cells: Any,
        index: str = DEFAULT_INDEX,
        search_conn_id: str | None = "elasticsearch_default",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("trigger_rule", "all_done")
        kwargs.setdefault("retry_policy", retry_policy())
        super().__init__(**kwargs)
        self.planned: Iterable[dict[str, str]] | None = planned
        self.cells: Iterable[dict[str, Any]] | dict[str, Any] | None = cells
        self.index = index
        self.search_conn_id = search_conn_id

    def execute(self, context: Context) -> dict[str, int]:  # noqa: ARG002 - Airflow's signature
        """Return the totals over all cells.

        :raises CoverageError: there is no plan, or a planned cell is missing or does not add up
        :raises TransientError: all adds up, and the search server cannot be told
        """
        if self.planned is None:
            raise CoverageError("Nothing was planned, so nothing is covered: the plan task's log says why.")
        rows = [row for row in _rows(self.cells) if row]
        coverage = Coverage.of(map(Window.from_dict, self.planned), map(Cell.from_dict, rows))
        totals = coverage.totals()
        self.log.info("Coverage: %s", ", ".join(f"{name} {count}" for name, count in totals.items()))
        try:
            self._note(rows, coverage.missing)
        except Exception:
            coverage.prove()  # what it has to say matters more
            raise
        coverage.prove()
        return totals

    def _note(self, rows: Iterable[dict[str, Any]], missing: Sequence[Window]) -> None:
        """Note in the ledger what no load has: the quiet cells, all at once, and the missing ones."""
        from cloudtrail_elasticsearch.core.ledger import Ledger, Verified
        from cloudtrail_elasticsearch.core.send import LoadSettings
        from cloudtrail_elasticsearch.hooks.search import SearchHook

        quiet = [found for found in map(Verified.from_dict, rows) if found]
        if not self.search_conn_id or not (quiet or missing):
            return
        server = SearchHook(self.search_conn_id).get_conn()
        ledger = Ledger(server, self.index, LoadSettings(patience=SECONDS_FOR_THE_LEDGER))
        ledger.verified_all(quiet)
        for window in missing:
            ledger.missing(window, "It was not loaded; its own log says why.")


def _rows(cells: Iterable[dict[str, Any]] | dict[str, Any] | None) -> Iterable[dict[str, Any]]:
    """Read the results of mapped tasks: Airflow gives one result bare, more as a list, none as None."""
    if isinstance(cells, dict):
        return [cells]
    return cells or ()
