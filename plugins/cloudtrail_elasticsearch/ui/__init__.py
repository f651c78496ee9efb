"""The pages in Airflow's UI. Only the API server (in Airflow 2: the webserver) imports them."""
