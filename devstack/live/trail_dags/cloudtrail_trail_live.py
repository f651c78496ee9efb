"""Airflow's DAG file of live runs, without retries."""

from pathlib import Path

from devstack.live.live_retries import read_live_dag

dag = read_live_dag(Path(__file__).stem, "trail_follow")
