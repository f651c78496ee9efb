"""Airflow operators. Each is thin: it passes its arguments to the core and returns plain values."""
