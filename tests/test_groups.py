"""How the suite is shared out among its workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

GROUPED = """
import os, pathlib, pytest

@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(6))
def test_grouped(number):
    pathlib.Path(f"worker-{os.environ['PYTEST_XDIST_WORKER']}").touch()
"""


def test_a_group_stays_with_one_worker(tmp_path: Path) -> None:
    """Else a server that a group's tests share is started once by every worker."""
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, stdout=subprocess.DEVNULL)
    assert len(list(tmp_path.glob("worker-*"))) == 1
