"""The DAG that `cloudtrail_dag` makes of `LookupEvents`, written out: begin here to change its tasks."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task_group
from airflow.timetables.interval import CronDataIntervalTimetable

from cloudtrail_elasticsearch.operators.cloudtrail_to_s3 import CloudTrailToS3Operator
from cloudtrail_elasticsearch.operators.coverage import CloudTrailCoverageOperator
from cloudtrail_elasticsearch.operators.plan import CloudTrailPlanOperator
from cloudtrail_elasticsearch.operators.s3_to_elasticsearch import S3ToElasticsearchOperator
from cloudtrail_elasticsearch.params import PARAMS

with DAG(
    dag_id="cloudtrail_written_out",
    description="Loads every CloudTrail event of its accounts, from every region, into a search server.",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"retries": 5, "retry_delay": timedelta(minutes=1), "weight_rule": "upstream"},
    params={name: Param(**param) for name, param in PARAMS.items()},
    tags=["aws", "cloudtrail", "elasticsearch", "opensearch"],
    doc_md=__doc__,
):
    staged = {
        "bucket": "{{ var.value.get('cloudtrail_staging_bucket', '') }}",
        "prefix": "{{ params.prefix }}",
        "force": "{{ params.force }}",
    }
    look_up = "{{ not (params.replay or params.verify) }}"
    plan = CloudTrailPlanOperator(
        task_id="plan",
        start="{{ params.start or '' }}",
        end="{{ params.end or '' }}",
        accounts="{{ (params.accounts or []) | join(' ') }}",
        categories="{{ (params.categories or []) | join(' ') }}",
        regions="{{ (params.regions or []) | join(' ') }}",
        tasks="{{ params.tasks }}",
        index="{{ params.index }}",
        settle_minutes="{{ params.settle_minutes }}",
        look_up=look_up,
        declared=PARAMS,
    )

    @task_group
    def cell(batch: dict[str, Any]):
        """Fetch and load one batch of windows."""
        fetch = CloudTrailToS3Operator(task_id="fetch", batch=batch, look_up=look_up, **staged)
        load = S3ToElasticsearchOperator(
            task_id="load",
            batch=batch,
            fetched=fetch.output,
            index="{{ params.index }}",
            mapping="{{ params.mapping }}",
            ecs="{{ params.ecs }}",
            texts="{{ params.texts }}",
            own_events="{{ params.own_events }}",
            shards="{{ '' if params.shards is none else params.shards }}",
            replicas="{{ '' if params.replicas is none else params.replicas }}",
            lifecycle="{{ '' if params.lifecycle is none else params.lifecycle }}",
            pipeline="{{ '' if params.pipeline is none else params.pipeline }}",
            replay="{{ params.replay }}",
            verify="{{ params.verify }}",
            **staged,
        )
        return load.output

    cells = cell.expand(batch=plan.output)
    CloudTrailCoverageOperator(task_id="coverage", planned=plan.output, cells=cells, index="{{ params.index }}")
