"""Loads every CloudTrail event of the account, from every region, into a search server, with Airflow."""

from cloudtrail_elasticsearch import LookupEvents, cloudtrail_dag

dag = cloudtrail_dag("cloudtrail_to_elasticsearch", source=LookupEvents(), doc_md=__doc__)
