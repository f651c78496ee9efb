"""Lists a loaded day of a trail again, and loads the log files that CloudTrail delivered late.

It does not read windows whose log files and digests did not change. A late digest completes its window's proof.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task_group
from airflow.timetables.interval import CronDataIntervalTimetable

from cloudtrail_elasticsearch.operators.compare import CloudTrailCompareOperator
from cloudtrail_elasticsearch.operators.trail_coverage import CloudTrailTrailCoverageOperator
from cloudtrail_elasticsearch.operators.trail_list import CloudTrailTrailListOperator
from cloudtrail_elasticsearch.operators.trail_plan import CloudTrailTrailPlanOperator
from cloudtrail_elasticsearch.operators.trail_to_elasticsearch import CloudTrailTrailToElasticsearchOperator
from cloudtrail_elasticsearch.params import LATE_FILES_PARAMS

with DAG(
    dag_id="cloudtrail_trail_late_files",
    description="Lists loaded days of a trail again, and loads the log files that CloudTrail delivered late.",
    schedule=CronDataIntervalTimetable("0 12 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
    default_args={"retries": 5, "retry_delay": timedelta(minutes=1), "weight_rule": "upstream"},
    params={name: Param(**param) for name, param in LATE_FILES_PARAMS.items()},
    tags=["aws", "cloudtrail", "elasticsearch", "opensearch"],
    doc_md=__doc__,
):
    staged = {
        "bucket": "{{ var.value.get('cloudtrail_staging_bucket', '') }}",
        "prefix": "{{ params.prefix }}",
    }
    read = {"trail_conn_id": "{{ var.value.get('cloudtrail_trail_conn_id', 'aws_default') }}"}
    plan = CloudTrailTrailPlanOperator(
        task_id="plan",
        start="{{ params.start or '' }}",
        end="{{ params.end or '' }}",
        trail="{{ params.trail }}",
        trail_bucket="{{ params.trail_bucket }}",
        trail_prefix="{{ params.trail_prefix }}",
        accounts="{{ (params.accounts or []) | join(' ') }}",
        regions="{{ (params.regions or []) | join(' ') }}",
        kinds="{{ (params.kinds or []) | join(' ') }}",
        tasks="{{ params.tasks }}",
        days_ago="{{ params.days_ago }}",
        declared=LATE_FILES_PARAMS,
        **read,
        **staged,
    )

    @task_group
    def cell(batch: dict[str, Any]):
        """List one batch of windows again, and load those that changed."""
        listed = CloudTrailTrailListOperator(task_id="list", batch=batch, again=True, **read, **staged)
        load = CloudTrailTrailToElasticsearchOperator(
            task_id="load",
            batch=batch,
            listed=listed.output,
            changes=True,
            index="{{ params.index }}",
            mapping="{{ params.mapping }}",
            ecs="{{ params.ecs }}",
            own_events="{{ params.own_events }}",
            **read,
            **staged,
        )
        return load.output

    cells = cell.expand(batch=plan.output)
    coverage = CloudTrailTrailCoverageOperator(
        task_id="coverage", planned=plan.output, cells=cells, index="{{ params.index }}", **staged
    )
    coverage >> CloudTrailCompareOperator(
        task_id="compare", planned=plan.output, index="{{ params.index }}", **read, **staged
    )
