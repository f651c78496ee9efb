"""The coverage task alone: its cells are given, and are already in the ledger."""

import json
import os
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from cloudtrail_elasticsearch.operators.coverage import CloudTrailCoverageOperator

GIVEN = json.loads(os.environ["COVERAGE_ALONE"])

with DAG(
    dag_id="coverage_alone",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
):
    CloudTrailCoverageOperator(task_id="coverage", **GIVEN)
