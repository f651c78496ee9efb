"""Airflow operators: thin, each hands its arguments to the core and returns plain values."""
