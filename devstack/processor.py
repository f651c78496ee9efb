"""Measure the processor time of a running Airflow."""

from __future__ import annotations

import contextlib

import psutil

from devstack.airflow import SERVICES, Airflow


def measure_processor(airflow: Airflow) -> float:
    """Return the processor seconds of Airflow's processes so far, with those that have ended."""
    total = 0.0
    for service in SERVICES:
        process = psutil.Process(airflow.pid(service))
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                # The times of children count for their parent only after their end.
                total += sum(each.cpu_times()[:4])
    return total
