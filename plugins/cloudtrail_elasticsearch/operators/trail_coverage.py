"""The coverage task of a trail: the parts of each day are one cell, and each account has its own complete days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.core.coverage.batch_cells import unpack_cells
from cloudtrail_elasticsearch.core.coverage.complete_days import find_complete_days
from cloudtrail_elasticsearch.core.coverage.days import find_day, merge_days, merge_verified_cells
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.operators.base import StagingOperator
from cloudtrail_elasticsearch.operators.complete_days import COMPLETE_DAYS
from cloudtrail_elasticsearch.operators.coverage import CloudTrailCoverageOperator, Comparison, list_rows

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.coverage.ledger import VerifiedCell
    from cloudtrail_elasticsearch.core.coverage.windows import Window
    from cloudtrail_elasticsearch.pipeline.trail_plan import DayPlan, TrailBatch

_LIST_TASK: Final = "cell.list"


class CloudTrailTrailCoverageOperator(CloudTrailCoverageOperator, StagingOperator):
    """Compares the cells of all batches with the plan, and returns the totals.

    A day that was divided over several tasks is one cell, and one document of the ledger. The days of
    an account are complete if every region that the plan found for it is verified; a run of selected regions or
    kinds adds no asset events. `StagingOperator` has the arguments of the staging bucket, which has the plans.

    :param planned: the batches, from `CloudTrailTrailPlanOperator`
    :param cells: the results of the mapped `CloudTrailTrailToElasticsearchOperator`
    """

    template_fields: Sequence[str] = (
        *CloudTrailCoverageOperator.template_fields,
        *StagingOperator.template_fields,
    )

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("fetch_task_id", _LIST_TASK)
        super().__init__(**kwargs)

    def compare(self, context: Context) -> Comparison:
        """Return the plan by whole days beside the loaded cells."""
        planned = {(batch.plan, batch.number): self._list_windows(batch) for batch in self._batches}
        found = [
            cell
            for row in list_rows(self.cells)
            # If only the plan task was cleared, a result can be of the plan before: its windows are missing.
            if row and (row["plan"], row["number"]) in planned
            for cell in unpack_cells(row, planned[row["plan"], row["number"]])
        ]
        windows = [window for some in planned.values() for window in some]
        coverage = merge_days(windows, (each.cell for each in found))
        # The first batch with a part of the day.
        numbers: dict[Window, int] = {}
        for number, some in enumerate(planned.values()):
            for window in some:
                numbers.setdefault(find_day(window), number)
        missing = self.find_first_tasks(coverage.missing, numbers, context)
        return Comparison(coverage, tuple(_choose_unrecorded(found)), missing)

    def report(self, result: Comparison, context: Context) -> None:  # noqa: ARG002 - the base class has it
        """Add asset events for the complete days of each account."""
        from cloudtrail_elasticsearch.core.coverage.ledger import query_source

        # A run of selected regions or kinds does not know whether the others are loaded.
        plans = [plan for plan in self._plans.values() if plan.is_whole]
        if COMPLETE_DAYS not in self.outlets or not plans:
            return
        regions = {
            (str(plan.day), account): names for plan in plans for account, names in plan.list_regions().items()
        }
        days = sorted({day for day, _ in regions})
        query = {"bool": {"filter": [{"terms": {"day": days}}, query_source(Source.TRAIL)]}}
        cells: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for cell in self.open_ledger().read_cells(query):
            cells[cell["day"], cell["account"]].append(cell)
        complete = [
            day for subject, names in sorted(regions.items()) for day in find_complete_days(cells[subject], names)
        ]
        self.add_complete_days(complete, context)

    @cached_property
    def _batches(self) -> list[TrailBatch]:
        from cloudtrail_elasticsearch.pipeline.trail_plan import TrailBatch

        return [TrailBatch.from_dict(batch) for batch in self.planned or ()]

    @cached_property
    def _plans(self) -> dict[str, DayPlan]:
        """The plans of the batches by their keys."""
        from cloudtrail_elasticsearch.pipeline.trail_plan import read_plan

        plans = self.open_plans(self.aws().s3())
        return {key: read_plan(plans, key) for key in sorted({batch.plan for batch in self._batches})}

    def _list_windows(self, batch: TrailBatch) -> list[Window]:
        return [each.window for each in self._plans[batch.plan].windows(batch.number)]


def _choose_unrecorded(found: Iterable[VerifiedCell]) -> Iterator[VerifiedCell]:
    """Yield the cells that no load task stored: those of quiet windows, and those of days with several parts."""
    parts: defaultdict[Window, list[VerifiedCell]] = defaultdict(list)
    for each in found:
        if not each.cell.window.is_day:
            parts[find_day(each.cell.window)].append(each)
        elif not each.cell.files:
            yield each
    for day, some in parts.items():
        merged = merge_verified_cells(day, some)
        if merged is not None:
            yield merged
