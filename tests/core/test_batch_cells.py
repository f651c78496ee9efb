"""The cells of a batch as an XCom."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.batch_cells import pack_cells, unpack_cells
from cloudtrail_elasticsearch.core.coverage.cells import Cell
from cloudtrail_elasticsearch.core.coverage.findings import Finding, FindingKind, ProofStatus
from cloudtrail_elasticsearch.core.coverage.ledger import Run, StagingDetails, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.proof import Proof
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import DAY, Window

START = datetime(2026, 11, 20, tzinfo=UTC)
RUN = Run("dag", "run", "cell.load", 3, 2)


def verified(number: int, proof: Proof | None, **figures: Any) -> VerifiedCell:
    window = Window(f"{number:012}", "eu-west-1", START, START + DAY, Source.TRAIL)
    counts: dict[str, Any] = dict.fromkeys(("looked_up", "duplicates", "staged", "indexed", "quarantined"), 0)
    counts |= figures
    details = StagingDetails(attempts=1, calls=0, throttled=0, first=None, last=None, staged_at=START)
    return VerifiedCell(Cell(window=window, proof=proof, **counts), details, RUN, START + timedelta(hours=1))


def test_cells_are_read_back_as_they_were_written() -> None:
    """Those without events, too; a window without a cell has none."""
    signed = Proof(ProofStatus.SIGNED)
    cells = {
        0: verified(0, signed),
        2: verified(2, signed, looked_up=7, duplicates=1, staged=6, indexed=5, quarantined=1, files=3),
        3: verified(3, None, looked_up=4, staged=4, left_out=4, left_out_by={"reads": 3, "own-events": 1}),
    }
    windows = [Window(f"{number:012}", "eu-west-1", START, START + DAY, Source.TRAIL) for number in range(4)]
    value = json.loads(json.dumps(pack_cells(cells, RUN)))
    assert unpack_cells(value, windows) == [cells[0], cells[2], cells[3]]


@pytest.mark.promise("bounded")
def test_a_quiet_window_takes_few_bytes_and_findings_are_limited() -> None:
    """An organization has thousands of windows a day."""
    quiet = {number: verified(number, Proof(ProofStatus.SIGNED)) for number in range(200)}
    assert len(json.dumps(pack_cells(quiet, RUN))) < 200 * 250
    findings = [Finding(FindingKind.MISSING_FILE, f"key {number}", "it is gone") for number in range(50)]
    (row,) = pack_cells({0: verified(0, Proof.from_findings(ProofStatus.INVALID, findings))}, None)["cells"]
    assert len(row["proof"]["findings"]) == 3
    assert row["proof"]["findings_total"] == 50
