"""The coverage task of a trail: the parts of each day are one cell, and each account has its own complete days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cloudtrail_elasticsearch.core.coverage.days import find_day, merge_days, merge_verified_cells
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.operators.base import StagingOperator
from cloudtrail_elasticsearch.operators.batch_coverage import BatchCoverageOperator, Regions

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.coverage.cells import Cell, Coverage
    from cloudtrail_elasticsearch.core.coverage.ledger import VerifiedCell
    from cloudtrail_elasticsearch.core.coverage.windows import Window
    from cloudtrail_elasticsearch.pipeline.trail_plan import DayPlan, TrailBatch


class CloudTrailTrailCoverageOperator(BatchCoverageOperator, StagingOperator):
    """Compares the cells of a trail's batches with the plan, and returns the totals.

    A day that was divided over several tasks is one cell, and one document of the ledger. The days of
    an account are complete if every region that the plan found for it is verified; a run of selected regions or
    kinds adds no asset events. `BatchCoverageOperator` has the arguments, and `StagingOperator` those of the
    staging bucket, which has the plans.
    """

    template_fields: Sequence[str] = (*BatchCoverageOperator.template_fields, *StagingOperator.template_fields)

    def __init__(self, *, first_task_id: str = "cell.list", **kwargs: Any) -> None:
        super().__init__(first_task_id=first_task_id, **kwargs)

    def list_batches(self) -> Iterator[tuple[dict[str, Any], Sequence[Window]]]:
        """Yield the identity and the windows of each planned batch."""
        for batch in self._batches:
            yield batch.identity, [each.window for each in self._plans[batch.plan].windows(batch.number)]

    def cover(self, windows: Sequence[Window], cells: Iterable[Cell]) -> Coverage:
        """Return the coverage of whole days by the cells of their parts."""
        return merge_days(windows, cells)

    def find_cell(self, window: Window) -> Window:
        """Return the day that a window is, or is a part of."""
        return find_day(window)

    def choose_unrecorded(self, found: Iterable[VerifiedCell]) -> Iterator[VerifiedCell]:
        """Yield the cells of quiet windows, and those of days with several parts."""
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

    def list_wanted_regions(self) -> Regions:
        """Return the regions of each day and account that the plan found; none for a run of selected ones."""
        # A run of selected regions or kinds does not know whether the others are loaded.
        plans = (plan for plan in self._plans.values() if plan.is_whole)
        return {
            (Source.TRAIL, str(plan.day), account): regions
            for plan in plans
            for account, regions in plan.list_regions().items()
        }

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
