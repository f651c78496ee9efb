"""The tasks of a DAG that looks events up: plan, a fetch and a load of each batch of windows, and coverage."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import task_group

from cloudtrail_elasticsearch.dag_factory.pipeline_settings import DAYS, PipelineSettings, join
from cloudtrail_elasticsearch.dag_factory.sources import LookupEvents
from cloudtrail_elasticsearch.operators.cloudtrail_to_s3 import CloudTrailToS3Operator
from cloudtrail_elasticsearch.operators.coverage import CloudTrailCoverageOperator
from cloudtrail_elasticsearch.operators.plan import CloudTrailPlanOperator
from cloudtrail_elasticsearch.operators.s3_to_elasticsearch import S3ToElasticsearchOperator


def add_lookup_tasks(settings: PipelineSettings, source: LookupEvents) -> None:
    """Add the tasks that load days."""
    look_up = "{{ not (params.replay or params.verify) }}"
    force = {"force": "{{ params.force }}"}
    again = {"replay": "{{ params.replay }}", "verify": "{{ params.verify }}"}
    _add_tasks(
        settings,
        source,
        plan={"settle_minutes": "{{ params.settle_minutes }}", "look_up": look_up},
        fetch={"look_up": look_up, **force},
        load={**again, **force},
    )


def add_late_tasks(settings: PipelineSettings, source: LookupEvents) -> None:
    """Add the tasks that look loaded days up again."""
    _add_tasks(settings, source, plan={"days_ago": "{{ params.days_ago }}"}, fetch={"late": True}, load={})


def choose_accounts(settings: PipelineSettings, source: LookupEvents) -> dict[str, Any]:
    """Return the arguments of a plan operator that choose accounts, their roles and their regions."""
    return {
        "accounts": join("accounts"),
        "role": source.role,
        "external_id": source.external_id,
        "organization_conn_id": source.organization_conn_id,
        "categories": join("categories"),
        "regions": join("regions"),
        "tasks": "{{ params.tasks }}",
        "declared": settings.params,
        "aws_conn_id": settings.aws_conn_id,
    }


def _add_tasks(
    settings: PipelineSettings,
    source: LookupEvents,
    *,
    plan: dict[str, Any],
    fetch: dict[str, Any],
    load: dict[str, Any],
) -> None:
    planned = CloudTrailPlanOperator(
        **DAYS,
        **choose_accounts(settings, source),
        **settings.ledger,
        **plan,
        **settings.name("plan"),
    )

    @task_group
    def cell(batch: dict[str, Any]) -> Any:
        """Fetch and load one batch of windows."""
        fetched = CloudTrailToS3Operator(
            batch=batch,
            external_id=source.external_id,
            **settings.staging,
            **fetch,
            **settings.name("fetch"),
        )
        loaded = S3ToElasticsearchOperator(
            batch=batch,
            fetched=fetched.output,
            **settings.staging,
            **settings.documents,
            **load,
            **settings.name("load"),
        )
        return loaded.output

    cells = cell.expand(batch=planned.output)
    CloudTrailCoverageOperator(planned=planned.output, cells=cells, **settings.ledger, **settings.name("coverage"))
