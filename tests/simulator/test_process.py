"""The simulator as its own process."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devstack.simulator import DEFAULT_ACCOUNT, Generator, Simulator
from tests.clock import LONGEST_WAIT
from tests.simulator.lookups import REGION, client_at, ids, look_up, quick

_ROOT = Path(__file__).parents[2]


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "devstack.simulator", *arguments]
    with subprocess.Popen(
        command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_a_process_prints_its_url_serves_and_ends_cleanly() -> None:
    """The URL is the only line on stdout. SIGTERM ends the process with status 0."""
    span = Generator.day(DEFAULT_ACCOUNT, REGION, datetime.now(UTC).date() - timedelta(days=7))
    with started(
        "--latency", "0", "--quota", "1000", "--burst", "1000", "--volume", "100", "--seed", "9"
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        found = look_up(client_at(url), StartTime=span.start, EndTime=span.end)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=LONGEST_WAIT) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read() == ""
    assert ids(found) == [entry.id for entry in Generator(9, 100).newest_first(span)]
    assert found


@pytest.mark.slow
def test_a_missing_file_is_reported_in_one_sentence(tmp_path: Path) -> None:
    """The process ends with status 1, without a traceback."""
    with started("--recorded", str(tmp_path / "none.ndjson")) as process:
        _, complaint = process.communicate(timeout=LONGEST_WAIT)
        assert process.returncode == 1
    assert complaint.startswith("simulator: ")
    assert "none.ndjson" in complaint
    assert complaint.count("\n") == 1


@pytest.mark.slow
def test_a_taken_port_is_an_error() -> None:
    """Two simulators cannot share a port; the second one reports it."""
    with Simulator(quick()) as first:
        port = first.endpoint_url.rpartition(":")[2]
        with started("--port", port) as process:
            _, complaint = process.communicate(timeout=LONGEST_WAIT)
            assert process.returncode == 1
    assert complaint.startswith("simulator: ")
