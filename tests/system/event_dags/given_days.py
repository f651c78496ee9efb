"""The coverage task alone: its cells are given in the run's conf, and are already in the ledger."""

from airflow.sdk import DAG

from cloudtrail_elasticsearch.operators.coverage import CloudTrailCoverageOperator

with DAG("given_days", schedule=None, render_template_as_native_obj=True):
    CloudTrailCoverageOperator(
        task_id="coverage",
        planned="{{ dag_run.conf.planned }}",
        cells="{{ dag_run.conf.cells }}",
        index="{{ dag_run.conf.index }}",
    )
