"""Loads the new CloudTrail events of the account, from every region, within minutes, with Airflow.

The daily DAG afterwards loads the whole day again, adds the events that came late, and proves the day.
"""

from cloudtrail_elasticsearch import LiveEvents, cloudtrail_dag

dag = cloudtrail_dag("cloudtrail_live", source=LiveEvents(), doc_md=__doc__)
