"""Days whose windows are split: a busy day of a trail is loaded by several tasks, each with a part of its time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from operator import attrgetter

from cloudtrail_elasticsearch.core.coverage.cells import Cell, Coverage
from cloudtrail_elasticsearch.core.coverage.ledger import StagingDetails, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.proof import merge_proofs
from cloudtrail_elasticsearch.core.coverage.windows import DAY, Window, midnight
from cloudtrail_elasticsearch.core.errors import PlanError
from cloudtrail_elasticsearch.core.figures import CallFigures, CellFigures


def find_day(part: Window) -> Window:
    """Return the whole day that a window is a part of; the window itself if it is not within one day."""
    start = midnight(part.start.date())
    return replace(part, start=start, end=start + DAY) if part.end <= start + DAY else part


def merge_cells(day: Window, cells: Iterable[Cell]) -> Cell | None:
    """Return the cell of a day from the cells of its parts; None if a part of the day has no cell.

    Figures are summed, the proof is the worst one, and the findings are joined. The day fails if a part does. If a
    trail delivered an event twice, in two parts, each part counts it: listed, staged and indexed.

    :raises PlanError: a cell is outside the day, or two cells overlap, so that events would be counted twice
    """
    parts = sorted(cells, key=attrgetter("window"))
    if not _covers(day, [part.window for part in parts]):
        return None
    sums = {each.name: sum(getattr(part, each.name) for part in parts) for each in fields(CellFigures)}
    problems = (f"{part.window.name}: {problem}" for part in parts if (problem := part.figures_problem))
    proof = merge_proofs(part.proof for part in parts)
    left_out_by: Counter[str] = Counter()
    for part in parts:
        left_out_by.update(part.left_out_by)
    return Cell(window=day, proof=proof, parts_problem=next(problems, None), left_out_by=dict(left_out_by), **sums)


def merge_verified_cells(day: Window, found: Iterable[VerifiedCell]) -> VerifiedCell | None:
    """Return the verified cell of a day from those of its parts; None if a part of the day has none.

    Its task is that of the first part with a problem, else that of the first part: its log has the details.

    :raises PlanError: as `merge_cells`
    """
    parts = sorted(found, key=lambda each: each.cell.window)
    cell = merge_cells(day, (part.cell for part in parts))
    if cell is None:
        return None
    told = next((part for part in parts if part.cell.problem), parts[0])
    return VerifiedCell(cell, _merge_details([part.staged for part in parts]), told.run, max(p.at for p in parts))


def merge_days(planned: Iterable[Window], cells: Iterable[Cell]) -> Coverage:
    """Return the coverage of a plan by whole days, given its windows and the cells of those that were loaded.

    A day of which a planned part, or an unplanned part, has no cell is missing.

    :raises PlanError: two windows of the plan overlap
    """
    found = {cell.window: cell for cell in cells}
    parts: defaultdict[Window, list[Window]] = defaultdict(list)
    for window in planned:
        parts[find_day(window)].append(window)
    merged = {day: merge_cells(day, [found[each] for each in parts[day] if each in found]) for day in parts}
    return Coverage.from_plan(parts, [cell for cell in merged.values() if cell is not None])


def _covers(day: Window, parts: Sequence[Window]) -> bool:
    """Return whether sorted windows cover a day; raise if one is outside it or overlaps the one before."""
    end = day.start
    is_whole = True
    for part in parts:
        if replace(part, start=day.start, end=day.end) != day or not day.start <= part.start < part.end <= day.end:
            raise PlanError(f"{part.name} is not a part of {day.name}: it cannot be counted in its cell.")
        if part.start < end:
            raise PlanError(f"{part.name} overlaps another part of {day.name}, so its events would count twice.")
        is_whole &= part.start == end
        end = part.end
    return is_whole and end == day.end


def _merge_details(parts: Sequence[StagingDetails]) -> StagingDetails:
    calls = {each.name: sum(getattr(part, each.name) for part in parts) for each in fields(CallFigures)}
    return StagingDetails(
        attempts=max(part.attempts for part in parts),
        first=min((part.first for part in parts if part.first), default=None),
        last=max((part.last for part in parts if part.last), default=None),
        staged_at=max(part.staged_at for part in parts),
        **calls,
    )
