"""Airflow hooks: they turn Airflow connections into clients."""
