"""Trigger runs of DAGs in a running Airflow, and wait for their ends, with its public API."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from devstack.airflow import Airflow
from devstack.airflow_api import AirflowError

ENDED: Final = frozenset({"success", "failed"})

_POLL_SECONDS: Final = 0.3


class DagRunError(Exception):
    """A run did not end in time."""


def trigger_run(airflow: Airflow, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> str:
    """Trigger a run with these params; return its path in the API.

    :raises AirflowError: Airflow rejects it
    """
    body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
    airflow.request("POST", f"/dags/{dag_id}/dagRuns", body)
    return f"/dags/{dag_id}/dagRuns/{run_id}"


def await_run(
    airflow: Airflow, path: str, patience: float = 600.0, watch: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Wait until a run has ended; return it as the API describes it. Its state is in `ENDED`.

    :param patience: seconds within which it must end
    :param watch: called some times a second
    :raises DagRunError: it does not end
    :raises AirflowError: Airflow answers with an error
    """
    deadline = time.monotonic() + patience
    while True:
        watch()
        try:
            run = dict(airflow.request("GET", path))
        except AirflowError as error:
            if error.status is not None:
                raise
            run = {"state": "unknown: Airflow does not answer"}
        if run["state"] in ENDED:
            return run
        if time.monotonic() > deadline:
            raise DagRunError(f"{path} did not end within {patience:.0f} s; its state is {run['state']}")
        time.sleep(_POLL_SECONDS)
