"""The tasks of a trail after its plan was made again: nothing is taken for the work of another plan."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.batch_cells import pack_cells
from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.operators.trail_coverage import CloudTrailTrailCoverageOperator
from cloudtrail_elasticsearch.operators.trail_list import CloudTrailTrailListOperator
from cloudtrail_elasticsearch.operators.trail_to_elasticsearch import CloudTrailTrailToElasticsearchOperator
from cloudtrail_elasticsearch.pipeline.trail_plan import BatchWindow, TrailBatch
from tests.core.test_batch_cells import START, verified

CONTEXT: Any = {}
BATCH = TrailBatch("batch", f"{START.date()}", "plans/new.json", 0, 2, 0, 0)
STAGED: dict[str, Any] = {"bucket": "staging"}


def test_a_batch_that_was_planned_again_after_it_was_listed_is_not_loaded() -> None:
    """The numbers of its failed windows are those of another list of windows."""
    before = {"plan": "plans/old.json", "number": 0, "failed": [7]}
    load = CloudTrailTrailToElasticsearchOperator(task_id="load", batch=BATCH.to_dict(), listed=before, **STAGED)
    with pytest.raises(StagingError, match="batch was planned again after it was listed: clear its list task"):
        load.execute(CONTEXT)


def test_the_result_of_a_list_names_its_batch() -> None:
    """Also if it lists nothing."""
    lists = CloudTrailTrailListOperator(task_id="list", batch=BATCH.to_dict(), lists=False, **STAGED)
    result = lists.execute(CONTEXT)
    assert (result["plan"], result["number"], result["failures"]) == (BATCH.plan, BATCH.number, [])


@pytest.mark.promise("nothing-lost")
def test_the_cells_of_the_plan_before_do_not_count() -> None:
    """Their windows are missing, by name; the others count."""
    cells = {number: verified(number, None) for number in range(2)}
    windows = [found.cell.window for found in cells.values()]
    rows = [
        {"plan": BATCH.plan, "number": 0} | pack_cells({0: cells[0]}, None),
        {"plan": "plans/old.json", "number": 0} | pack_cells(cells, None),
        {"plan": BATCH.plan, "number": 9} | pack_cells(cells, None),
    ]
    task = CloudTrailTrailCoverageOperator(task_id="coverage", planned=[BATCH.to_dict()], cells=rows, **STAGED)
    region: Any = None
    plan = SimpleNamespace(windows=lambda _: [BatchWindow(region, window) for window in windows])
    vars(task)["_plans"] = {BATCH.plan: plan}
    found = task.compare(CONTEXT)
    assert [cell.window for cell in found.coverage.cells] == windows[:1]
    assert found.coverage.missing == tuple(windows[1:])


@pytest.mark.parametrize(("is_ended", "task_id"), [(True, "cell.load"), (False, "cell.list")])
def test_a_missing_cell_names_the_task_whose_log_has_the_reason(*, is_ended: bool, task_id: str) -> None:
    """A load task that ended has returned its other cells, and its log names the windows that failed."""
    window = verified(0, None).cell.window
    rows = [BATCH.identity | pack_cells({}, None)] if is_ended else []
    task = CloudTrailTrailCoverageOperator(task_id="coverage", planned=[BATCH.to_dict()], cells=rows, **STAGED)
    region: Any = None
    vars(task)["_plans"] = {BATCH.plan: SimpleNamespace(windows=lambda _: [BatchWindow(region, window)])}
    instance = SimpleNamespace(dag_id="trail", run_id="run", task_id="coverage", map_index=-1, try_number=1)
    context: Any = {"ti": instance}
    (missing,) = task.compare(context).missing
    assert missing.run is not None
    assert (missing.window, missing.run.task_id, missing.run.map_index) == (window, task_id, 0)
