"""The small form of ``make organization``: a backfill of a trail with five damaged objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.endpoints import Endpoints
from devstack.faults.targets import QUICK_TRAIL_RETRIES
from devstack.organization.backfill import BackfillSettings, run_backfill, simulated_cloudtrail
from devstack.organization.damage import damage_trail
from devstack.organization.proof import check_backfill
from devstack.organization.trail import OrganizationSettings, write_organization

SMALL = OrganizationSettings(
    accounts=3, busy=2, regions=("eu-west-1", "us-east-1", "us-west-2"), days=2, events=60, processes=1
)


@pytest.mark.slow
@pytest.mark.promise("nothing-lost", "no-duplicates", "proven-by-aws")
def test_a_backfill_of_an_organization_names_exactly_the_damaged_objects(
    aws: str, opensearch: str, bucket: str, unique_index_prefix: str, tmp_path: Path
) -> None:
    """Every other event is loaded once, and every other cell, quiet ones too, is complete and signed."""
    trail = write_organization(SMALL)
    damage = damage_trail(trail, SMALL.last)
    server = connect(SearchSettings.from_url(opensearch))
    # With this DAG alone, Airflow parses less.
    settings = BackfillSettings(unique_index_prefix, bucket, patience=420, dags=QUICK_TRAIL_RETRIES)
    with simulated_cloudtrail() as simulator:
        endpoints = Endpoints(aws, simulator.endpoint_url, opensearch, server.engine)
        runs = run_backfill(trail, settings, endpoints, tmp_path / "airflow", print)
    outcome = check_backfill(trail, damage, settings, server, runs)
    assert outcome.broken == ()
    assert (outcome.cells, outcome.signed, outcome.named) == (18, 13, 5)
    assert runs == {str(SMALL.first): "success", str(SMALL.last): "failed"}
    # The number differs from weekday to weekday.
    assert outcome.events > 500
