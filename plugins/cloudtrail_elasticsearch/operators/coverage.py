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
    :param search_conn_id: the connection to the search server, to note the missing cells in the ledger; None:
        they are told, and not noted
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
        """
        if self.planned is None:
            raise CoverageError("Nothing was planned, so nothing is covered: the plan task's log says why.")
        coverage = Coverage.of(
            map(Window.from_dict, self.planned),
            (Cell.from_dict(cell) for cell in _rows(self.cells) if cell),
        )
        totals = coverage.totals()
        self.log.info("Coverage: %s", ", ".join(f"{name} {count}" for name, count in totals.items()))
        if coverage.missing and self.search_conn_id:
            self._note(coverage.missing, self.search_conn_id)
        coverage.prove()
        return totals

    def _note(self, missing: Iterable[Window], search_conn_id: str) -> None:
        """Note missing cells in the ledger; what made them missing may well keep them from being noted."""
        from cloudtrail_elasticsearch.core.ledger import Ledger
        from cloudtrail_elasticsearch.core.send import LoadSettings
        from cloudtrail_elasticsearch.hooks.search import SearchHook

        try:
            server = SearchHook(search_conn_id).get_conn()
            ledger = Ledger(server, self.index, LoadSettings(patience=SECONDS_FOR_THE_LEDGER))
            for window in missing:
                ledger.missing(window, "It was not loaded; its own log says why.")
        except Exception as error:  # noqa: BLE001 - what coverage has to say matters more
            self.log.warning("The ledger does not know of the missing cells: %s", error)


def _rows(cells: Iterable[dict[str, Any]] | dict[str, Any] | None) -> Iterable[dict[str, Any]]:
    """Read the results of mapped tasks: Airflow gives one result bare, more as a list, none as None."""
    if isinstance(cells, dict):
        return [cells]
    return cells or ()
