"""The plan task of live runs of a trail: every folder of log files in its bucket, in batches for mapped tasks."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import Context, conf

from cloudtrail_elasticsearch.core.coverage.windows import check_tasks
from cloudtrail_elasticsearch.operators.days import parse_tasks
from cloudtrail_elasticsearch.operators.retries import never_retry_final_errors
from cloudtrail_elasticsearch.operators.trail_choice import TrailPlanOperator


class CloudTrailTrailLivePlanOperator(TrailPlanOperator):
    """Plans the folders of a trail that a live run follows; about 200 of them share a task.

    It lists the bucket in each run, so that a new account or region is followed from its first log file on. It
    writes nothing. `TrailPlanOperator` has the arguments.
    """

    @never_retry_final_errors
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return the batches as plain values.

        :raises PlanError: no trail is configured, or a param is unknown or wrong
        :raises MappingError: the param `index` is not a valid index name
        :raises AccessDeniedError: a permission is missing
        """
        from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook
        from cloudtrail_elasticsearch.pipeline.trail_live import plan_live_batches
        from cloudtrail_elasticsearch.pipeline.trail_plan import find_selected_regions
        from cloudtrail_elasticsearch.sources.trail.listing import find_top_folder

        self.check_params(context)
        hook = CloudTrailHook(aws_conn_id=self.trail_conn_id)
        bucket, prefix, settings = self.find_trail(hook)
        opened = hook.open_trail_bucket(bucket, find_top_folder(prefix))
        regions = find_selected_regions(opened, prefix, self.read_selection(), settings)
        batches = plan_live_batches(bucket, regions, parse_tasks(self.tasks))
        check_tasks(len(batches), conf.getint("core", "max_map_length"))
        folders = sum(len(batch.folders) for batch in batches)
        self.log.info("Planned %d folders of %d regions in %d batches.", folders, len(regions), len(batches))
        return [batch.to_dict() for batch in batches]
