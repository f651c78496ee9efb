"""The distribution of the tests over the workers of a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

GROUPED = """
import os, pathlib, pytest

@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(6))
def test_grouped(number):
    pathlib.Path(f"worker-{os.environ['PYTEST_XDIST_WORKER']}").touch()
"""


@pytest.mark.slow
def test_a_group_stays_with_one_worker(tmp_path: Path) -> None:
    """Otherwise every worker starts the server that the tests of a group share."""
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    options = ["-p", "xdist", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, "-m", "pytest", *options]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, stdout=subprocess.DEVNULL)
    assert len(list(tmp_path.glob("worker-*"))) == 1
