"""A round: one backfill into one server, with faults while it runs, and a check of the promises at its end."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Final

from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.sources.lookup_events.fetch_checkpoint import SECONDS_BETWEEN
from devstack.airflow import Airflow, AirflowSettings, BusyError
from devstack.aws import AwsServices
from devstack.days import last_settled_day
from devstack.endpoints import Endpoints
from devstack.faults import proof
from devstack.faults.fault import Fault, Rotation
from devstack.faults.scene import Scene, end_orphans
from devstack.faults.targets import STAGING, LookupTarget, Target, TrailTarget
from devstack.search_server import Distribution, SearchServer
from devstack.shared import QUICK_START
from devstack.simulator import Simulator, SimulatorSettings

_CALLS_A_SECOND: Final = 10
"""The quota of each region in the simulator."""

_SLICES: Final = 8
"""The most slices of a window that are paged at the same time: each may lose the page that it requests."""

PAGES_AGAIN: Final = int(SECONDS_BETWEEN) * _CALLS_A_SECOND + _SLICES
"""The most pages of a window that an interruption may cost: those that are not written yet (ADR-0008)."""

_MISSES: Final = 6
_QUICK_TO_NOTICE: Final = {
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
}
"""Airflow's timeouts, cut from minutes to seconds: a process that is silent for longer counts as dead."""

Say = Callable[[str], None]


class RoundError(Exception):
    """A backfill did not end."""


@dataclass(frozen=True, slots=True)
class RoundSettings:
    """The events to load, and the faults to inject.

    :param faults: the number of faults
    :param pause: the most seconds between two faults
    :param volume: events on a weekday of the busiest region
    :param patience: seconds after the last fault within which the backfill must end
    :param runs_at_once: days that are loaded at the same time
    :param parallelism: tasks that run at the same time
    :param last: the last day of the backfill
    """

    distribution: Distribution
    seed: int
    faults: int
    days: int = 4
    regions: tuple[str, ...] = ("eu-west-1", "sa-east-1", "us-east-1", "us-east-2", "us-west-2")
    volume: int = 1500
    pause: float = 6.0
    patience: float = 600.0
    runs_at_once: int = 2
    parallelism: int = 6
    last: date = field(default_factory=last_settled_day)

    @property
    def first(self) -> date:
        """The first day of the backfill."""
        return self.last - timedelta(days=self.days - 1)


def look_up(settings: RoundSettings) -> Target:
    """Return the settings' days and regions with LookupEvents."""
    return LookupTarget(settings.regions, settings.first, settings.days)


def read_trail(settings: RoundSettings) -> Target:
    """Return the settings' days and regions of an organization's trail."""
    return TrailTarget(settings.regions, settings.first, settings.days, settings.seed)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a round; `broken` lists the broken promises."""

    server: str
    seed: int
    events: proof.Events
    faults: Counter[str]
    attempts: proof.Attempts
    repeated_pages: int
    borders: int
    """Borders between slices, each of which divides a page at most."""
    mended: int
    """Runs that failed after all of Airflow's retries, and were run again by another backfill."""
    orphans: int = 0
    """Tasks that still ran without a supervisor after the end."""
    seconds: float = 0.0
    broken: tuple[str, ...] = ()

    @property
    def struck(self) -> int:
        """The number of faults that hit something."""
        return self.faults.total()

    @property
    def allowed_pages(self) -> int:
        """The most pages that may be fetched twice: those of seconds for each interruption, and the borders."""
        return PAGES_AGAIN * self.attempts.windows_again + self.borders


def run_round(
    settings: RoundSettings, rotation: Rotation, say: Say, choose: Callable[[RoundSettings], Target] = look_up
) -> Outcome:
    """Run a backfill while faults strike, and check the promises on the result.

    If a promise was broken, Airflow's logs are kept and their folder is printed.

    :param choose: returns the source of the backfill: `look_up` or `read_trail`
    :raises RoundError: the backfill does not end
    """
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    kept = False
    try:
        outcome = _run_round(settings, choose(settings), rotation, folder, say)
        kept = bool(outcome.broken)
    except BaseException:
        kept = True
        raise
    finally:
        if kept:
            say(f"Airflow's logs are kept: {folder / 'airflow'}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return outcome


def _run_round(settings: RoundSettings, target: Target, rotation: Rotation, folder: Path, say: Say) -> Outcome:
    began = time.monotonic()
    with _scene(settings, target, folder) as scene:
        try:
            say(f"{settings.distribution.name} at {scene.search.url}, Airflow at {scene.airflow.url}")
            faults = _inject_faults(scene, settings, rotation, say)
            mended = _finish(scene, settings, target, say)
            outcome = _outcome(scene, settings, target, faults, mended)
        finally:
            scene.sessions.add(scene.airflow.pid("scheduler"))
            scene.airflow.stop()
            orphans = end_orphans(scene.sessions)
    return replace(outcome, orphans=orphans, seconds=time.monotonic() - began)


@contextlib.contextmanager
def _scene(settings: RoundSettings, target: Target, folder: Path) -> Iterator[Scene]:
    """Start all services. The backfill is created before the scheduler runs."""
    index = f"faults-{settings.seed}"
    simulated = SimulatorSettings(
        seed=settings.seed,
        volume=settings.volume,
        regions=settings.regions,
        quota=_CALLS_A_SECOND,
        burst=10,
        latency=0.2,
    )
    with contextlib.ExitStack() as stack:
        simulator = stack.enter_context(Simulator(simulated))
        storage = stack.enter_context(AwsServices())
        planned = stack.enter_context(ThreadPoolExecutor()).submit(_plan, settings, target, folder, index)
        search = stack.enter_context(SearchServer(settings.distribution, heap="768m", java_options=[QUICK_START]))
        engine = settings.distribution.engine
        endpoints = Endpoints(storage.endpoint_url, simulator.endpoint_url, search.url, engine)
        endpoints.client("s3").create_bucket(Bucket=STAGING)
        planned.result()
        environment = {
            **endpoints.environment(),
            **_QUICK_TO_NOTICE,
            "AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": STAGING,
            **target.prepare(simulator, endpoints),
        }
        yield Scene(
            dag_id=target.dag_id,
            airflow=stack.enter_context(
                Airflow(replace(_airflow(settings, target, folder, environment), prepared=True))
            ),
            simulator=simulator,
            storage=storage,
            search=search,
            client=connect(SearchSettings.from_url(search.url), engine),
            source_bucket=target.source_bucket,
            indices=f"{index}-*",
            days=settings.days,
            random=Random(settings.seed),
        )


def _airflow(
    settings: RoundSettings, target: Target, folder: Path, environment: dict[str, str]
) -> AirflowSettings:
    return AirflowSettings(
        folder / "airflow", environment, dags=target.dags, parallelism=settings.parallelism, port=0
    )


def _plan(settings: RoundSettings, target: Target, folder: Path, index: str) -> None:
    airflow = Airflow(_airflow(settings, target, folder, {}))
    airflow.prepare()
    _backfill(airflow, settings, target, index)


def _backfill(airflow: Airflow, settings: RoundSettings, target: Target, index: str, *options: str) -> None:
    conf = json.dumps({**target.conf(), "index": f"{index}-%Y.%m"})
    at_once = str(settings.runs_at_once)
    first, last = settings.first, settings.last
    options = ("--dag-run-conf", conf, "--max-active-runs", at_once, *options)
    airflow.backfill(target.dag_id, str(first), str(last), *options)


def _inject_faults(scene: Scene, settings: RoundSettings, rotation: Rotation, say: Say) -> Counter[str]:
    """Inject faults at random moments, until there were enough or the backfill has ended."""
    struck: Counter[str] = Counter()
    missed = 0
    began = time.monotonic()
    while struck.total() < settings.faults and missed < _MISSES and not scene.ended():
        time.sleep(scene.random.uniform(0, settings.pause))
        fault = rotation.next()
        hit = _strike(fault, scene)
        say(f"  {time.monotonic() - began:6.1f} s  {fault.name}{'' if hit else ': hit nothing'}")
        if hit:
            struck[fault.name] += 1
            missed = 0
        else:
            rotation.put_back(fault)
            missed += 1
    return struck


def _strike(fault: Fault, scene: Scene) -> bool:
    try:
        hit = fault.strike(scene)
        if hit:
            time.sleep(scene.random.uniform(*fault.seconds))
    finally:
        fault.mend(scene)
    return hit


def _finish(scene: Scene, settings: RoundSettings, target: Target, say: Say) -> int:
    """Wait for the end and backfill the failed runs again; return the number of runs that needed it."""
    _await_end(scene, settings.patience)
    failed = [run["logical_date"][:10] for run in scene.runs() if run["state"] == "failed"]
    if not failed:
        return 0
    say(f"  failed for good: {', '.join(failed)}; `airflow backfill create --reprocess-behavior failed`")
    deadline = time.monotonic() + settings.patience
    while True:
        try:
            name = f"faults-{settings.seed}"
            _backfill(scene.airflow, settings, target, name, "--reprocess-behavior", "failed")
            break
        except BusyError as error:
            if time.monotonic() > deadline:
                raise RoundError(f"The failed runs cannot be run again: {error}") from error
            time.sleep(3)
    _await_end(scene, settings.patience)
    return len(failed)


def _await_end(scene: Scene, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not scene.ended():
        if time.monotonic() > deadline:
            raise RoundError(f"The backfill did not end within {seconds:.0f} s; {_open_tasks(scene)}")
        time.sleep(0.5)


def _open_tasks(scene: Scene) -> str:
    open_tasks = [
        f"{task['task_id']} {task['rendered_map_index'] or ''} {task['state']}"
        for task in scene.tasks()
        if task["state"] not in {"success", "skipped"}
    ]
    return f"{len(open_tasks)} tasks are open: {'; '.join(open_tasks[:10])}"


def _outcome(scene: Scene, settings: RoundSettings, target: Target, faults: Counter[str], mended: int) -> Outcome:
    truth = target.list_truth(scene.simulator)
    outcome = Outcome(
        server=settings.distribution.name,
        seed=settings.seed,
        events=proof.count_events(scene, truth),
        faults=faults,
        attempts=proof.count_attempts(scene),
        repeated_pages=proof.count_repeated_pages(scene.simulator),
        borders=proof.count_borders(scene.simulator, target.count_windows()),
        mended=mended,
    )
    return replace(outcome, broken=tuple(_find_broken_promises(scene, target, outcome)))


def _find_broken_promises(scene: Scene, target: Target, outcome: Outcome) -> Iterator[str]:
    """Yield a sentence for each broken promise."""
    for run in scene.airflow.runs(scene.dag_id):
        if run["state"] != "success":
            yield f"the run of {run['logical_date'][:10]} ended with state {run['state']}"
    events = outcome.events
    for name in ("lost", "duplicates", "strangers", "quarantined"):
        if count := getattr(events, name):
            yield f"{count} {name}"
    expected = {
        "cells": target.count_windows(),
        "missing": 0,
        **dict.fromkeys(("looked_up", "staged", "indexed"), events.there_are),
        "quarantined": 0,
    }
    told = proof.sum_coverage(scene)
    for name, count in expected.items():
        if told[name] != count:
            yield f"coverage reports {told[name]} {name}, not {count}"
    if outcome.repeated_pages > outcome.allowed_pages:
        yield f"{outcome.repeated_pages} pages were fetched twice, more than {outcome.allowed_pages}"
