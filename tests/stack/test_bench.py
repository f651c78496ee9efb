"""``make bench``: benchmarks that fail, and the figures that it stores."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import page, results
from bench.results import Result


def test_a_benchmark_that_fails_does_not_end_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends with 1. A stored figure has the machine, the day and the commit."""

    def fail() -> list[Result]:
        raise RuntimeError("nothing was measured")

    def measure() -> list[Result]:
        return [Result(name="speed", value=2.0, unit="times", at_least=1.0, how="twice", limited_by="nothing")]

    monkeypatch.setattr(bench, "BENCHES", {"broken": fail, "speed": measure})
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(page, "write", lambda: None)
    monkeypatch.setattr(sys, "argv", ["bench"])
    assert bench.main() == 1
    (stored,) = results.read().values()
    assert (stored.name, stored.value, stored.day) == ("speed", 2.0, f"{datetime.now(UTC):%Y-%m-%d}")
    assert "cores" in stored.machine
    assert re.fullmatch(r"[0-9a-f]{7,}\+?|unknown", stored.commit)
    output = capsys.readouterr()
    assert "speed 2.00 times (≥ 1)" in output.out
    assert "nothing was measured" in output.err
