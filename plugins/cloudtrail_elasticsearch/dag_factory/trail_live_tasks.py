"""The tasks of a DAG of live runs of a trail: plan, and one task for each batch of folders."""

from __future__ import annotations

from cloudtrail_elasticsearch.dag_factory.pipeline_settings import TRAIL_CONN_ID, PipelineSettings, join
from cloudtrail_elasticsearch.dag_factory.sources import LiveTrail
from cloudtrail_elasticsearch.operators.trail_follow import CloudTrailTrailFollowOperator
from cloudtrail_elasticsearch.operators.trail_live_plan import CloudTrailTrailLivePlanOperator


def add_live_trail_tasks(settings: PipelineSettings, trail: LiveTrail) -> None:
    """Add the tasks that follow a trail."""
    read = {"trail_conn_id": TRAIL_CONN_ID if trail.conn_id is None else trail.conn_id}
    planned = CloudTrailTrailLivePlanOperator(
        trail="{{ params.trail }}",
        trail_bucket="{{ params.trail_bucket }}",
        trail_prefix="{{ params.trail_prefix }}",
        accounts=join("accounts"),
        regions=join("regions"),
        kinds=join("kinds"),
        tasks="{{ params.tasks }}",
        declared=settings.params,
        **read,
        **settings.name("plan"),
    )
    CloudTrailTrailFollowOperator.partial(
        until="{{ params.until or '' }}",
        overlap_minutes="{{ params.overlap_minutes }}",
        work_minutes="{{ params.work_minutes }}",
        **read,
        **settings.documents,
        **settings.name("follow"),
    ).expand(batch=planned.output)
