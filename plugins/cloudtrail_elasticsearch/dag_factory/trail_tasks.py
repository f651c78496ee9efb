"""The tasks of a DAG that loads a trail: plan, a list and a load of each batch of windows, coverage, compare."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import task_group

from cloudtrail_elasticsearch.dag_factory.pipeline_settings import DAYS, TRAIL_CONN_ID, PipelineSettings, join
from cloudtrail_elasticsearch.dag_factory.sources import Trail
from cloudtrail_elasticsearch.operators.compare import CloudTrailCompareOperator
from cloudtrail_elasticsearch.operators.trail_coverage import CloudTrailTrailCoverageOperator
from cloudtrail_elasticsearch.operators.trail_list import CloudTrailTrailListOperator
from cloudtrail_elasticsearch.operators.trail_plan import CloudTrailTrailPlanOperator
from cloudtrail_elasticsearch.operators.trail_to_elasticsearch import CloudTrailTrailToElasticsearchOperator


def add_trail_tasks(settings: PipelineSettings, trail: Trail) -> None:
    """Add the tasks that load days of delivery."""
    lists = "{{ not (params.replay or params.verify) }}"
    force = "{{ params.force }}"
    _add_tasks(
        settings,
        trail,
        plan={"settle_minutes": "{{ params.settle_minutes }}", "lists": lists},
        listing={"again": force, "lists": lists},
        load={"replay": "{{ params.replay }}", "verify": "{{ params.verify }}", "force": force},
    )


def add_late_files_tasks(settings: PipelineSettings, trail: Trail) -> None:
    """Add the tasks that list loaded days of delivery again."""
    _add_tasks(
        settings,
        trail,
        plan={"days_ago": "{{ params.days_ago }}"},
        listing={"again": True},
        load={"changes": True},
    )


def choose_folders(settings: PipelineSettings) -> dict[str, Any]:
    """Return the arguments of a plan operator that name a trail, and choose folders in its bucket."""
    return {
        "trail": "{{ params.trail }}",
        "trail_bucket": "{{ params.trail_bucket }}",
        "trail_prefix": "{{ params.trail_prefix }}",
        "accounts": join("accounts"),
        "regions": join("regions"),
        "kinds": join("kinds"),
        "tasks": "{{ params.tasks }}",
        "declared": settings.params,
    }


def name_connection(trail: Trail) -> dict[str, str]:
    """Return the argument of the operators that read a trail."""
    return {"trail_conn_id": TRAIL_CONN_ID if trail.conn_id is None else trail.conn_id}


def _add_tasks(
    settings: PipelineSettings,
    trail: Trail,
    *,
    plan: dict[str, Any],
    listing: dict[str, Any],
    load: dict[str, Any],
) -> None:
    read = name_connection(trail)
    planned = CloudTrailTrailPlanOperator(
        **DAYS,
        **choose_folders(settings),
        **read,
        **settings.staging,
        **settings.ledger,
        enrichment=settings.enrichment,
        **plan,
        **settings.name("plan"),
    )

    @task_group
    def cell(batch: dict[str, Any]) -> Any:
        """List and load one batch of windows."""
        listed = CloudTrailTrailListOperator(
            batch=batch, **read, **settings.staging, **listing, **settings.name("list")
        )
        loaded = CloudTrailTrailToElasticsearchOperator(
            batch=batch,
            listed=listed.output,
            **read,
            **settings.staging,
            **settings.documents,
            **load,
            **settings.name("load"),
        )
        return loaded.output

    cells = cell.expand(batch=planned.output)
    coverage = CloudTrailTrailCoverageOperator(
        planned=planned.output, cells=cells, **settings.ledger, **settings.staging, **settings.name("coverage")
    )
    coverage >> CloudTrailCompareOperator(
        planned=planned.output, **settings.ledger, **read, **settings.staging, **settings.name("compare")
    )
