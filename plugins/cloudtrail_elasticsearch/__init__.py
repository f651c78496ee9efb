"""Every CloudTrail event of an AWS account in Elasticsearch or OpenSearch, loaded and proven by Airflow.

Nothing is imported here: Airflow's provider discovery imports this package before its configuration exists.
"""

__version__ = "0.1.0"
