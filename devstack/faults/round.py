"""A round: one backfill into one server, struck by faults while it runs, and held to the promises at its end."""

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
from devstack.airflow import Airflow, AirflowSettings, BusyError
from devstack.aws import AwsServices
from devstack.days import last_settled_day
from devstack.endpoints import Endpoints
from devstack.faults import proof
from devstack.faults.fault import Fault, Rotation
from devstack.faults.scene import DAG_ID, Scene, end_orphans
from devstack.search_server import Distribution, SearchServer
from devstack.shared import QUICK_START
from devstack.simulator import Simulator, SimulatorSettings

SLICES: Final = 8
"""The most slices of a window that are paged side by side: each may lose the page that was under way."""

_BUCKET: Final = "staging"
_MISSES: Final = 6
_DAGS: Final = Path(__file__).parent / "dags"
_QUICK_TO_NOTICE: Final = {
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
}
"""Airflow's times from minutes to seconds: how long a process may be silent until it is taken for dead."""

Say = Callable[[str], None]


class RoundError(Exception):
    """A backfill does not end."""


@dataclass(frozen=True, slots=True)
class RoundSettings:
    """What is loaded, and how it is struck.

    :param faults: how many faults are to strike
    :param pause: seconds between two faults, at most
    :param volume: events a weekday of the busiest region
    :param patience: seconds until the backfill must have ended after the last fault
    :param runs_at_once: days that are loaded side by side
    :param parallelism: tasks that run side by side
    :param last: its last day
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a round; `broken` says which promises were not kept."""

    server: str
    seed: int
    events: proof.Events
    faults: Counter[str]
    attempts: proof.Attempts
    repeated_pages: int
    borders: int
    """Borders between slices, each of which divides a page at most."""
    mended: int
    """Runs that failed for good, after Airflow's own retries, and were mended by another backfill."""
    orphans: int = 0
    """Tasks that still ran when all was over, without a supervisor."""
    seconds: float = 0.0
    broken: tuple[str, ...] = ()

    @property
    def struck(self) -> int:
        """How many faults struck."""
        return self.faults.total()

    @property
    def allowed_pages(self) -> int:
        """How many pages may be fetched twice: one for each slice of a fetch that was interrupted, and borders."""
        return SLICES * self.attempts.fetches_again + self.borders


def play(settings: RoundSettings, rotation: Rotation, say: Say) -> Outcome:
    """Load a backfill while faults strike, and hold what came of it to the promises.

    The logs of a round that broke a promise are kept, and it is said where.

    :raises RoundError: the backfill does not end
    """
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    kept = False
    try:
        outcome = _play(settings, rotation, folder, say)
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


def _play(settings: RoundSettings, rotation: Rotation, folder: Path, say: Say) -> Outcome:
    began = time.monotonic()
    with _scene(settings, folder) as scene:
        try:
            say(f"{settings.distribution.name} at {scene.search.url}, Airflow at {scene.airflow.url}")
            faults = _torment(scene, settings, rotation, say)
            mended = _finish(scene, settings, say)
            outcome = _outcome(scene, settings, faults, mended)
        finally:
            scene.sessions.add(scene.airflow.pid("scheduler"))
            scene.airflow.stop()
            orphans = end_orphans(scene.sessions)
    return replace(outcome, orphans=orphans, seconds=time.monotonic() - began)


@contextlib.contextmanager
def _scene(settings: RoundSettings, folder: Path) -> Iterator[Scene]:
    """Start everything, with the backfill created before the scheduler runs."""
    index = f"faults-{settings.seed}"
    simulated = SimulatorSettings(
        seed=settings.seed, volume=settings.volume, regions=settings.regions, quota=10, burst=10, latency=0.2
    )
    with contextlib.ExitStack() as stack:
        simulator = stack.enter_context(Simulator(simulated))
        storage = stack.enter_context(AwsServices())
        planned = stack.enter_context(ThreadPoolExecutor()).submit(_plan, settings, folder, index)
        search = stack.enter_context(SearchServer(settings.distribution, heap="768m", java_options=[QUICK_START]))
        engine = settings.distribution.engine
        endpoints = Endpoints(storage.endpoint_url, simulator.endpoint_url, search.url, engine)
        endpoints.client("s3").create_bucket(Bucket=_BUCKET)
        planned.result()
        environment = {
            **endpoints.environment(),
            **_QUICK_TO_NOTICE,
            "AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": _BUCKET,
        }
        yield Scene(
            airflow=stack.enter_context(Airflow(replace(_airflow(settings, folder, environment), prepared=True))),
            simulator=simulator,
            storage=storage,
            search=search,
            client=connect(SearchSettings.from_url(search.url), engine),
            bucket=_BUCKET,
            indices=f"{index}-*",
            days=settings.days,
            random=Random(settings.seed),
        )


def _airflow(settings: RoundSettings, folder: Path, environment: dict[str, str]) -> AirflowSettings:
    return AirflowSettings(folder / "airflow", environment, dags=_DAGS, parallelism=settings.parallelism, port=0)


def _plan(settings: RoundSettings, folder: Path, index: str) -> None:
    airflow = Airflow(_airflow(settings, folder, {}))
    airflow.prepare()
    _backfill(airflow, settings, index)


def _backfill(airflow: Airflow, settings: RoundSettings, index: str, *options: str) -> None:
    conf = json.dumps({"regions": settings.regions, "index": f"{index}-%Y.%m"})
    at_once = str(settings.runs_at_once)
    first, last = settings.first, settings.last
    options = ("--dag-run-conf", conf, "--max-active-runs", at_once, *options)
    airflow.backfill(DAG_ID, str(first), str(last), *options)


def _torment(scene: Scene, settings: RoundSettings, rotation: Rotation, say: Say) -> Counter[str]:
    """Have faults strike at moments by chance, until there were enough or the backfill has ended."""
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


def _finish(scene: Scene, settings: RoundSettings, say: Say) -> int:
    """Wait for the end, and make a backfill again of what failed for good; return how often that was needed."""
    _await_end(scene, settings.patience)
    failed = [run["logical_date"][:10] for run in scene.runs() if run["state"] == "failed"]
    if not failed:
        return 0
    say(f"  failed for good: {', '.join(failed)}; `airflow backfill create --reprocess-behavior failed`")
    deadline = time.monotonic() + settings.patience
    while True:
        try:
            _backfill(scene.airflow, settings, f"faults-{settings.seed}", "--reprocess-behavior", "failed")
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


def _outcome(scene: Scene, settings: RoundSettings, faults: Counter[str], mended: int) -> Outcome:
    truth = proof.truth(scene.simulator, settings.regions, settings.first, settings.days)
    outcome = Outcome(
        server=settings.distribution.name,
        seed=settings.seed,
        events=proof.events(scene, truth),
        faults=faults,
        attempts=proof.attempts(scene),
        repeated_pages=proof.repeated_pages(scene.simulator),
        borders=proof.borders(scene.simulator, settings.days * len(settings.regions)),
        mended=mended,
    )
    return replace(outcome, broken=tuple(_broken(scene, settings, outcome)))


def _broken(scene: Scene, settings: RoundSettings, outcome: Outcome) -> Iterator[str]:
    """Say which promises were not kept."""
    for run in scene.airflow.runs(DAG_ID):
        if run["state"] != "success":
            yield f"the run of {run['logical_date'][:10]} ended {run['state']}"
    events = outcome.events
    for name in ("lost", "duplicates", "strangers", "quarantined"):
        if count := getattr(events, name):
            yield f"{count} {name}"
    expected = {
        "cells": settings.days * len(settings.regions),
        "missing": 0,
        **dict.fromkeys(("looked_up", "staged", "indexed"), events.there_are),
        "quarantined": 0,
    }
    told = proof.coverage(scene)
    for name, count in expected.items():
        if told[name] != count:
            yield f"coverage tells {told[name]} {name}, not {count}"
    if outcome.repeated_pages > outcome.allowed_pages:
        yield f"{outcome.repeated_pages} pages were fetched twice, more than {outcome.allowed_pages}"
