"""`cloudtrail_dag`: the whole DAG of a source in one call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from airflow.providers.common.compat.sdk import DAG, Param
from airflow.timetables.interval import CronDataIntervalTimetable

from cloudtrail_elasticsearch.core.errors import ConfigurationError
from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX
from cloudtrail_elasticsearch.core.nearest import find_nearest_name
from cloudtrail_elasticsearch.dag_factory.pipeline_settings import PipelineSettings
from cloudtrail_elasticsearch.dag_factory.sources import (
    LateEvents,
    LateFiles,
    LiveEvents,
    LiveTrail,
    LookupEvents,
    Source,
    Trail,
)
from cloudtrail_elasticsearch.run_params import check_params

_AT_MIDNIGHT: Final = "0 0 * * *"
_AT_NOON: Final = "0 12 * * *"
"""Hours after the daily DAG: events that are late have arrived by then."""

_EVERY_FIVE_MINUTES: Final = "*/5 * * * *"

_LOOKUP_TASKS: Final = ("plan", "fetch", "load", "coverage")
_LIVE_TASKS: Final = ("plan", "follow")
_TRAIL_TASKS: Final = ("plan", "list", "load", "coverage", "compare")

_STAGING_BUCKET: Final = "{{ var.value.get('cloudtrail_staging_bucket', '') }}"
_TASK_DEFAULTS: Final = {"retries": 5, "retry_delay": timedelta(minutes=1), "weight_rule": "upstream"}
"""The defaults of the DAG's `default_args`. With `upstream`, a day is finished before another one begins."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """The description, schedule and tasks of the DAGs of one source."""

    description: str
    schedule: str
    tasks: Collection[str]
    add_tasks: Callable[[PipelineSettings, Any], None]
    dag_arguments: Mapping[str, Any] = field(default_factory=dict)
    """Further defaults of the DAG's arguments."""
    task_defaults: Mapping[str, Any] = field(default_factory=dict)
    """Further defaults of the DAG's `default_args`."""


_LIVE_DAG: Final = {"max_active_runs": 1, "is_paused_upon_creation": True}
_LIVE_RETRIES: Final = {"retries": 1, "retry_delay": timedelta(seconds=30)}
"""The next run does the work of a failed one, so that a task needs no long patience."""


def _add_lookup_tasks(settings: PipelineSettings, source: LookupEvents) -> None:
    # Imported here, because a DAG file is parsed in every task, and needs the operators of its own source only.
    from cloudtrail_elasticsearch.dag_factory.lookup_tasks import add_lookup_tasks

    add_lookup_tasks(settings, source)


def _add_late_tasks(settings: PipelineSettings, source: LateEvents) -> None:
    from cloudtrail_elasticsearch.dag_factory.lookup_tasks import add_late_tasks

    add_late_tasks(settings, source)


def _add_live_tasks(settings: PipelineSettings, source: LiveEvents) -> None:
    from cloudtrail_elasticsearch.dag_factory.live_tasks import add_live_tasks

    add_live_tasks(settings, source)


def _add_trail_tasks(settings: PipelineSettings, source: Trail) -> None:
    from cloudtrail_elasticsearch.dag_factory.trail_tasks import add_trail_tasks

    add_trail_tasks(settings, source)


def _add_late_files_tasks(settings: PipelineSettings, source: LateFiles) -> None:
    from cloudtrail_elasticsearch.dag_factory.trail_tasks import add_late_files_tasks

    add_late_files_tasks(settings, source)


def _add_live_trail_tasks(settings: PipelineSettings, source: LiveTrail) -> None:
    from cloudtrail_elasticsearch.dag_factory.trail_live_tasks import add_live_trail_tasks

    add_live_trail_tasks(settings, source)


_KINDS: Final[Mapping[type, _Kind]] = {
    LookupEvents: _Kind(
        "Loads every CloudTrail event of its accounts, from every region, into a search server.",
        _AT_MIDNIGHT,
        _LOOKUP_TASKS,
        _add_lookup_tasks,
    ),
    LateEvents: _Kind(
        "Looks up loaded days again, and loads the events that CloudTrail delivered late.",
        _AT_NOON,
        _LOOKUP_TASKS,
        _add_late_tasks,
    ),
    LiveEvents: _Kind(
        "Loads the new CloudTrail events of its accounts, from every region, within minutes.",
        _EVERY_FIVE_MINUTES,
        _LIVE_TASKS,
        _add_live_tasks,
        _LIVE_DAG,
        _LIVE_RETRIES,
    ),
    Trail: _Kind(
        "Loads every event that a trail delivered, of every account and region, into a search server.",
        _AT_MIDNIGHT,
        _TRAIL_TASKS,
        _add_trail_tasks,
    ),
    LateFiles: _Kind(
        "Lists loaded days of a trail again, and loads the log files that CloudTrail delivered late.",
        _AT_NOON,
        _TRAIL_TASKS,
        _add_late_files_tasks,
    ),
    LiveTrail: _Kind(
        "Loads the log files that a trail has just delivered, of every account and region, within minutes.",
        _EVERY_FIVE_MINUTES,
        _LIVE_TASKS,
        _add_live_trail_tasks,
        _LIVE_DAG,
        _LIVE_RETRIES,
    ),
}


def cloudtrail_dag(  # noqa: PLR0913 - each is a setting of its own, given by name
    dag_id: str,
    *,
    source: Source,
    index: str = DEFAULT_INDEX,
    mapping: str = "typed",
    ecs: bool = True,
    texts: bool = False,
    own_events: str | None = None,
    shards: int | None = None,
    replicas: int | None = None,
    lifecycle: str | None = None,
    pipeline: str | None = None,
    settle_minutes: int | None = None,
    prefix: str | None = None,
    staging_bucket: str = _STAGING_BUCKET,
    rules_file: str | None = None,
    fields_file: str | None = None,
    enrichment: Mapping[str, Any] | str | None = None,
    aws_conn_id: str = "aws_default",
    search_conn_id: str = "elasticsearch_default",
    task_args: Mapping[str, Mapping[str, Any]] | None = None,
    **dag_args: Any,
) -> DAG:
    """Return a DAG that loads a source: plan, a mapped task group ``cell``, and coverage; or plan and ``follow``.

    :param source: what to load
    :param index: the default of the DAG's param ``index``; ``%Y``, ``%m``, ``%d`` stand for the event's date.
        `mapping`, `ecs`, `texts`, `own_events`, `settle_minutes` and `prefix` are defaults of params, too; so are
        `shards`, `replicas`, `lifecycle` and `pipeline`, which only affect new indices
    :param staging_bucket: the S3 bucket to stage in; by default the Airflow variable ``cloudtrail_staging_bucket``
    :param rules_file: as of `LoadingOperator`; so are `fields_file` and `enrichment`
    :param aws_conn_id: the AWS connection for the staging bucket, and for lookups
    :param search_conn_id: the connection to the search server
    :param task_args: further arguments of single tasks by their names (``plan``, ``fetch`` or ``list``, ``load``,
        ``coverage``, ``compare``; of live runs ``plan`` and ``follow``), for example
        ``{"load": {"pool": "small_server"}}``
    :param dag_args: all arguments of Airflow's DAG but `params`, such as `schedule`, `default_args`, `tags` or
        `on_failure_callback`. A schedule in cron's form is in UTC, and a run loads the day in which its interval
        begins. `default_args` are added to the loader's own (5 retries after a minute).
    :raises ConfigurationError: an argument has an unknown name or a wrong value; the message names it
    """
    kind = _find_kind(source)
    _check_names("cloudtrail_dag", dag_args, _list_dag_arguments())
    _check_names("task_args", task_args or {}, kind.tasks)
    chosen = {"shards": shards, "replicas": replicas, "lifecycle": lifecycle, "pipeline": pipeline}
    defaults: dict[str, Any] = {"index": index, "mapping": mapping, "ecs": ecs, "texts": texts, **chosen}
    if prefix is not None:
        defaults["prefix"] = prefix
    if own_events is not None:
        defaults["own_events"] = str(own_events)
    if settle_minutes is not None:
        defaults["settle_minutes"] = settle_minutes
    declared = dict(source.params)
    _check_names(f"A DAG of {type(source).__name__}", defaults, declared)
    declared |= {name: {**declared[name], "default": value} for name, value in defaults.items()}
    try:
        check_params(declared, {name: schema["default"] for name, schema in declared.items()}, {})
    except ConfigurationError as error:
        raise ConfigurationError(f"The DAG {dag_id} has a wrong argument. {error}") from error
    settings = PipelineSettings(
        params=declared,
        staging_bucket=staging_bucket,
        aws_conn_id=aws_conn_id,
        search_conn_id=search_conn_id,
        rules_file=rules_file,
        fields_file=fields_file,
        enrichment=enrichment,
        task_args=task_args or {},
    )
    with DAG(dag_id, **_make_dag_arguments(kind, declared, dag_args)) as dag:
        kind.add_tasks(settings, source)
    return dag


def _find_kind(source: Any) -> _Kind:
    kind = _KINDS.get(type(source))
    if kind is None:
        names = ", ".join(f"{each.__name__}()" for each in _KINDS)
        raise ConfigurationError(f"The source of a DAG is {source!r}: choose one of {names}.")
    return kind


def _make_dag_arguments(kind: _Kind, params: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    schedule = given.get("schedule", kind.schedule)
    if isinstance(schedule, str):
        # Airflow 3 makes a trigger of a text: its runs have no interval, so they would load a later day.
        schedule = CronDataIntervalTimetable(schedule, timezone="UTC")
    own = {
        "description": kind.description,
        "start_date": datetime(2026, 1, 1, tzinfo=UTC),
        "catchup": False,
        "tags": ["aws", "cloudtrail", "elasticsearch", "opensearch"],
    }
    return {
        **own,
        **kind.dag_arguments,
        **given,
        "schedule": schedule,
        "default_args": {**_TASK_DEFAULTS, **kind.task_defaults, **(given.get("default_args") or {})},
        "params": {name: Param(**param) for name, param in params.items()},
    }


def _list_dag_arguments() -> set[str]:
    return set(inspect.signature(DAG).parameters) - {"dag_id", "params"}


def _check_names(where: str, given: Collection[str], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            meant = find_nearest_name(name, known)
            hint = f" Did you mean {meant}?" if meant else ""
            raise ConfigurationError(
                f"{where} has no argument {name!r}.{hint} Known are {', '.join(sorted(known))}."
            )
