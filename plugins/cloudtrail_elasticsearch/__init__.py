"""Loads every CloudTrail event of an AWS account into Elasticsearch or OpenSearch with Airflow, and verifies it.

This module imports nothing: Airflow's provider discovery imports it before Airflow's configuration exists.
"""

__version__ = "0.1.0"
