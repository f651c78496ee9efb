"""Coverage: the end of a run, which fails it where a cell is missing or does not add up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context

from cloudtrail_elasticsearch.core.coverage import Cell, Coverage
from cloudtrail_elasticsearch.core.errors import CoverageError
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.operators.retries import retry_policy


class CloudTrailCoverageOperator(BaseOperator):
    """Holds the cells that were loaded against the plan; returns the totals.

    :param planned: the windows, from `CloudTrailPlanOperator`
    :param cells: the cells, from the mapped `S3ToElasticsearchOperator`; those that failed are not there
    """

    template_fields: Sequence[str] = ("planned", "cells")

    def __init__(self, *, planned: Any, cells: Any, **kwargs: Any) -> None:
        kwargs.setdefault("trigger_rule", "all_done")
        kwargs.setdefault("retry_policy", retry_policy())
        super().__init__(**kwargs)
        self.planned: Iterable[dict[str, str]] | None = planned
        self.cells: Iterable[dict[str, Any]] | dict[str, Any] | None = cells

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
        coverage.prove()
        return totals


def _rows(cells: Iterable[dict[str, Any]] | dict[str, Any] | None) -> Iterable[dict[str, Any]]:
    """Read the results of mapped tasks: Airflow gives one result bare, more as a list, none as None."""
    if isinstance(cells, dict):
        return [cells]
    return cells or ()
