"""Airflow hooks: connections made into the clients that the core's parts take."""
