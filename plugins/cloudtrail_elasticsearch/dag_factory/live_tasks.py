"""The tasks of a DAG of live runs: plan, and one task for each batch of regions."""

from __future__ import annotations

from cloudtrail_elasticsearch.dag_factory.lookup_tasks import choose_accounts
from cloudtrail_elasticsearch.dag_factory.pipeline_settings import LIVE_WORK, PipelineSettings
from cloudtrail_elasticsearch.dag_factory.sources import LiveEvents
from cloudtrail_elasticsearch.operators.follow import CloudTrailFollowOperator
from cloudtrail_elasticsearch.operators.live_plan import CloudTrailLivePlanOperator


def add_live_tasks(settings: PipelineSettings, source: LiveEvents) -> None:
    """Add the tasks that follow the accounts."""
    planned = CloudTrailLivePlanOperator(
        **choose_accounts(settings, source),
        **settings.name("plan"),
    )
    CloudTrailFollowOperator.partial(
        **LIVE_WORK,
        external_id=source.external_id,
        **settings.staging,
        **settings.documents,
        **settings.name("follow"),
    ).expand(batch=planned.output)
