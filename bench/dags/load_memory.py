"""Load one staged window, and return the largest memory of the task's process."""

import resource
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Context

from cloudtrail_elasticsearch.operators.s3_to_elasticsearch import S3ToElasticsearchOperator


class MeasuredLoad(S3ToElasticsearchOperator):
    """The real load operator, which also returns the peak memory of its process."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Load the window and return its cell with the process' peak."""
        (cell,) = super().execute(context)["cells"]
        return dict(cell) | {"peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


with DAG(dag_id="load_memory", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    window = ("account", "region", "start", "end", "source", "name")
    MeasuredLoad(
        task_id="load",
        batch={name: f"{{{{ dag_run.conf['window']['{name}'] }}}}" for name in window},
        bucket="{{ var.value.cloudtrail_staging_bucket }}",
        prefix="{{ dag_run.conf['prefix'] }}",
        index="{{ dag_run.conf['index'] }}",
        force=True,
    )
