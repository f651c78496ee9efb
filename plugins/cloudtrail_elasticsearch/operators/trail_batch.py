"""The base of the operators that work on one batch of a trail's windows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from cloudtrail_elasticsearch.operators.batch import BatchOperator

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.progress import StateStore
    from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook
    from cloudtrail_elasticsearch.pipeline.trail_list import StagingOf
    from cloudtrail_elasticsearch.pipeline.trail_plan import BatchWindow, DayPlan, TrailBatch
    from cloudtrail_elasticsearch.sources.trail.layout import TrailRoot
    from cloudtrail_elasticsearch.staging import TrailStaging


class TrailBatchOperator(BatchOperator):
    """Works on the windows of a trail's batch. `BatchOperator` has the arguments of the batch.

    :param trail_conn_id: the AWS connection that reads the trail; its role may be one of another account
    """

    template_fields: Sequence[str] = ("trail_conn_id", *BatchOperator.template_fields)

    def __init__(self, *, trail_conn_id: str | None = "aws_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.trail_conn_id = trail_conn_id
        # Kept for the lineage, which OpenLineage requests after the task.
        self._plan: DayPlan | None = None

    def trail_aws(self) -> CloudTrailHook:
        """Return the hook of the connection that reads the trail."""
        from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook

        return CloudTrailHook(aws_conn_id=self.trail_conn_id)

    def planned_batch(self) -> TrailBatch:
        """Return the batch that this task works on."""
        from cloudtrail_elasticsearch.pipeline.trail_plan import TrailBatch

        return TrailBatch.from_dict(self.batch)

    def read_windows(self, s3: Any) -> tuple[DayPlan, list[BatchWindow]]:
        """Return the plan and the windows of the batch.

        :param s3: the client of the staging bucket
        :raises StagingError: the plan is missing or altered
        """
        from cloudtrail_elasticsearch.pipeline.trail_plan import read_plan

        batch = self.planned_batch()
        plan = self._plan = read_plan(self.open_plans(s3), batch.plan)
        return plan, plan.windows(batch.number)

    def stagings(self, s3: Any, trail_bucket: str) -> StagingOf:
        """Return a function that returns the staged windows of a root."""
        from cloudtrail_elasticsearch.staging import TrailStaging

        bucket = self.require_bucket()

        @cache
        def staging_of(root: TrailRoot) -> TrailStaging:
            return TrailStaging(s3, bucket, trail_bucket, root.folder, self.prefix, self.read_encryption)

        return staging_of

    def open_substitute_store(self, staging_of: StagingOf, windows: Sequence[BatchWindow]) -> StateStore:
        """Return the store of the progress in the staging bucket, for an Airflow without a task state store."""
        first = windows[0]
        return staging_of(first.region.root).state(first.window, self.task_id)

    def trail_uri(self) -> str:
        """Return the URI of the trail's log files, for the lineage."""
        plan = self._plan
        if plan is None:
            return ""
        return f"s3://{plan.bucket}/{plan.folder}"

    def staged_uri(self) -> str:
        """Return the URI of the plans' and manifests' folder in the staging bucket, for the lineage."""
        folder = f"{self.prefix.strip('/')}/trail={self._plan.bucket if self._plan else ''}".lstrip("/")
        return f"s3://{self.bucket}/{folder}"
