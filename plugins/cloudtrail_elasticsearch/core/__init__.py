"""What the project exists for: windows, events, rules, mapping, bulk requests and coverage.

Nothing in this package imports Airflow, boto3 or a search client; import-linter checks it.
"""
