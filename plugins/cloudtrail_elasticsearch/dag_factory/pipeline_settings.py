"""The settings that the tasks of a DAG share: connections, staging, documents, and further arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudtrail_elasticsearch.dag_factory.sources import Params
from cloudtrail_elasticsearch.params import INDEX_SETTINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSettings:
    """The settings of a DAG's tasks.

    :param params: the DAG's params
    :param staging_bucket: the S3 bucket to stage in, or a template
    :param task_args: further arguments of single tasks, by their names such as ``load``
    """

    params: Params
    staging_bucket: str
    aws_conn_id: str
    search_conn_id: str
    rules_file: str | None
    fields_file: str | None
    enrichment: Mapping[str, Any] | str | None
    task_args: Mapping[str, Mapping[str, Any]]

    @property
    def staging(self) -> dict[str, Any]:
        """The arguments of every operator that stages."""
        return {
            "bucket": self.staging_bucket,
            "prefix": "{{ params.prefix }}",
            "aws_conn_id": self.aws_conn_id,
        }

    @property
    def documents(self) -> dict[str, Any]:
        """The arguments of the load operators."""
        return {
            "index": "{{ params.index }}",
            "mapping": "{{ params.mapping }}",
            "ecs": "{{ params.ecs }}",
            "texts": "{{ params.texts }}",
            "own_events": "{{ params.own_events }}",
            **{name: f"{{{{ '' if params.{name} is none else params.{name} }}}}" for name in INDEX_SETTINGS},
            "rules_file": self.rules_file,
            "fields_file": self.fields_file,
            "enrichment": self.enrichment,
            "search_conn_id": self.search_conn_id,
        }

    @property
    def ledger(self) -> dict[str, Any]:
        """The arguments of the operators that read the ledger."""
        return {"index": "{{ params.index }}", "search_conn_id": self.search_conn_id}

    def name(self, task: str) -> dict[str, Any]:
        """Return the id and the further arguments of a task."""
        return {"task_id": task, **self.task_args.get(task, {})}


DAYS = {"start": "{{ params.start or '' }}", "end": "{{ params.end or '' }}"}
"""The arguments of the plan operators that name the days."""

LIVE_WORK = {
    "until": "{{ params.until or '' }}",
    "overlap_minutes": "{{ params.overlap_minutes }}",
    "work_minutes": "{{ params.work_minutes }}",
}
"""The arguments of the operators of live runs that limit their work."""

TRAIL_CONN_ID = "{{ var.value.get('cloudtrail_trail_conn_id', 'aws_default') }}"
"""The connection that reads a trail, unless its source names one."""


def join(param: str) -> str:
    """Return the template of a list of names."""
    return f"{{{{ (params.{param} or []) | join(' ') }}}}"
