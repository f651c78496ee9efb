"""The short form of ``make live``: live runs of some simulated minutes with faults, then the daily run.

``make live`` has a trail, too; ``tests/airflow/test_trail_live.py`` has its faults without a scheduler.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.gate import Gate
from devstack.live.hours import LiveSettings, run_hours
from devstack.live.proof import check_hours
from devstack.live.scenario import ScenarioSettings
from devstack.live.sources import SOURCES

REGIONS = ("eu-west-1", "us-east-1", "us-west-2")


@pytest.mark.slow
@pytest.mark.promise("nothing-lost", "no-duplicates", "restartable")
def test_live_runs_find_each_event_in_time_and_the_daily_run_proves_the_day(
    opensearch: str, unique_index_prefix: str, tmp_path: Path
) -> None:
    """Despite a kill, throttling, late events and an outage."""
    scenario = ScenarioSettings(
        runs=8, kills=1, outage=2, outages=("search",), regions=REGIONS, events=1500, hour=10
    )
    server = connect(SearchSettings.from_url(opensearch))
    with Gate(opensearch) as gate, SOURCES["lookup"](scenario) as served:
        observed = run_hours(
            scenario, LiveSettings(unique_index_prefix), served, server, gate, tmp_path / "airflow", print
        )
    outcome = check_hours(scenario, observed)
    assert outcome.broken == ()
    assert outcome.live > 50
    assert outcome.left > 0
