"""On Airflow 2.11, in an environment of its own: `make test-airflow2`."""
