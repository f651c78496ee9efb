"""The lineage of a real run, as written by OpenLineage's provider in its documented set-up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from devstack.processes import ROOT
from devstack.simulator import DEFAULT_ACCOUNT
from tests.airflow.conftest import Services
from tests.clock import today

DAY = today() - timedelta(days=3)
RUN = """
import json, sys
from airflow.dag_processing.dagbag import DagBag

dag = DagBag(sys.argv[1]).dags["cloudtrail_to_elasticsearch"]
assert str(dag.test(run_conf=json.loads(sys.argv[2])).state) == "success"
"""


def test_lineage_leads_from_cloudtrail_over_s3_to_the_index(
    airflow_home: Path, services: Services, tmp_path: Path
) -> None:
    """Each task names its inputs and outputs."""
    file = tmp_path / "lineage.ndjson"
    conf = {
        "start": str(DAY),
        "end": str(DAY + timedelta(days=1)),
        "regions": ["eu-west-1"],
        "index": services.index,
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(ROOT / "dags" / "cloudtrail_to_elasticsearch.py"), json.dumps(conf)],
        env=os.environ
        | {
            "AIRFLOW_HOME": str(airflow_home),
            "AIRFLOW__OPENLINEAGE__NAMESPACE": "tests",
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                {"type": "file", "log_file_path": str(file), "append": True}
            ),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = [json.loads(line) for line in file.read_text().splitlines()]
    complete = {
        event["job"]["name"].rpartition(".")[2]: event for event in told if event["eventType"] == "COMPLETE"
    }
    cloudtrail = (f"cloudtrail://{DEFAULT_ACCOUNT}", "eu-west-1")
    staged = (f"s3://{services.bucket}", f"cloudtrail/account={DEFAULT_ACCOUNT}/region=eu-west-1/date={DAY}")
    index = (services.search_url.replace("http://", "opensearch://"), services.index)
    assert datasets(complete["fetch"]) == ([cloudtrail], [staged])
    assert datasets(complete["load"]) == ([staged], [index])


def datasets(event: dict[str, Any]) -> tuple[list[tuple[str, str]], ...]:
    return tuple([(each["namespace"], each["name"]) for each in event[end]] for end in ("inputs", "outputs"))
