"""What differs between the Airflows that the plugin runs on, 3.3 and 2.11: all of it, and nothing else.

Names that only moved are `airflow.providers.common.compat.sdk`'s to know. What 2.11 lacks has a stand-in here, or
is said to be missing: its task state is kept in the staging bucket, a failure that another attempt cannot mend is
told by an exception instead of a policy, and backfills are started by its command alone.
"""

from __future__ import annotations

import functools
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from airflow import __version__
from airflow.providers.common.compat.sdk import Variable, conf

from cloudtrail_elasticsearch.core import codec

_IS_2: Final = __version__.startswith("2.")

Reprocess = Literal["none", "failed", "completed"]
"""Which runs of the days of a backfill are made again."""

Execute = TypeVar("Execute", bound=Callable[..., Any])


def final_failures(kinds: Iterable[type[Exception]]) -> dict[str, Any]:
    """Return the operator arguments by which failures of these kinds are not tried again.

    They go with `ends_on`, for the Airflow that has no such argument.
    https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/tasks.html
    """
    if _IS_2:
        return {}
    from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

    rules = [
        RetryRule(exception=kind, action=RetryAction.FAIL, reason="Another attempt cannot mend this")
        for kind in kinds
    ]
    return {"retry_policy": ExceptionRetryPolicy(rules=rules)}


def ends_on(kinds: tuple[type[Exception], ...]) -> Callable[[Execute], Execute]:
    """Decorate an operator's ``execute``, which failures of these kinds end for good, where there is no policy."""

    def decorate(execute: Execute) -> Execute:
        from airflow.providers.common.compat.sdk import AirflowFailException

        @functools.wraps(execute)
        def executed(*arguments: Any, **named: Any) -> Any:
            try:
                return execute(*arguments, **named)
            except kinds as error:
                raise AirflowFailException(str(error)) from error

        return executed  # type: ignore[return-value]

    return decorate if _IS_2 else lambda execute: execute


def leave_mapping_to_backfills() -> None:
    """Let ``airflow dags backfill`` alone expand mapped tasks, in the processes that it starts.

    In Airflow 2 a task that ends expands what depends on it, too, and the command, which comes second, never runs
    what it has not expanded itself: it calls the backfill deadlocked.
    https://airflow.apache.org/docs/apache-airflow/2.11.2/configurations-ref.html#schedule-after-task-execution
    """
    if _IS_2 and sys.argv[1:3] == ["dags", "backfill"]:
        os.environ["AIRFLOW__SCHEDULER__SCHEDULE_AFTER_TASK_EXECUTION"] = "False"


def asset_events(context: Mapping[str, Any], asset: Any, oldest: datetime) -> Iterable[Any]:
    """Return the events of a task's inlet since a moment; Airflow 2, which cannot choose, is asked for all."""
    events = context["inlet_events"][asset]
    if _IS_2:
        _make_known(asset)
        return (event for event in events if event.timestamp >= oldest)
    since: Iterable[Any] = events.after(oldest.isoformat())
    return since


def _make_known(alias: Any) -> None:
    """Write an alias of datasets to Airflow 2's database, as a scheduler does once it has read the DAG.

    Without it a task with such an outlet fails after its success, where no scheduler ever ran.
    """
    from airflow.models.dataset import DatasetAliasModel
    from airflow.utils.session import create_session

    with create_session() as session:
        if session.query(DatasetAliasModel).filter_by(name=alias.name).first() is None:
            session.add(DatasetAliasModel(name=alias.name))


def of_the_webserver(pages: Any) -> Any:
    """Return pages and menu items where Airflow has a webserver to take them, of Flask; else nothing.

    Airflow 3 would take them for what is left of an older plugin, beside its API server's own pages.
    https://airflow.apache.org/docs/apache-airflow/2.11.2/authoring-and-scheduling/plugins.html
    """
    return pages if _IS_2 else ()


def variable(name: str) -> str | None:
    """Return an Airflow variable; None where it is not set."""
    nothing: dict[str, Any] = {"default_var" if _IS_2 else "default": None}
    found: str | None = Variable.get(name, **nothing)
    return found


def base_path() -> str:
    """Return the path of Airflow's own address, without a slash at its end."""
    section = "webserver" if _IS_2 else "api"
    address: str = conf.get(section, "base_url", fallback="")
    return urlsplit(address).path.rstrip("/")


def run_page(dag_id: str) -> str:
    """Return the path of a run's page below Airflow's address, ``{}`` standing for the run's id, to be quoted."""
    return f"/dags/{dag_id}/grid?dag_run_id={{}}" if _IS_2 else f"/dags/{dag_id}/runs/{{}}"


def task_page(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """Return the path of a task instance's page, with its log, below Airflow's address."""
    if _IS_2:
        where = {"dag_run_id": run_id, "task_id": task_id, "tab": "logs"}
        if map_index >= 0:
            where["map_index"] = str(map_index)
        return f"/dags/{dag_id}/grid?{urlencode(where)}"
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    return f"/dags/{dag_id}/runs/{quote(run_id, safe='')}/tasks/{task_id}{mapped}"


def backfill_command(dag_id: str, first: str, last: str, reprocess: Reprocess, run_conf: Mapping[str, Any]) -> str:
    """Return the command of a backfill of some days, the last one included, as a shell takes it."""
    told = codec.encode(run_conf).decode()
    if _IS_2:
        again = {"none": [], "failed": ["--rerun-failed-tasks"], "completed": ["--reset-dagruns", "--yes"]}
        days = ("--start-date", first, "--end-date", last)
        return shlex.join(["airflow", "dags", "backfill", *days, *again[reprocess], "--conf", told, dag_id])
    return shlex.join(
        [
            *("airflow", "backfill", "create", "--dag-id", dag_id, "--from-date", first, "--to-date", last),
            *("--reprocess-behavior", reprocess, "--dag-run-conf", told),
        ]
    )


def backfill_request(
    dag_id: str, first: str, last: str, reprocess: Reprocess, run_conf: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return what to POST to Airflow's API for the same, as path and body; None where it has no such thing."""
    if _IS_2:
        return None
    body = {
        "dag_id": dag_id,
        "from_date": f"{first}T00:00:00Z",
        "to_date": f"{last}T00:00:00Z",
        "reprocess_behavior": reprocess,
        "dag_run_conf": run_conf,
    }
    return {"path": "/api/v2/backfills", "body": body}


def trigger_request(dag_id: str, run_conf: Mapping[str, Any]) -> dict[str, Any]:
    """Return what to POST to Airflow's API for a run of a DAG, as path and body."""
    if _IS_2:
        return {"path": f"/api/v1/dags/{dag_id}/dagRuns", "body": {"conf": run_conf}}
    return {"path": f"/api/v2/dags/{dag_id}/dagRuns", "body": {"logical_date": None, "conf": run_conf}}
