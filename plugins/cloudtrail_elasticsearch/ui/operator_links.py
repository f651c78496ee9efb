"""The links on a task's page: to its cell's staged objects, documents and square on the coverage page.

The API server makes a link when a user opens the page, from the rendered fields of the task. So cells that are
running or have failed have links too, and tasks do no work for them. Airflow keeps the rendered fields of a DAG's
latest runs only (``[core] num_dag_runs_to_retain_rendered_fields``, 30); tasks of older runs have no links.
"""

from __future__ import annotations

import logging
import os
import posixpath
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseOperatorLink

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.ui import addresses
from cloudtrail_elasticsearch.ui.paths import path

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey

log = logging.getLogger(__name__)

NO_LINK: Final = ""
"""Airflow disables a link with this address."""


class _RenderedLink(BaseOperatorLink):
    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's
        """Return the address, or `NO_LINK` if there is nothing to link to."""
        from airflow.models.renderedtifields import RenderedTaskInstanceFields

        fields = RenderedTaskInstanceFields.get_templated_fields(ti_key)  # type: ignore[arg-type]
        return self.address(fields or {})

    @abstractmethod
    def address(self, fields: dict[str, Any]) -> str:
        """Return the address for a task with these rendered fields."""


class _BatchLink(_RenderedLink):
    @property
    def operators(self) -> list[type[BaseOperator]]:  # type: ignore[override]
        """The operators that work on staged cells; imported late, because every Airflow process loads plugins."""
        from cloudtrail_elasticsearch.operators.cloudtrail_to_s3 import CloudTrailToS3Operator
        from cloudtrail_elasticsearch.operators.s3_to_elasticsearch import S3ToElasticsearchOperator

        return [CloudTrailToS3Operator, S3ToElasticsearchOperator]

    def address(self, fields: dict[str, Any]) -> str:
        """Return the address for the batch that the fields name."""
        windows = _list_windows(fields.get("batch"))
        return self.batch_address(windows, fields) if windows else NO_LINK

    @abstractmethod
    def batch_address(self, windows: list[Window], fields: dict[str, Any]) -> str:
        """Return the address for the cells of a batch."""


class StagedObjectsLink(_BatchLink):
    """The folder that has a batch's cells in the S3 console; no link if the bucket is not in AWS."""

    name = "Staged objects"

    def batch_address(self, windows: list[Window], fields: dict[str, Any]) -> str:
        """Return the address of the folder that has the cells' folders."""
        from cloudtrail_elasticsearch.staging import Staging

        bucket = fields.get("bucket")
        if not bucket or _uses_another_s3():
            return NO_LINK
        # No client: only the path is needed.
        staging = Staging(None, bucket, fields.get("prefix", ""))
        folder = posixpath.commonpath([staging.folder(window) for window in windows])
        return addresses.staged_objects(bucket, folder, windows[0].region)


class DocumentsLink(_BatchLink):
    """The documents of a batch's cells in Kibana or OpenSearch Dashboards; no link without their address."""

    name = "Documents"

    def batch_address(self, windows: list[Window], fields: dict[str, Any]) -> str:  # noqa: ARG002 - of the base class
        """Return the address of Discover with the cells' documents."""
        from cloudtrail_elasticsearch.ui.server import find_dashboards, find_search_server

        base = find_dashboards()
        if not base:
            return NO_LINK
        try:
            engine = find_search_server().engine
        except LoaderError as error:
            # A search server that does not answer must not break the task's page.
            log.warning("Cannot make the link to the documents of %s: %s", windows[0].name, error)
            return NO_LINK
        accounts, regions = ({getattr(each, name) for each in windows} for name in ("account", "region"))
        return addresses.discover(base, engine, accounts, regions, windows[0].start, windows[0].end)


class CoverageLink(_RenderedLink):
    """The coverage page, with the days that the run planned, or with the days and the account of a batch."""

    name = "Coverage"

    @property
    def operators(self) -> list[type[BaseOperator]]:  # type: ignore[override]
        """The operators that end a run, and those that work on a batch."""
        from cloudtrail_elasticsearch.operators.cloudtrail_to_s3 import CloudTrailToS3Operator
        from cloudtrail_elasticsearch.operators.coverage import CloudTrailCoverageOperator
        from cloudtrail_elasticsearch.operators.s3_to_elasticsearch import S3ToElasticsearchOperator
        from cloudtrail_elasticsearch.operators.trail_coverage import CloudTrailTrailCoverageOperator
        from cloudtrail_elasticsearch.operators.trail_list import CloudTrailTrailListOperator
        from cloudtrail_elasticsearch.operators.trail_to_elasticsearch import (
            CloudTrailTrailToElasticsearchOperator,
        )

        return [
            CloudTrailToS3Operator,
            S3ToElasticsearchOperator,
            CloudTrailCoverageOperator,
            CloudTrailTrailCoverageOperator,
            CloudTrailTrailListOperator,
            CloudTrailTrailToElasticsearchOperator,
        ]

    def address(self, fields: dict[str, Any]) -> str:
        """Return the address of the page; it includes the days only if Airflow kept the whole plan."""
        planned = fields.get("planned", [fields.get("batch")])
        # Airflow replaces a field that is too long by a text.
        plans = planned if isinstance(planned, list) else []
        windows = [window for batch in plans for window in _list_windows(batch)]
        days = sorted(day for day in map(_read_day_of_batch, plans) if day)
        batches = {"first": days[0], "last": days[-1], "source": Source.TRAIL.value} if days else {}
        # The page can open the square of a single cell.
        square = {"region": windows[0].region} if len(windows) == 1 else {}
        return _make_coverage_address(windows, fields, **batches, **square)


def _read_day_of_batch(value: Any) -> str | None:
    is_batch = isinstance(value, dict) and "plan" in value
    return str(value["day"]) if is_batch else None


def _list_windows(value: Any) -> list[Window]:
    """Return the windows of a batch of LookupEvents; none if the value is something else."""
    from cloudtrail_elasticsearch.core.coverage.lookup_batches import LookupBatch

    try:
        return [each.window for each in LookupBatch.from_dict(value).windows]
    except (KeyError, TypeError, ValueError, AttributeError):
        return []


def _make_coverage_address(windows: list[Window], fields: dict[str, Any], **more: str) -> str:
    chosen = {"pattern": fields.get("index"), **more}
    if windows:
        days = sorted(f"{window.start:%Y-%m-%d}" for window in windows)
        chosen |= {"first": days[0], "last": days[-1]}
        # Without an account, the page shows all accounts of the ledger.
        if len({window.account for window in windows}) == 1:
            chosen["account"] = windows[0].account
        # Without a source, the page shows all of them.
        if windows[0].source is not Source.LOOKUP_EVENTS:
            chosen["source"] = windows[0].source.value
    return f"{path('coverage')}#{urlencode({name: value for name, value in chosen.items() if value})}"


def _uses_another_s3() -> bool:
    """Return whether the environment or the AWS connection points to another S3 service than AWS's.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    """
    from airflow.providers.common.compat.sdk import BaseHook

    if os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"):
        return True
    try:
        # The operator's own connection is not among its rendered fields.
        extra = BaseHook.get_connection("aws_default").extra_dejson
    except AirflowNotFoundException:
        return False
    s3_config = (extra.get("service_config") or {}).get("s3") or {}
    return bool(s3_config.get("endpoint_url") or extra.get("endpoint_url"))
