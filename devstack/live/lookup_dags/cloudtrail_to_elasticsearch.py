"""Airflow's DAG file with quick retries."""

from pathlib import Path

from devstack.faults.quick_retries import read_dag

dag = read_dag(Path(__file__).stem)
