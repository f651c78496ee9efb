"""The cells of a batch in a compact form for an XCom: a quiet window takes about a hundred bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.coverage.cells import Cell
from cloudtrail_elasticsearch.core.coverage.ledger import Run, StagingDetails, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.proof import Proof
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.encoding import typed
from cloudtrail_elasticsearch.core.figures import CellFigures

_FINDINGS: Final = 3
"""The most findings of a cell in an XCom; the cell keeps the number of all of them."""

_NO_DETAILS: Final[dict[str, Any]] = {"attempts": 0, "calls": 0, "throttled": 0, "first": None, "last": None}
_FIGURES: Final = tuple(each.name for each in fields(CellFigures))


def pack_cells(cells: Mapping[int, VerifiedCell], run: Run | None) -> dict[str, Any]:
    """Return plain values for an XCom; `unpack_cells` reads them back.

    :param cells: the cells by the number of their window in the batch
    :param run: the task that returns them
    """
    return {
        "run": msgspec.to_builtins(run),
        "cells": [_pack(number, found) for number, found in sorted(cells.items())],
    }


def unpack_cells(value: dict[str, Any], windows: Sequence[Window]) -> list[VerifiedCell]:
    """Return the cells of the values that `pack_cells` returned.

    :param windows: the windows of the batch
    """
    run = typed.convert(value["run"], Run | None)
    return [_unpack(row, windows[row["at"]], run) for row in value["cells"]]


def _pack(number: int, found: VerifiedCell) -> dict[str, Any]:
    cell = found.cell
    figures = {name: figure for name in _FIGURES if (figure := getattr(cell, name))}
    row = {"at": number, "verified_at": found.at.isoformat(), **figures}
    row["details"] = {name: value for name, value in msgspec.to_builtins(found.staged).items() if value}
    if cell.left_out_by:
        row["left_out_by"] = cell.left_out_by
    if cell.proof is not None:
        row["proof"] = replace(cell.proof, findings=cell.proof.findings[:_FINDINGS]).to_dict()
    return row


def _unpack(row: dict[str, Any], window: Window, run: Run | None) -> VerifiedCell:
    proof = None if row.get("proof") is None else Proof.from_dict(row["proof"])
    figures = {name: row.get(name, 0) for name in _FIGURES}
    cell = Cell(window=window, proof=proof, left_out_by=row.get("left_out_by", {}), **figures)
    details = typed.convert(_NO_DETAILS | row["details"], StagingDetails)
    return VerifiedCell(cell, details, run, datetime.fromisoformat(row["verified_at"]))
