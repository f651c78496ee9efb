"""Looks up a loaded day again, and loads the events that CloudTrail delivered late, with Airflow."""

from cloudtrail_elasticsearch import LateEvents, cloudtrail_dag

dag = cloudtrail_dag("cloudtrail_late_events", source=LateEvents(), is_paused_upon_creation=True, doc_md=__doc__)
