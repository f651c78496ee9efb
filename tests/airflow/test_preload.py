"""Imports in the process that forks tasks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from cloudtrail_elasticsearch import preload

sys.argv = ["airflow", "triggerer"]
preload.on_starting(None)
assert "boto3" not in sys.modules, "only a scheduler forks tasks"

sys.argv = ["airflow", "scheduler"]
preload.on_starting(None)
preload.on_starting(None)
assert preload.load.cache_info().currsize == EXPECTED, preload.load.cache_info()
assert ("boto3" in sys.modules) is bool(EXPECTED)
assert set(preload.MODULES) <= set(sys.modules) or not EXPECTED
"""


def starts(executor: str, expected: int, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("EXPECTED", str(expected))],
        check=False,
        env=os.environ | {"AIRFLOW__CORE__EXECUTOR": executor, "AIRFLOW_HOME": str(home)},
        text=True,
        capture_output=True,
    )


@pytest.mark.slow
def test_a_scheduler_that_forks_tasks_imports_their_modules(tmp_path: Path) -> None:
    """Once, and no other process does."""
    done = starts("LocalExecutor", 1, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_scheduler_that_only_sends_tasks_elsewhere_imports_nothing(tmp_path: Path) -> None:
    """With Celery it needs none of the modules."""
    done = starts("CeleryExecutor", 0, tmp_path)
    assert done.returncode == 0, done.stderr
