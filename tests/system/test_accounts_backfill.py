"""The short form of ``make accounts``: one account lacks the role, and the sessions of one expire in mid-run."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.accounts.backfill import BackfillSettings, run_backfills
from devstack.accounts.proof import check_backfills
from devstack.accounts.scenario import Scenario, ScenarioSettings
from devstack.endpoints import Endpoints
from devstack.faults.targets import QUICK_RETRIES

SMALL = ScenarioSettings(
    accounts=6, refused=1, regions=("eu-west-1", "eu-west-3", "us-east-1"), days=2, events=400
)


@pytest.mark.slow
@pytest.mark.promise("nothing-lost", "no-duplicates", "restartable", "closed")
def test_a_second_backfill_mends_exactly_the_account_without_the_role(
    opensearch: str, unique_index_prefix: str, tmp_path: Path
) -> None:
    """All other accounts are complete at once, also the one whose sessions expire in mid-run."""
    scenario = Scenario.make(SMALL)
    server = connect(SearchSettings.from_url(opensearch))
    # Few tasks, because each costs Airflow seconds.
    settings = BackfillSettings(unique_index_prefix, tasks=3, runs_at_once=2, patience=420, dags=QUICK_RETRIES)
    endpoints = Endpoints("", "", opensearch, server.engine)
    outcome = check_backfills(
        scenario, run_backfills(scenario, settings, endpoints, server, tmp_path / "airflow", print)
    )
    assert outcome.broken == ()
    assert sum(outcome.first.cells.values()) == sum(outcome.second.cells.values()) == 36
    assert (outcome.first.cells["missing"], outcome.second.cells["missing"]) == (6, 0)
    assert outcome.second.events > outcome.first.events > 1000
