"""The short form of ``make live``: live runs of some simulated minutes with faults, then the daily run."""

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
@pytest.mark.parametrize(("source", "outage", "events"), [("lookup", "search", 1500), ("trail", "aws", 1500)])
@pytest.mark.promise("nothing-lost", "no-duplicates", "restartable")
def test_live_runs_find_each_event_in_time_and_the_daily_run_proves_the_day(
    opensearch: str, unique_index_prefix: str, tmp_path: Path, source: str, outage: str, events: int
) -> None:
    """Despite a kill, throttling, late events and an outage."""
    scenario = ScenarioSettings(
        runs=8, kills=1, outage=2, outages=(outage,), regions=REGIONS, events=events, hour=10
    )
    server = connect(SearchSettings.from_url(opensearch))
    with Gate(opensearch) as gate, SOURCES[source](scenario) as served:
        observed = run_hours(
            scenario, LiveSettings(unique_index_prefix), served, server, gate, tmp_path / "airflow", print
        )
    outcome = check_hours(scenario, observed)
    assert outcome.broken == ()
    assert outcome.live > 50
    assert outcome.left > 0
