"""Airflow's DAG file with quick retries: the only one in this folder, so that Airflow parses less."""

from pathlib import Path

from devstack.faults.quick_retries import read_dag

dag = read_dag(Path(__file__).stem)
