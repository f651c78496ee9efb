"""The links of a task's page: what is staged of its cell, its documents, its square of the coverage.

They are made in the API server, when somebody looks, from the fields of the task as Airflow has rendered them: a
cell that runs or has failed has them too, and no task does anything for them. Airflow keeps the fields of a DAG's
latest runs (``[core] num_dag_runs_to_retain_rendered_fields``, 30); a task of an older run has no links.
"""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseOperatorLink

from cloudtrail_elasticsearch.core import links
from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.ui.paths import path

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey

log = logging.getLogger(__name__)

NO_LINK: Final = ""
"""Airflow shows the link as one that cannot be followed."""


class _RenderedLink(BaseOperatorLink):
    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's
        """Return the address, or an empty text where there is nothing to look at."""
        from airflow.models.renderedtifields import RenderedTaskInstanceFields

        fields = RenderedTaskInstanceFields.get_templated_fields(ti_key)  # type: ignore[arg-type]
        return self.address(fields or {})

    @abstractmethod
    def address(self, fields: dict[str, Any]) -> str:
        """Return the address for a task of these fields."""


class _CellLink(_RenderedLink):
    @property
    def operators(self) -> list[type[BaseOperator]]:  # type: ignore[override]
        """The operators that work on a cell; imported here, as every process of Airflow reads plugins."""
        from cloudtrail_elasticsearch.operators.cloudtrail_to_s3 import CloudTrailToS3Operator
        from cloudtrail_elasticsearch.operators.s3_to_elasticsearch import S3ToElasticsearchOperator

        return [CloudTrailToS3Operator, S3ToElasticsearchOperator]

    def address(self, fields: dict[str, Any]) -> str:
        """Return the address for the cell that the fields name."""
        window = _window(fields.get("window"))
        return NO_LINK if window is None else self.cell_address(window, fields)

    @abstractmethod
    def cell_address(self, window: Window, fields: dict[str, Any]) -> str:
        """Return the address for a cell."""


class StagedObjectsLink(_CellLink):
    """The folder of the cell in the S3 console; no link where S3 is not AWS's."""

    name = "Staged objects"

    def cell_address(self, window: Window, fields: dict[str, Any]) -> str:
        """Return the address of the cell's folder."""
        from cloudtrail_elasticsearch.staging import Staging

        bucket = fields.get("bucket")
        if not bucket or _s3_is_another():
            return NO_LINK
        folder = Staging(None, bucket, fields.get("prefix", "")).folder(window)
        return links.staged_objects(bucket, folder, window.region)


class DocumentsLink(_CellLink):
    """The documents of the cell in Kibana or OpenSearch Dashboards; no link where their address is not known."""

    name = "Documents"

    def cell_address(self, window: Window, fields: dict[str, Any]) -> str:  # noqa: ARG002 - as the others
        """Return the address of Discover with the cell's documents."""
        from cloudtrail_elasticsearch.ui.server import dashboards, search_server

        base = dashboards()
        if not base:
            return NO_LINK
        try:
            engine = search_server().engine
        except LoaderError as error:
            log.warning("The documents of %s cannot be linked to: %s", window.name, error)
            return NO_LINK
        return links.discover(base, engine, window.account, window.region, window.start, window.end)


class CoverageLink(_CellLink):
    """The coverage page, at the square of the cell."""

    name = "Coverage"

    def cell_address(self, window: Window, fields: dict[str, Any]) -> str:
        """Return the address of the page with the cell's day and region."""
        return _coverage([window], fields, region=window.region)


class RunCoverageLink(_RenderedLink):
    """The coverage page, with the days that the run has planned."""

    name = "Coverage"

    @property
    def operators(self) -> list[type[BaseOperator]]:  # type: ignore[override]
        """The operator that ends a run."""
        from cloudtrail_elasticsearch.operators.coverage import CloudTrailCoverageOperator

        return [CloudTrailCoverageOperator]

    def address(self, fields: dict[str, Any]) -> str:
        """Return the address of the page; with the days where Airflow has kept the whole plan."""
        planned = fields.get("planned")
        windows = map(_window, planned if isinstance(planned, list) else ())
        return _coverage([window for window in windows if window], fields)


def _window(value: Any) -> Window | None:
    try:
        return Window.from_dict(value)
    except (KeyError, TypeError, ValueError):
        return None


def _coverage(windows: list[Window], fields: dict[str, Any], **more: str) -> str:
    chosen = {"pattern": fields.get("index"), **more}
    if windows:
        days = sorted(f"{window.start:%Y-%m-%d}" for window in windows)
        chosen |= {"first": days[0], "last": days[-1], "account": windows[0].account}
    return f"{path('coverage')}#{urlencode({name: value for name, value in chosen.items() if value})}"


def _s3_is_another() -> bool:
    """Whether the environment or the AWS connection names another S3, which AWS's console knows nothing of.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    """
    from airflow.providers.common.compat.sdk import BaseHook

    if os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"):
        return True
    try:
        extra = BaseHook.get_connection("aws_default").extra_dejson
    except AirflowNotFoundException:
        return False
    of_s3 = (extra.get("service_config") or {}).get("s3") or {}
    return bool(of_s3.get("endpoint_url") or extra.get("endpoint_url"))
