"""All differences between the supported versions of Airflow, 3.3 and 2.11, and nothing else (ADR-0013).

Names that only moved between versions come from `airflow.providers.common.compat.sdk`. Airflow 2.11 lacks some
features. It has no retry policies: a failure that a retry cannot fix raises `AirflowFailException` instead. It has
no API for backfills: only its command can start them. It has no task state store: `staging.state` stores the
progress in the bucket instead.
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

from cloudtrail_elasticsearch.core.encoding import codec

_IS_2: Final = __version__.startswith("2.")

Reprocess = Literal["none", "failed", "completed"]
"""Which existing runs a backfill runs again: none, the failed ones, or the completed ones too."""

Execute = TypeVar("Execute", bound=Callable[..., Any])


def make_retry_arguments(kinds: Iterable[type[Exception]]) -> dict[str, Any]:
    """Return the operator arguments that prevent retries after failures of these kinds.

    Airflow 2 has no such argument; use this together with `fail_without_retry`.
    https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/tasks.html
    """
    if _IS_2:
        return {}
    from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

    rules = [
        RetryRule(exception=kind, action=RetryAction.FAIL, reason="A retry cannot fix this") for kind in kinds
    ]
    # A policy of rules retries every failure that no rule matches.
    return {"retry_policy": ExceptionRetryPolicy(rules=rules)}


def fail_without_retry(kinds: tuple[type[Exception], ...]) -> Callable[[Execute], Execute]:
    """Return a decorator for ``execute``: in Airflow 2, failures of these kinds end the task without a retry."""

    def decorate(execute: Execute) -> Execute:
        from airflow.providers.common.compat.sdk import AirflowFailException

        @functools.wraps(execute)
        def execute_or_fail(*arguments: Any, **named: Any) -> Any:
            try:
                return execute(*arguments, **named)
            except kinds as error:
                raise AirflowFailException(str(error)) from error

        return execute_or_fail  # type: ignore[return-value]

    return decorate if _IS_2 else lambda execute: execute


def stop_tasks_from_expanding() -> None:
    """Let only ``airflow dags backfill`` itself expand mapped tasks, not the task processes that it starts.

    In Airflow 2 a task that ends also expands the mapped tasks that depend on it. The command then never runs
    these, because it runs only tasks that it has expanded itself, and reports a deadlock.
    https://airflow.apache.org/docs/apache-airflow/2.11.2/configurations-ref.html#schedule-after-task-execution
    """
    if _IS_2 and sys.argv[1:3] == ["dags", "backfill"]:
        # In the environment, because the processes of tasks inherit it.
        os.environ["AIRFLOW__SCHEDULER__SCHEDULE_AFTER_TASK_EXECUTION"] = "False"


def read_asset_events(context: Mapping[str, Any], asset: Any, oldest: datetime) -> Iterable[Any]:
    """Return the events of a task's inlet since a time; Airflow 2 cannot filter by time, so it is done here."""
    events = context["inlet_events"][asset]
    if _IS_2:
        _register_alias(asset)
        return (event for event in events if event.timestamp >= oldest)
    since: Iterable[Any] = events.after(oldest.isoformat())
    return since


def _register_alias(alias: Any) -> None:
    """Write a dataset alias to Airflow 2's database, as a scheduler does when it parses the DAG.

    If no scheduler ever ran, a task with an alias as its outlet would fail after its work was done.
    """
    from airflow.models.dataset import DatasetAliasModel
    from airflow.utils.session import create_session

    with create_session() as session:
        if session.query(DatasetAliasModel).filter_by(name=alias.name).first() is None:
            session.add(DatasetAliasModel(name=alias.name))


def only_in_airflow_2(pages: Any) -> Any:
    """Return Flask pages and menu items in Airflow 2, which has a Flask webserver; nothing in Airflow 3.

    Airflow 3 would treat them as legacy pages and show them beside the pages of its API server.
    https://airflow.apache.org/docs/apache-airflow/2.11.2/authoring-and-scheduling/plugins.html
    """
    return pages if _IS_2 else ()


def read_variable(name: str) -> str | None:
    """Return an Airflow variable; None if it is not set."""
    no_default: dict[str, Any] = {"default_var" if _IS_2 else "default": None}
    found: str | None = Variable.get(name, **no_default)
    return found


def find_base_path() -> str:
    """Return the path of Airflow's base URL, without a trailing slash."""
    section = "webserver" if _IS_2 else "api"
    address: str = conf.get(section, "base_url", fallback="")
    # Only the path: users may reach Airflow under other host names.
    return urlsplit(address).path.rstrip("/")


def run_page(dag_id: str) -> str:
    """Return the path of a run's page below Airflow's address, with ``{}`` for the URL-quoted run id."""
    return f"/dags/{dag_id}/grid?dag_run_id={{}}" if _IS_2 else f"/dags/{dag_id}/runs/{{}}"


def task_page(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """Return the path of a task instance's page, with its log, below Airflow's address."""
    if _IS_2:
        where = {"dag_run_id": run_id, "task_id": task_id, "tab": "logs"}
        if map_index >= 0:
            where["map_index"] = str(map_index)
        return f"/dags/{dag_id}/grid?{urlencode(where)}"
    mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
    # A run's id has colons and a plus sign.
    return f"/dags/{dag_id}/runs/{quote(run_id, safe='')}/tasks/{task_id}{mapped}"


def backfill_command(dag_id: str, first: str, last: str, reprocess: Reprocess, run_conf: Mapping[str, Any]) -> str:
    """Return the shell command of a backfill of a range of days, both included."""
    conf_json = codec.encode(run_conf).decode()
    conf_of_2, conf_of_3 = (["--conf", conf_json], ["--dag-run-conf", conf_json]) if run_conf else ([], [])
    if _IS_2:
        # Without --yes, the command waits for an answer before it resets runs.
        again = {"none": [], "failed": ["--rerun-failed-tasks"], "completed": ["--reset-dagruns", "--yes"]}
        days = ("--start-date", first, "--end-date", last)
        return shlex.join(["airflow", "dags", "backfill", *days, *again[reprocess], *conf_of_2, dag_id])
    return shlex.join(
        [
            *("airflow", "backfill", "create", "--dag-id", dag_id, "--from-date", first, "--to-date", last),
            *("--reprocess-behavior", reprocess, *conf_of_3),
        ]
    )


def backfill_request(
    dag_id: str, first: str, last: str, reprocess: Reprocess, run_conf: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the path and body to POST to Airflow's API for the same backfill; None if it has no such API."""
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
    """Return the path and body to POST to Airflow's API to trigger a DAG."""
    if _IS_2:
        return {"path": f"/api/v1/dags/{dag_id}/dagRuns", "body": {"conf": run_conf}}
    # Airflow 3's API requires logical_date, which can be null.
    return {"path": f"/api/v2/dags/{dag_id}/dagRuns", "body": {"logical_date": None, "conf": run_conf}}
