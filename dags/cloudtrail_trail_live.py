"""Loads the log files that a trail has just delivered, of every account and region, within minutes, with Airflow.

The trail is the one that the Airflow variable cloudtrail_trail (its ARN) or cloudtrail_trail_bucket names. The
daily DAG afterwards loads the whole day again, adds the log files that came late, and proves the day.
"""

from cloudtrail_elasticsearch import LiveTrail, cloudtrail_dag

dag = cloudtrail_dag("cloudtrail_trail_live", source=LiveTrail(), doc_md=__doc__)
