"""The examples of the documentation work in Airflow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.processes import ROOT

EXAMPLES = ROOT / "docs" / "examples"
LATE = """
import sys
from datetime import timedelta
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from airflow.sdk.module_loading import import_string

bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
DagSerialization.to_dict(bag.dags["cloudtrail_to_elasticsearch"])
deadline, = bag.dags["cloudtrail_to_elasticsearch"].deadline
assert deadline.interval == timedelta(hours=6)
assert hasattr(import_string(deadline.callback.path)(**deadline.callback.kwargs), "__await__")
assert not bag.dags["cloudtrail_late_events"].deadline
"""


def test_the_example_policy_sets_a_deadline_for_the_daily_dag_only(airflow_home: Path) -> None:
    """It is a cluster policy, so the DAG's file is unchanged. The callback of a late day exists."""
    environment = os.environ | {"AIRFLOW_HOME": str(airflow_home), "PYTHONPATH": str(EXAMPLES)}
    script = [sys.executable, "-c", LATE, str(ROOT / "dags")]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_example_dag_is_scheduled_by_complete_days(airflow_home: Path) -> None:
    """It is parsed without an error, and its schedule is the partitioned asset that the coverage task emits."""
    from airflow.dag_processing.dagbag import DagBag

    from cloudtrail_elasticsearch.core.coverage.source import Source
    from cloudtrail_elasticsearch.operators.complete_days import make_partitioned_asset

    assert airflow_home.is_dir()
    bag = DagBag(EXAMPLES / "cloudtrail_day.py")
    assert bag.import_errors == {}
    timetable = bag.dags["cloudtrail_day"].timetable
    assert timetable.asset_condition == make_partitioned_asset(Source.LOOKUP_EVENTS)
    assert type(timetable).__name__ == "PartitionedAssetTimetable"


def test_without_partitions_the_example_dag_takes_the_plain_events(
    airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Airflow 3.3, its schedule is the alias of all accounts."""
    from airflow.dag_processing.dagbag import DagBag

    from cloudtrail_elasticsearch import airflows
    from cloudtrail_elasticsearch.operators.complete_days import COMPLETE_DAYS

    assert airflow_home.is_dir()
    monkeypatch.setattr(airflows, "HAS_PARTITIONS", False)
    bag = DagBag(EXAMPLES / "cloudtrail_day.py")
    assert bag.import_errors == {}
    assert bag.dags["cloudtrail_day"].timetable.asset_condition == COMPLETE_DAYS
