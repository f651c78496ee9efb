"""The coverage task ends a run. It fails if a cell is missing or does not add up, and reports complete days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.core.coverage.cells import Coverage
from cloudtrail_elasticsearch.core.coverage.lookup_batches import LookupBatch
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.operators.batch_coverage import BatchCoverageOperator, Comparison, Regions
from cloudtrail_elasticsearch.operators.metrics import report_newest_ages

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.coverage.cells import Cell
    from cloudtrail_elasticsearch.core.coverage.ledger import VerifiedCell
    from cloudtrail_elasticsearch.core.coverage.windows import Window


class CloudTrailCoverageOperator(BatchCoverageOperator):
    """Compares the cells of LookupEvents with the plan; returns the totals.

    If every cell adds up, it also reports the age of the newest event of each account and region as a metric. A
    day of an account is complete if every enabled region is verified. `BatchCoverageOperator` has the arguments.
    """

    def __init__(self, *, first_task_id: str = "cell.fetch", **kwargs: Any) -> None:
        super().__init__(first_task_id=first_task_id, **kwargs)

    def list_batches(self) -> Iterator[tuple[dict[str, Any], Sequence[Window]]]:
        """Yield the identity and the windows of each planned batch."""
        for batch in self._batches:
            yield batch.identity, [each.window for each in batch.windows]

    def cover(self, windows: Sequence[Window], cells: Iterable[Cell]) -> Coverage:
        """Return the coverage of the windows by these cells."""
        return Coverage.from_plan(windows, cells)

    def find_cell(self, window: Window) -> Window:
        """Return the window: each one is a cell."""
        return window

    def choose_unrecorded(self, found: Iterable[VerifiedCell]) -> Iterable[VerifiedCell]:
        """Return the cells without events."""
        return (each for each in found if not each.cell.staged)

    def list_wanted_regions(self) -> Regions:
        """Return the enabled regions of each day and account."""
        planned: defaultdict[tuple[Source, str, str], set[str]] = defaultdict(set)
        for batch in self._batches:
            for each in batch.windows:
                window = each.window
                regions = batch.enabled.get(window.account) or (window.region,)
                planned[window.source, f"{window.start:%Y-%m-%d}", window.account].update(regions)
        return dict(planned)

    def report(self, result: Comparison, context: Context) -> None:
        """Report the age of the newest event of each region, and add asset events for complete days."""
        ledger = self.open_ledger()
        windows = [cell.window for cell in result.coverage.cells]
        # Insights events are rare, so that their age shows nothing.
        accounts = {window.account for window in windows if window.source is Source.LOOKUP_EVENTS}
        report_newest_ages(ledger.find_newest_events(accounts), Source.LOOKUP_EVENTS)
        super().report(result, context)

    @cached_property
    def _batches(self) -> list[LookupBatch]:
        return [LookupBatch.from_dict(batch) for batch in self.planned or ()]
