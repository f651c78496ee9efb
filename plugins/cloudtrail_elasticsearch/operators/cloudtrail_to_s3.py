"""Fetch: LookupEvents into staged parts and a manifest."""

from __future__ import annotations

from collections.abc import Sequence

from airflow.providers.common.compat.sdk import Context

from cloudtrail_elasticsearch.operators.base import WindowOperator


class CloudTrailToS3Operator(WindowOperator):
    """Looks up every event of a window and stages it in S3; returns where.

    A window that is staged already costs no LookupEvents call, unless `force` is true.
    """

    template_fields: Sequence[str] = ("window", "bucket", "prefix", "force")
    ui_color = "#dbe9f6"

    def execute(self, context: Context) -> str:  # noqa: ARG002 - Airflow's signature
        """Stage the window and return the URI of its folder.

        :raises AccessDeniedError: a permission is missing
        :raises TransientError: AWS throttles or fails for longer than the client retries
        """
        from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook
        from cloudtrail_elasticsearch.pipeline import fetch

        window, staging = self.planned_window(), self.staging()
        if not self.forced and staging.manifest(window) is not None:
            self.log.info("%s is staged already in %s: nothing to look up.", window.name, staging.uri(window))
        else:
            fetch(window, CloudTrailHook(aws_conn_id=self.aws_conn_id).source(window), staging)
        return staging.uri(window)
