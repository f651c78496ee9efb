"""The links on a task's page: to its cell's staged objects, documents and square on the coverage page.

The API server makes a link when a user opens the page, from the rendered fields of the task. So cells that are
running or have failed have links too, and tasks do no work for them. Airflow keeps the rendered fields of a DAG's
latest runs only (``[core] num_dag_runs_to_retain_rendered_fields``, 30); tasks of older runs have no links.
"""

from __future__ import annotations

import logging
import os
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


class _CellLink(_RenderedLink):
    @property
    def operators(self) -> list[type[BaseOperator]]:  # type: ignore[override]
        """The operators that work on a cell; imported late, because every Airflow process loads plugins."""
        from cloudtrail_elasticsearch.operators.cloudtrail_to_s3 import CloudTrailToS3Operator
        from cloudtrail_elasticsearch.operators.s3_to_elasticsearch import S3ToElasticsearchOperator

        return [CloudTrailToS3Operator, S3ToElasticsearchOperator]

    def address(self, fields: dict[str, Any]) -> str:
        """Return the address for the cell that the fields name."""
        window = _read_window(fields.get("window"))
        return NO_LINK if window is None else self.cell_address(window, fields)

    @abstractmethod
    def cell_address(self, window: Window, fields: dict[str, Any]) -> str:
        """Return the address for a cell."""


class StagedObjectsLink(_CellLink):
    """The folder of the cell in the S3 console; no link if the bucket is not in AWS."""

    name = "Staged objects"

    def cell_address(self, window: Window, fields: dict[str, Any]) -> str:
        """Return the address of the cell's folder."""
        from cloudtrail_elasticsearch.staging import Staging

        bucket = fields.get("bucket")
        if not bucket or _uses_another_s3():
            return NO_LINK
        # No client: only the path is needed.
        folder = Staging(None, bucket, fields.get("prefix", "")).folder(window)
        return addresses.staged_objects(bucket, folder, window.region)


class DocumentsLink(_CellLink):
    """The documents of the cell in Kibana or OpenSearch Dashboards; no link if their address is not configured."""

    name = "Documents"

    def cell_address(self, window: Window, fields: dict[str, Any]) -> str:  # noqa: ARG002 - the signature of all cell links
        """Return the address of Discover with the cell's documents."""
        from cloudtrail_elasticsearch.ui.server import find_dashboards, find_search_server

        base = find_dashboards()
        if not base:
            return NO_LINK
        try:
            engine = find_search_server().engine
        except LoaderError as error:
            # A search server that does not answer must not break the task's page.
            log.warning("Cannot make the link to the documents of %s: %s", window.name, error)
            return NO_LINK
        return addresses.discover(base, engine, window.account, window.region, window.start, window.end)


class CoverageLink(_CellLink):
    """The coverage page, at the square of the cell."""

    name = "Coverage"

    def cell_address(self, window: Window, fields: dict[str, Any]) -> str:
        """Return the address of the page with the cell's day and region."""
        return _make_coverage_address([window], fields, region=window.region)


class RunCoverageLink(_RenderedLink):
    """The coverage page, with the days that the run planned, or with the day of a batch."""

    name = "Coverage"

    @property
    def operators(self) -> list[type[BaseOperator]]:  # type: ignore[override]
        """The operators that end a run, and those that work on a batch of a trail's windows."""
        from cloudtrail_elasticsearch.operators.coverage import CloudTrailCoverageOperator
        from cloudtrail_elasticsearch.operators.trail_coverage import CloudTrailTrailCoverageOperator
        from cloudtrail_elasticsearch.operators.trail_list import CloudTrailTrailListOperator
        from cloudtrail_elasticsearch.operators.trail_to_elasticsearch import (
            CloudTrailTrailToElasticsearchOperator,
        )

        return [
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
        windows = [window for window in map(_read_window, plans) if window]
        days = sorted(day for day in map(_read_day_of_batch, plans) if day)
        batches = {"first": days[0], "last": days[-1], "source": Source.TRAIL.value} if days else {}
        return _make_coverage_address(windows, fields, **batches)


def _read_day_of_batch(value: Any) -> str | None:
    is_batch = isinstance(value, dict) and "plan" in value
    return str(value["day"]) if is_batch else None


def _read_window(value: Any) -> Window | None:
    try:
        return Window.from_dict(value)
    except (KeyError, TypeError, ValueError):
        return None


def _make_coverage_address(windows: list[Window], fields: dict[str, Any], **more: str) -> str:
    chosen = {"pattern": fields.get("index"), **more}
    if windows:
        days = sorted(f"{window.start:%Y-%m-%d}" for window in windows)
        chosen |= {"first": days[0], "last": days[-1]}
        # Without an account, the page shows all accounts of the ledger.
        if len({window.account for window in windows}) == 1:
            chosen["account"] = windows[0].account
        # Without a source, the page shows both.
        if windows[0].source is Source.TRAIL:
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
