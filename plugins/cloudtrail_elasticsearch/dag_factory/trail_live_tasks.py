"""The tasks of a DAG of live runs of a trail: plan, and one task for each batch of folders."""

from __future__ import annotations

from cloudtrail_elasticsearch.dag_factory.pipeline_settings import LIVE_WORK, PipelineSettings
from cloudtrail_elasticsearch.dag_factory.sources import LiveTrail
from cloudtrail_elasticsearch.dag_factory.trail_tasks import choose_folders, name_connection
from cloudtrail_elasticsearch.operators.trail_follow import CloudTrailTrailFollowOperator
from cloudtrail_elasticsearch.operators.trail_live_plan import CloudTrailTrailLivePlanOperator


def add_live_trail_tasks(settings: PipelineSettings, trail: LiveTrail) -> None:
    """Add the tasks that follow a trail."""
    read = name_connection(trail)
    planned = CloudTrailTrailLivePlanOperator(
        **choose_folders(settings),
        **read,
        **settings.name("plan"),
    )
    CloudTrailTrailFollowOperator.partial(
        **LIVE_WORK,
        **read,
        **settings.documents,
        **settings.name("follow"),
    ).expand(batch=planned.output)
