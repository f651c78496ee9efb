"""The tasks of a DAG of live runs: plan, and one task for each batch of regions."""

from __future__ import annotations

from cloudtrail_elasticsearch.dag_factory.pipeline_settings import PipelineSettings, join
from cloudtrail_elasticsearch.dag_factory.sources import LiveEvents
from cloudtrail_elasticsearch.operators.follow import CloudTrailFollowOperator
from cloudtrail_elasticsearch.operators.live_plan import CloudTrailLivePlanOperator


def add_live_tasks(settings: PipelineSettings, source: LiveEvents) -> None:
    """Add the tasks that follow the accounts."""
    planned = CloudTrailLivePlanOperator(
        accounts=join("accounts"),
        role=source.role,
        external_id=source.external_id,
        organization_conn_id=source.organization_conn_id,
        categories=join("categories"),
        regions=join("regions"),
        tasks="{{ params.tasks }}",
        declared=settings.params,
        aws_conn_id=settings.aws_conn_id,
        **settings.name("plan"),
    )
    CloudTrailFollowOperator.partial(
        until="{{ params.until or '' }}",
        overlap_minutes="{{ params.overlap_minutes }}",
        work_minutes="{{ params.work_minutes }}",
        external_id=source.external_id,
        **settings.staging,
        **settings.documents,
        **settings.name("follow"),
    ).expand(batch=planned.output)
