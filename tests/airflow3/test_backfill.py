"""A backfill on Airflow 3.0, 3.1 and 3.2: a fetch is killed, and resumed from its state in the bucket."""

from __future__ import annotations

import re

import pytest

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.faults.proof import list_truth, read_event_ids
from devstack.simulator import DEFAULT_ACCOUNT, REGIONS

from .conftest import BUSIEST, DAG_ID, DAY, Site

pytestmark = pytest.mark.airflow3


@pytest.mark.promise("restartable")
def test_a_killed_fetch_is_resumed(site: Site, opensearch: str) -> None:
    """The next attempt looks up no page again that the killed one has written, but those of divided ranges."""
    (run,) = site.airflow.runs(DAG_ID)
    assert (run["state"], run["run_type"], run["data_interval_start"][:10]) == ("success", "backfill", str(DAY))
    tried = {(task["task_id"], task["map_index"]): task["try_number"] for task in site.tasks()}
    assert tried[site.kill.task] >= 2

    server = connect(SearchSettings.from_url(opensearch))
    assert sorted(read_event_ids(server, f"{site.prefix}-*")) == sorted(
        list_truth(site.simulator, REGIONS, DAY, 1)
    )
    cells = Ledger(server, site.index).read_cells()
    assert {cell["region"] for cell in cells} == set(REGIONS)
    assert {cell["state"] for cell in cells} <= {"complete", "quiet"}
    busiest = site.simulator.service.statistics.regions[BUSIEST]
    # A range that is divided after the restart is looked up from its first page again.
    borders = max(0, busiest.ranges - 1)
    assert busiest.repeated_pages <= site.kill.served - site.kill.written + borders
    assert site.kill.written > 0
    # The kill can hit another window of the batch between its manifest and the end of its clean-up.
    leftovers = (key for key in site.staged_keys() if re.search(r"/state/|/checkpoint-", key))
    assert not [key for key in leftovers if f"region={BUSIEST}/" in key]


def test_a_complete_day_has_one_asset_event(site: Site) -> None:
    """The run that completes the last region adds it."""
    found = site.airflow.request("GET", "/assets/events?limit=100")["asset_events"]
    assert [(event["uri"], event["extra"]["day"]) for event in found] == [
        (f"cloudtrail://{DEFAULT_ACCOUNT}/days", str(DAY))
    ]
