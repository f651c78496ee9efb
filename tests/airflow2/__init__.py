"""Tests on Airflow 2.11 in its own environment: `make test-airflow2`."""
