"""All differences between the supported versions of Airflow, 2.11 and 3.0 to 3.3, and nothing else (ADR-0013).

Names that only moved between versions come from `airflow.providers.common.compat.sdk`. Versions before 3.3 have no
retry policies: a failure that a retry cannot fix raises `AirflowFailException` instead. They have no task state
store: `staging.state` stores the progress in the bucket instead, and their tasks cannot name the partition of an
asset event. Airflow 2.11 has no API for backfills: only its command can start them. https://airflow.apache.org/docs/apache-airflow/stable/release_notes.html
"""

from __future__ import annotations

import functools
import os
import shlex
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from airflow import __version__
from airflow.providers.common.compat.sdk import Variable, conf

from cloudtrail_elasticsearch.core.encoding import codec

_VERSION: Final = tuple(int(part) for part in __version__.split(".")[:2])
_IS_2: Final = _VERSION < (3, 0)

HAS_RETRY_POLICIES: Final = _VERSION >= (3, 3)
"""Whether an operator can have a retry policy."""

HAS_PARTITIONS: Final = _VERSION >= (3, 3)
"""Whether a task can name the partitions of an asset event; in 3.2, only its run has a partition."""

HAS_LOGIN_COOKIE: Final = _VERSION >= (3, 1)
"""Whether the UI keeps a user's login in a cookie; in 3.0 it is in the browser's local storage."""

SUPERVISOR: Final = threading.Lock()
"""Held while a thread of a task requests a variable or a connection.

In Airflow 3.0, a task and its supervisor share one stream, and a thread can read the answer to another one's
request: the other one then waits for ever.
"""

Reprocess = Literal["none", "failed", "completed"]
"""Which existing runs a backfill runs again: none, the failed ones, or the completed ones too."""

Execute = TypeVar("Execute", bound=Callable[..., Any])


def make_retry_arguments(kinds: Iterable[type[Exception]]) -> dict[str, Any]:
    """Return the operator arguments that prevent retries after failures of these kinds.

    Airflow before 3.3 has no such argument; use this together with `fail_without_retry`.
    https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/tasks.html
    """
    if not HAS_RETRY_POLICIES:
        return {}
    from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

    rules = [
        RetryRule(exception=kind, action=RetryAction.FAIL, reason="A retry cannot fix this") for kind in kinds
    ]
    # A policy of rules retries every failure that no rule matches.
    return {"retry_policy": ExceptionRetryPolicy(rules=rules)}


def fail_without_retry(kinds: tuple[type[Exception], ...]) -> Callable[[Execute], Execute]:
    """Return a decorator for ``execute`` that ends the task without a retry, for Airflow before 3.3."""

    def decorate(execute: Execute) -> Execute:
        from airflow.providers.common.compat.sdk import AirflowFailException

        @functools.wraps(execute)
        def execute_or_fail(*arguments: Any, **named: Any) -> Any:
            try:
                return execute(*arguments, **named)
            except kinds as error:
                raise AirflowFailException(str(error)) from error

        return execute_or_fail  # type: ignore[return-value]

    return (lambda execute: execute) if HAS_RETRY_POLICIES else decorate


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
    """Return the events of a task's inlet since a time; before Airflow 3.2, they are filtered here."""
    events = context["inlet_events"][asset]
    if _IS_2:
        _register_alias(asset)
    if hasattr(events, "after"):
        since: Iterable[Any] = events.after(oldest.isoformat())
        return since
    return (event for event in events if event.timestamp >= oldest)


def add_partitioned_events(
    context: Mapping[str, Any], asset: Any, keys: Iterable[str], extra: Mapping[str, Any]
) -> None:
    """Add an event of an asset for each of these partition keys when the task ends; nothing before Airflow 3.3.

    An alias has no partitions, and a declared outlet gets an event with every success of its task. So the asset
    becomes an outlet of the running task only now. Airflow stores the events if some DAG's schedule has the asset.
    """
    if not HAS_PARTITIONS:
        return
    task = context["ti"].task
    task.outlets = [*task.outlets, asset]
    event = context["outlet_events"][asset]
    event.extra = dict(extra)
    event.add_partitions(list(keys))


def schedule_by_partition(asset: Any, otherwise: Any) -> Any:
    """Return the schedule of a DAG that runs for each partition of an asset; before Airflow 3.3, the other one."""
    if not HAS_PARTITIONS:
        return otherwise
    from airflow.sdk import PartitionedAssetTimetable

    return PartitionedAssetTimetable(assets=asset)


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
    with SUPERVISOR:
        return _read_variable(name)


def _read_variable(name: str) -> str | None:
    found: str | None
    if _VERSION < (3, 1):
        # The task SDK of 3.0 cannot read the database's variables in an API server; this class can.
        from airflow.models import Variable as DatabaseVariable

        found = DatabaseVariable.get(name, default_var=None)
    else:
        found = Variable.get(name, default=None)
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
    """Return the shell command of a backfill of a range of days, both included.

    The command of Airflow 3.0 fails with a conf (https://github.com/apache/airflow/issues/56230), so there it is a
    request to the API; the user sets AIRFLOW_TOKEN to a token for it.
    """
    conf_json = codec.encode(run_conf).decode()
    conf_of_2, conf_of_3 = (["--conf", conf_json], ["--dag-run-conf", conf_json]) if run_conf else ([], [])
    if _IS_2:
        # Without --yes, the command waits for an answer before it resets runs.
        again = {"none": [], "failed": ["--rerun-failed-tasks"], "completed": ["--reset-dagruns", "--yes"]}
        days = ("--start-date", first, "--end-date", last)
        return shlex.join(["airflow", "dags", "backfill", *days, *again[reprocess], *conf_of_2, dag_id])
    if run_conf and _VERSION < (3, 1):
        address = conf.get("api", "base_url", fallback="").rstrip("/")
        request = backfill_request(dag_id, first, last, reprocess, run_conf)
        assert request is not None  # noqa: S101 - only Airflow 2 has no API
        body = codec.encode(request["body"]).decode()
        post = ["curl", "--fail-with-body", f"{address}{request['path']}", "--json", body]
        return f'{shlex.join(post)} --header "Authorization: Bearer $AIRFLOW_TOKEN"'
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
