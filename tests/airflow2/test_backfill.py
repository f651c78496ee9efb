"""`airflow dags backfill` on Airflow 2.11: cells fail, are killed and run again, with the same final counts."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.airflow2 import Airflow2
from devstack.faults.proof import list_truth, read_event_ids
from devstack.simulator import Fault, FaultKind, Simulator
from tests.written_pages import VOLUME, count_settled_pages

from .conftest import DAG_ID, FIRST, LAST, REGIONS

pytestmark = pytest.mark.airflow2


def calls(simulator: Simulator) -> Counter[str]:
    return Counter({name: region.calls for name, region in simulator.service.statistics.regions.items()})


def states(server: Any, prefix: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for cell in Ledger(server, f"{prefix}-%Y.%m").read_cells():
        found.setdefault(cell["region"], set()).add(cell["state"])
    return found


def test_a_backfill_command_repeats_only_failed_cells(
    airflow2: Airflow2,
    simulator: Simulator,
    opensearch: str,
    unique_index_prefix: str,
    backfill: Callable[..., list[str]],
) -> None:
    """A denied region fails at once, and so does the command. --rerun-failed-tasks runs only its cells again."""
    server = connect(SearchSettings.from_url(opensearch))
    simulator.service.faults.add(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"))
    failed = airflow2.attempt(*backfill())
    assert failed.returncode != 0
    found = states(server, unique_index_prefix)
    assert found.pop("eu-west-1") == {"missing"}
    assert set().union(*found.values()) <= {"complete", "quiet"}
    assert calls(simulator)["eu-west-1"] == 2, "what another attempt cannot mend was tried again"

    simulator.service.faults.clear()
    before = calls(simulator)
    airflow2.command(*backfill("--rerun-failed-tasks"))
    assert {region for region, count in (calls(simulator) - before).items() if count} == {"eu-west-1"}
    assert set().union(*states(server, unique_index_prefix).values()) <= {"complete", "quiet"}
    assert sorted(read_event_ids(server, f"{unique_index_prefix}-*")) == sorted(
        list_truth(simulator, REGIONS, FIRST, 2)
    )

    before = calls(simulator)
    airflow2.command(*backfill("--reset-dagruns", "--yes", "-s", str(LAST)))
    assert calls(simulator) == before, "what is staged was looked up again"
    assert sorted(read_event_ids(server, f"{unique_index_prefix}-*")) == sorted(
        list_truth(simulator, REGIONS, FIRST, 2)
    )

    (line,) = (
        line
        for line in airflow2.script(Path(__file__).with_name("links_of_tasks.py")).splitlines()
        if line.startswith("FOUND ")
    )
    links = json.loads(line.removeprefix("FOUND "))
    assert set(links["cell.fetch"]) == set(links["cell.load"]) == {"Staged objects", "Documents", "Coverage"}
    assert links["cell.fetch"]["Coverage"].startswith("/cloudtrail/coverage#region=us-east-1&")
    assert links["cell.load"]["Coverage"].startswith("/cloudtrail/coverage#pattern=test-")
    assert f"first={FIRST}" in links["coverage"]["Coverage"]


@pytest.mark.promise("restartable")
@pytest.mark.parametrize("simulator", [VOLUME], indirect=True)
def test_a_killed_fetch_is_resumed(
    airflow2: Airflow2,
    simulator: Simulator,
    opensearch: str,
    bucket: str,
    aws: str,
    unique_index_prefix: str,
    backfill: Callable[..., list[str]],
) -> None:
    """After kill -9 of task and command, the documented steps resume it from the objects in the bucket."""
    server = connect(SearchSettings.from_url(opensearch))
    day = ("-s", str(LAST), "-e", str(LAST))
    s3 = boto3.client("s3", endpoint_url=aws)
    busiest = simulator.service.statistics.regions["us-east-1"]
    process = airflow2.begin("backfill", *backfill(*day))
    try:
        written = kill_fetch(process.pid, lambda: count_settled_pages(s3, bucket, "us-east-1"))
    finally:
        process.kill()
    unwritten = busiest.pages - written
    for _ in range(2):
        airflow2.command("tasks", "clear", DAG_ID, *day, "--yes")
    airflow2.command(*backfill(*day))
    assert sorted(read_event_ids(server, f"{unique_index_prefix}-*")) == sorted(
        list_truth(simulator, REGIONS, LAST, 1)
    )
    assert set().union(*states(server, unique_index_prefix).values()) <= {"complete", "quiet"}
    # A range that is divided after the restart is looked up from its first page again.
    assert busiest.repeated_pages <= unwritten + max(0, busiest.ranges - 1)
    keys = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert not [entry["Key"] for entry in keys if re.search(r"/state/|/checkpoint-", entry["Key"])]


def kill_fetch(backfill: int, count_settled: Callable[[], int]) -> int:
    """Kill the process that looks up the busiest region, and return the number of pages that it had written."""
    deadline = time.monotonic() + 300
    while not (written := count_settled()):
        assert time.monotonic() < deadline, "no fetch has written a page"
    family = psutil.Process(backfill).children(recursive=True)
    (victim,) = (
        each for each in family if "task runner" in (title := " ".join(each.cmdline())) and "fetch" in title
    )
    os.kill(victim.pid, signal.SIGKILL)
    return written
