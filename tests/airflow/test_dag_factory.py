"""DAGs of one's own by `cloudtrail_dag`, and the written-out example."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch import LateEvents, LateFiles, LookupEvents, Trail, cloudtrail_dag
from cloudtrail_elasticsearch.core.errors import ConfigurationError
from devstack.processes import ROOT
from tests.airflow.conftest import Services
from tests.airflow.test_dag import DAY, run, states, stored, wanted

OWN = '''
"""A DAG of one's own, for Airflow."""
from cloudtrail_elasticsearch import LookupEvents, Trail, cloudtrail_dag

for team in ("red", "blue"):
    cloudtrail_dag(f"audit_{team}", source=LookupEvents(), index=f"audit-{team}-%Y.%m.%d")
trail = cloudtrail_dag("audit_trail", source=Trail(bucket="logs"))
'''


@pytest.fixture(autouse=True)
def home(airflow_home: Path) -> Path:
    """Airflow's configuration exists before a DAG is made."""
    return airflow_home


def serialize(dag: Any) -> dict[str, Any]:
    from airflow.serialization.serialized_objects import DagSerialization

    found: dict[str, Any] = DagSerialization.to_dict(dag)["dag"]
    return found


def arguments(dag: Any, task_id: str) -> Mapping[str, Any]:
    """Return the arguments of a task, mapped or not."""
    task = dag.get_task(task_id)
    found: Mapping[str, Any] = task.partial_kwargs if task.is_mapped else vars(task)
    return found


def test_the_shipped_files_are_a_few_lines() -> None:
    """They repeat nothing."""
    files = sorted((ROOT / "dags").glob("*.py"))
    assert len(files) == 6
    for file in files:
        assert len(file.read_text().splitlines()) <= 15


def test_the_written_out_example_is_the_dag_of_the_factory() -> None:
    """With the same params and the same arguments of every task."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(ROOT / "docs" / "examples" / "written_out.py")
    assert bag.import_errors == {}
    name = "cloudtrail_written_out"
    written, made = serialize(bag.dags[name]), serialize(cloudtrail_dag(name, source=LookupEvents()))
    for only in ("fileloc", "relative_fileloc", "doc_md"):
        written.pop(only)
        made.pop(only, None)
    assert written == made


def test_a_file_makes_several_dags(tmp_path: Path) -> None:
    """Airflow finds them in a file of one's own, also those that have no name in it."""
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "own.py").write_text(OWN)
    bag = DagBag(tmp_path)
    assert bag.import_errors == {}
    assert sorted(bag.dags) == ["audit_blue", "audit_red", "audit_trail"]
    assert bag.dags["audit_red"].params["index"] == "audit-red-%Y.%m.%d"
    assert bag.dags["audit_trail"].params["trail_bucket"] == "logs"
    assert {dag.fileloc for dag in bag.dags.values()} == {str(tmp_path / "own.py")}


def test_every_setting_of_airflow_can_be_given() -> None:
    """For the DAG, for all tasks, and for single ones."""
    from airflow.timetables.interval import CronDataIntervalTimetable

    def warn(_: Any) -> None:
        """Do nothing."""

    dag = cloudtrail_dag(
        "security_lookup",
        source=LookupEvents(
            accounts=["organization", "-123456789012"],
            role="audit",
            external_id="team",
            organization_conn_id="aws_management",
            regions=["eu-west-1"],
            tasks=4,
        ),
        index="audit-%Y.%m.%d",
        shards=2,
        replicas=0,
        lifecycle="keep",
        settle_minutes=90,
        staging_bucket="team-staging",
        aws_conn_id="aws_security",
        search_conn_id="opensearch_security",
        rules_file="security.yaml",
        enrichment={"user_agents": True},
        task_args={"load": {"pool": "small_server", "priority_weight": 7}, "plan": {"queue": "light"}},
        schedule="0 2 * * *",
        start_date=datetime(2026, 11, 1, tzinfo=UTC),
        default_args={"owner": "security", "retries": 9},
        on_failure_callback=warn,
        max_active_runs=3,
        tags=["security"],
    )
    assert isinstance(dag.timetable, CronDataIntervalTimetable)
    assert dag.timetable.serialize()["expression"] == "0 2 * * *"
    assert (dag.max_active_runs, dag.tags, dag.on_failure_callback) == (3, {"security"}, warn)
    defaults = {name: dag.params[name] for name in ("accounts", "regions", "tasks", "index", "settle_minutes")}
    assert defaults == {
        "accounts": ["organization", "-123456789012"],
        "regions": ["eu-west-1"],
        "tasks": 4,
        "index": "audit-%Y.%m.%d",
        "settle_minutes": 90,
    }
    assert [dag.params[name] for name in ("shards", "replicas", "lifecycle", "pipeline")] == [2, 0, "keep", None]
    for task_id in dag.task_ids:
        given = arguments(dag, task_id)
        assert (given["owner"], given["retries"], given["retry_delay"]) == ("security", 9, timedelta(minutes=1))
    for task_id in ("plan", "cell.fetch", "cell.load"):
        assert arguments(dag, task_id)["aws_conn_id"] == "aws_security"
    for task_id in ("plan", "cell.fetch"):
        assert arguments(dag, task_id)["external_id"] == "team"
    plan = arguments(dag, "plan")
    assert (plan["role"], plan["organization_conn_id"]) == ("audit", "aws_management")
    load = arguments(dag, "cell.load")
    assert (load["pool"], load["priority_weight"], load["rules_file"]) == ("small_server", 7, "security.yaml")
    assert load["enrichment"] == {"user_agents": True}
    assert load["search_conn_id"] == arguments(dag, "coverage")["search_conn_id"] == "opensearch_security"
    assert load["bucket"] == arguments(dag, "cell.fetch")["bucket"] == "team-staging"
    assert arguments(dag, "plan")["queue"] == "light"
    assert arguments(dag, "cell.fetch").get("pool", "default_pool") == "default_pool"


def test_a_trail_is_given_by_its_source() -> None:
    """Its values are the defaults of the params, and its connection reads the bucket in every task."""
    trail = Trail(
        arn="arn:aws:cloudtrail:eu-west-1:123456789012:trail/org",
        accounts=["-123456789012"],
        kinds=("CloudTrail",),
        tasks=4,
        conn_id="log_archive",
    )
    dag = cloudtrail_dag("audit", source=trail, search_conn_id="opensearch_security", aws_conn_id="staging")
    names = ("trail", "accounts", "kinds", "tasks")
    assert {name: dag.params[name] for name in names} == {
        "trail": trail.arn,
        "accounts": ["-123456789012"],
        "kinds": ["CloudTrail"],
        "tasks": 4,
    }
    for task_id in ("plan", "cell.list", "cell.load", "compare"):
        assert arguments(dag, task_id)["trail_conn_id"] == "log_archive"
    for task_id in ("plan", "cell.list", "cell.load", "coverage", "compare"):
        assert arguments(dag, task_id)["aws_conn_id"] == "staging"
    for task_id in ("cell.load", "coverage", "compare"):
        assert arguments(dag, task_id)["search_conn_id"] == "opensearch_security"


@pytest.mark.parametrize(
    ("source", "given", "words"),
    [
        (
            LookupEvents(),
            {"catch_up": True},
            "no argument 'catch_up'. Did you mean catchup?",
        ),
        (LookupEvents(), {"indexes": "a"}, "no argument 'indexes'"),
        (LookupEvents(), {"params": {}}, "no argument 'params'"),
        (
            LookupEvents(),
            {"task_args": {"loads": {}}},
            "no argument 'loads'. Did you mean load?",
        ),
        (LookupEvents(), {"task_args": {"list": {}}}, "no argument 'list'"),
        (Trail(), {"task_args": {"fetch": {}}}, "no argument 'fetch'"),
        (LateEvents(), {"settle_minutes": 5}, "A DAG of LateEvents has no argument 'settle_minutes'"),
        (LookupEvents(), {"mapping": "flat"}, "The DAG x has a wrong argument. The param mapping is 'flat'"),
        (LookupEvents(), {"index": "Audit"}, "The DAG x has a wrong argument."),
        (LookupEvents(regions=["mars"]), {}, "The param regions is"),
        (LateEvents(days_ago=100), {}, "The param days_ago is 100"),
        (Trail(arn="trail"), {}, "The param trail is 'trail'"),
        (LateFiles(days_ago=-1), {}, "The param days_ago is -1"),
        (
            "lookup",
            {},
            "The source of a DAG is 'lookup': choose one of LookupEvents(), LateEvents(), LiveEvents(), Trail()",
        ),
    ],
)
def test_a_wrong_argument_is_refused_by_name(source: Any, given: dict[str, Any], words: str) -> None:
    """When the file is parsed, and not in each run."""
    with pytest.raises(ConfigurationError) as raised:
        cloudtrail_dag("x", source=source, **given)
    assert words in str(raised.value)


def test_the_package_imports_airflow_only_when_a_dag_is_made() -> None:
    """Airflow's provider discovery imports it before Airflow's configuration exists."""
    script = (
        "import sys, cloudtrail_elasticsearch; assert 'airflow' not in sys.modules; cloudtrail_elasticsearch.no"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "has no attribute 'no'" in done.stderr


@pytest.mark.promise("nothing-lost")
def test_a_dag_of_ones_own_loads_its_regions(services: Services) -> None:
    """Without any param in the run, except for the day."""
    from tests.airflow.test_dag import REGIONS

    # The id of a shipped DAG, because `dag.test` runs only DAGs that Airflow's folder has.
    own = cloudtrail_dag(
        "cloudtrail_to_elasticsearch", source=LookupEvents(regions=REGIONS), index=f"{services.index}-%Y.%m"
    )
    ended = run(own, start=str(DAY), end=str(DAY + timedelta(days=2)))
    assert states(ended)["cell.load"] == ["success"] * 4
    assert stored(services) == wanted(services) != set()
