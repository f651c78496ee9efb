"""Complete days on Airflow 2.11, where assets are datasets."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from cloudtrail_elasticsearch.core.coverage.batch_cells import pack_cells
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.lookup_batches import LookupBatch
from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.airflow2 import Airflow2
from devstack.simulator import DEFAULT_ACCOUNT
from tests.cells import cell as make_cell
from tests.cells import staged_at

from .conftest import LAST

pytestmark = pytest.mark.airflow2


def verified(region: str, events: int) -> VerifiedCell:
    start = midnight(LAST)
    window = Window(DEFAULT_ACCOUNT, region, start, start + timedelta(days=1))
    cell = make_cell(window, events, events)
    return VerifiedCell(cell, staged_at(start, start, start), None, start)


def load_result(found: VerifiedCell) -> dict[str, Any]:
    """Return the result of a load task of one window."""
    return LookupBatch.from_dict(found.cell.window.to_dict()).identity | pack_cells({0: found}, None)


def test_a_complete_day_has_one_dataset_event(
    python: Path,
    environment: dict[str, str],
    aws: str,
    opensearch: str,
    unique_index_prefix: str,
    tmp_path: Path,
) -> None:
    """The same day again has none; a day with another figure has one."""
    regions = boto3.client("ec2", endpoint_url=aws).describe_regions(AllRegions=False)["Regions"]
    server = connect(SearchSettings.from_url(opensearch))
    ledger = Ledger(server, unique_index_prefix)

    def backfill(events: int) -> list[tuple[str, int]]:
        found = [verified(region["RegionName"], events) for region in regions]
        ledger.record_verified_all(found)
        server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
        given = {
            "planned": [each.cell.window.to_dict() for each in found],
            "cells": [load_result(each) for each in found],
            "index": unique_index_prefix,
        }
        dags = {"AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "dags")}
        airflow2 = Airflow2(
            python, tmp_path / "airflow", environment | dags | {"COVERAGE_ALONE": json.dumps(given)}
        )
        airflow2.prepare()
        day = ("-s", str(LAST), "-e", str(LAST))
        airflow2.command("dags", "backfill", "coverage_alone", *day, "--reset-dagruns", "--yes")
        assert {uri for uri, _ in airflow2.dataset_events()} == {f"cloudtrail://{DEFAULT_ACCOUNT}/days"}
        return [(extra["day"], extra["staged"]) for _, extra in airflow2.dataset_events()]

    one, two = ((str(LAST), events * len(regions)) for events in (1, 2))
    assert backfill(1) == [one]
    assert backfill(1) == [one]
    assert backfill(2) == [one, two]
