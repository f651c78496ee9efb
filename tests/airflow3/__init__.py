"""Tests on Airflow 3.0, 3.1 and 3.2, each in its own environment: `make test-airflow3`."""
