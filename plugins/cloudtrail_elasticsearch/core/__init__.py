"""The core: documents, indices, loading and coverage.

Nothing in this package imports Airflow, boto3 or a search client, and its rooms import each other in one direction
only; import-linter checks both.
"""
