"""Loads every event that a trail delivered to S3, of every account and region, and proves it, with Airflow.

The trail is the one that the Airflow variable cloudtrail_trail (its ARN) or cloudtrail_trail_bucket names.
"""

from cloudtrail_elasticsearch import Trail, cloudtrail_dag

dag = cloudtrail_dag(
    "cloudtrail_trail_to_elasticsearch", source=Trail(), is_paused_upon_creation=True, doc_md=__doc__
)
