"""Imports in the process that forks tasks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.processes import ROOT

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

CONNECTS = """
import sys
from cloudtrail_elasticsearch import preload

preload.load()
before = set(sys.modules)
from cloudtrail_elasticsearch.sinks.elasticsearch import ElasticsearchServer
from cloudtrail_elasticsearch.sinks.opensearch import OpenSearchServer
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

for server in (ElasticsearchServer, OpenSearchServer):
    server(SearchSettings.from_url("http://127.0.0.1:9"))
assert not set(sys.modules) - before, sorted(set(sys.modules) - before)
"""

PARSES = f"""
import runpy, sys
from pathlib import Path
from cloudtrail_elasticsearch import preload

preload.load()
before = set(sys.modules)
for file in sorted(Path({str(ROOT / "dags")!r}).glob("*.py")):
    runpy.run_path(str(file))
late = [name for name in sys.modules.keys() - before if name.startswith("cloudtrail_elasticsearch.")]
assert not late, late
"""

READS_ONCE = """
import builtins, io
from cloudtrail_elasticsearch import preload

preload.load()
read = []

def note(opened):
    def open_file(file, *args, **kwargs):
        read.append(str(file))
        return opened(file, *args, **kwargs)
    return open_file

builtins.open, io.open = note(builtins.open), note(io.open)

from boto3.session import Session
from cloudtrail_elasticsearch.hooks.account_clients import share_models
session = share_models(Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="eu-west-1"))
for service in ("cloudtrail", "ec2", "s3", "sts"):
    session.client(service)
models = [path for path in read if path.endswith((".json", ".json.gz"))]
assert not models, models
"""


def starts(executor: str, expected: int, home: Path) -> subprocess.CompletedProcess[str]:
    return runs(SCRIPT.replace("EXPECTED", str(expected)), home, AIRFLOW__CORE__EXECUTOR=executor)


def runs(script: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        env=os.environ | {"AIRFLOW_HOME": str(home)} | environment,
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


@pytest.mark.slow
def test_tasks_read_no_model_of_a_service(tmp_path: Path) -> None:
    """Those of the services that every run uses are read before the fork."""
    done = runs(READS_ONCE, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_tasks_import_no_module_of_ours_for_a_dag_file(tmp_path: Path) -> None:
    """The modules of this package that the shipped DAG files use are imported before the fork."""
    done = runs(PARSES, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_tasks_import_no_client_of_a_search_server(tmp_path: Path) -> None:
    """The clients of both servers are imported before the fork."""
    done = runs(CONNECTS, tmp_path)
    assert done.returncode == 0, done.stderr
