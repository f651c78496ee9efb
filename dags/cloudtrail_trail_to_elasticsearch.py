"""Loads every event that a CloudTrail trail delivered to S3, of every account and region, and proves it.

The trail is the one that the Airflow variable cloudtrail_trail (its ARN) or cloudtrail_trail_bucket names.
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
from cloudtrail_elasticsearch.params import TRAIL_PARAMS

with DAG(
    dag_id="cloudtrail_trail_to_elasticsearch",
    description="Loads every event that a trail delivered, of every account and region, into a search server.",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
    default_args={"retries": 5, "retry_delay": timedelta(minutes=1), "weight_rule": "upstream"},
    params={name: Param(**param) for name, param in TRAIL_PARAMS.items()},
    tags=["aws", "cloudtrail", "elasticsearch", "opensearch"],
    doc_md=__doc__,
):
    staged = {
        "bucket": "{{ var.value.get('cloudtrail_staging_bucket', '') }}",
        "prefix": "{{ params.prefix }}",
    }
    read = {"trail_conn_id": "{{ var.value.get('cloudtrail_trail_conn_id', 'aws_default') }}"}
    lists = "{{ not (params.replay or params.verify) }}"
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
        settle_minutes="{{ params.settle_minutes }}",
        lists=lists,
        declared=TRAIL_PARAMS,
        **read,
        **staged,
    )

    @task_group
    def cell(batch: dict[str, Any]):
        """List and load one batch of windows."""
        listed = CloudTrailTrailListOperator(
            task_id="list", batch=batch, again="{{ params.force }}", lists=lists, **read, **staged
        )
        load = CloudTrailTrailToElasticsearchOperator(
            task_id="load",
            batch=batch,
            listed=listed.output,
            index="{{ params.index }}",
            mapping="{{ params.mapping }}",
            ecs="{{ params.ecs }}",
            own_events="{{ params.own_events }}",
            replay="{{ params.replay }}",
            verify="{{ params.verify }}",
            force="{{ params.force }}",
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
