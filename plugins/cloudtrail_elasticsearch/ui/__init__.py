"""Pages in Airflow's UI; imported by the API server alone."""
