"""List, await, close and create backfills of a running Airflow, with its public API.

Airflow rejects a new backfill of a DAG while another one is open. Its scheduler closes a backfill whose runs have
ended, but checks only every 30 s. Cancelling a backfill closes it at once.
https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/backfill.html
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any, Final, TypeVar

from devstack.airflow import Airflow
from devstack.airflow_api import AirflowError

SECONDS_AT_MOST: Final = 300
SECONDS_BETWEEN: Final = 2

_POLL_SECONDS: Final = 0.5
_SECONDS_BETWEEN_LINES: Final = 10
_ENDED: Final = frozenset({"success", "failed"})
_PASSES: Final = frozenset({None, 409, 500, 503})
"""HTTP statuses after which a retry can succeed (None: no answer): the scheduler may hold a lock."""


Result = TypeVar("Result")

Report = Callable[[str], None]
"""Prints one line before each step, and one for each retry."""


class BackfillError(Exception):
    """A backfill did not end."""


def await_runs(
    airflow: Airflow,
    dag_id: str,
    days: int,
    patience: float,
    report: Report,
    watch: Callable[[], None] = lambda: None,
) -> dict[str, str]:
    """Wait until the DAG's run of each day has ended; return the state by day.

    :param days: the number of days
    :param patience: seconds within which they must end
    :param watch: called twice a second
    :raises BackfillError: they do not end
    """
    began = said = time.monotonic()
    while True:
        watch()
        runs = _list_runs(airflow, dag_id)
        states = Counter(run["state"] for run in runs)
        if len(runs) >= days and states.keys() <= _ENDED:
            return {run["data_interval_start"][:10]: run["state"] for run in runs}
        now = time.monotonic()
        shown = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        if now - began > patience:
            raise BackfillError(f"the backfill did not end within {patience:.0f} s: {shown or 'no run'}")
        if now - said > _SECONDS_BETWEEN_LINES:
            said = now
            report(f"  {now - began:5.0f} s  {shown}")
        time.sleep(_POLL_SECONDS)


def _list_runs(airflow: Airflow, dag_id: str) -> list[dict[str, Any]]:
    """Return the runs; an empty list while the API server does not answer."""
    try:
        return airflow.runs(dag_id)
    except AirflowError as error:
        if error.status is not None:
            raise
        return []


def replace_backfill(
    airflow: Airflow, dag_id: str, first: date, last: date, max_active_runs: int, report: Report
) -> None:
    """Close the DAG's open backfills and create one of the days from `first` to `last`, both included.

    Finished runs of these days run again; a run that has not ended continues.

    :raises AirflowError: Airflow rejects a request, or its database stays locked for `SECONDS_AT_MOST` seconds
    """

    def replace() -> None:
        _close_open(airflow, dag_id, report)
        _create(airflow, dag_id, first, last, max_active_runs)

    _patiently(replace, "create the backfill", report)


def close_backfills(airflow: Airflow, dag_id: str, report: Report) -> None:
    """Close the DAG's open backfills, so that a new one can be created at once.

    :raises AirflowError: Airflow rejects a request, or its database stays locked for `SECONDS_AT_MOST` seconds
    """
    _patiently(lambda: _close_open(airflow, dag_id, report), "close the backfill", report)


def list_tasks(airflow: Airflow, dag_id: str, report: Report) -> list[dict[str, Any]]:
    """Return the task instances of all runs of a DAG.

    :raises AirflowError: Airflow rejects a request, or does not answer for `SECONDS_AT_MOST` seconds
    """
    return _patiently(lambda: airflow.tasks(dag_id), "list the tasks", report)


def open_backfills(airflow: Airflow, dag_id: str) -> list[dict[str, Any]]:
    """Return the DAG's backfills that Airflow has not closed."""
    answer = airflow.request("GET", f"/backfills?dag_id={dag_id}&order_by=-id&limit=100")
    return [backfill for backfill in answer["backfills"] if backfill["completed_at"] is None]


def _patiently(step: Callable[[], Result], name: str, report: Report) -> Result:
    began = time.monotonic()
    while True:
        try:
            return step()
        except AirflowError as error:
            waited = time.monotonic() - began
            if error.status not in _PASSES or waited > SECONDS_AT_MOST:
                raise
            report(f"Airflow cannot {name} yet; retrying, {waited:.0f} s so far ({error}) …")
            time.sleep(SECONDS_BETWEEN)


def _close_open(airflow: Airflow, dag_id: str, report: Report) -> None:
    for backfill in open_backfills(airflow, dag_id):
        going = _unfinished(airflow, backfill)
        state = f"{going} of its runs have not ended" if going else "all of its runs have ended"
        report(f"Closing backfill {backfill['id']}, which Airflow still holds open: {state}.")
        airflow.request("PUT", f"/backfills/{backfill['id']}/cancel")


def _unfinished(airflow: Airflow, backfill: dict[str, Any]) -> int:
    """Count the runs of the backfill's days that are queued or running."""
    first, last = backfill["from_date"][:10], backfill["to_date"][:10]
    runs = airflow.runs(backfill["dag_id"])
    days = [run for run in runs if run["logical_date"] and first <= run["logical_date"][:10] <= last]
    return sum(run["state"] not in _ENDED for run in days)


def _create(airflow: Airflow, dag_id: str, first: date, last: date, max_active_runs: int) -> None:
    body = {
        "dag_id": dag_id,
        "from_date": f"{first}T00:00:00Z",
        "to_date": f"{last}T00:00:00Z",
        "reprocess_behavior": "completed",
        "max_active_runs": max_active_runs,
    }
    airflow.request("POST", "/backfills", body)
