"""The live runs of some simulated hours, and the daily run after them, in a real Airflow."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

import psutil

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.search.server import SearchServer
from devstack.airflow import Airflow, AirflowSettings
from devstack.dag_runs import DagRunError, await_run, trigger_run
from devstack.endpoints import Endpoints
from devstack.faults.proof import read_event_ids
from devstack.faults.scene import find_processes
from devstack.gate import Gate
from devstack.live.events import Event
from devstack.live.scenario import INTERVAL, ScenarioSettings, Step, plan_steps
from devstack.live.sources import STAGING, Source

FOLLOW: Final = "follow"
"""The mapped task of a live run."""

_WARM_UPS: Final = 3

_SECONDS_AT_WORK: Final = 1.0
"""The most seconds that a task works before it is killed."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How the source is loaded.

    :param name: the prefix of the indices and of the staged objects
    :param patience: seconds within which a run must end
    """

    name: str
    parallelism: int = 4
    patience: float = 900.0

    @property
    def pattern(self) -> str:
        """The index pattern."""
        return f"{self.name}-%Y.%m"

    @property
    def indices(self) -> str:
        """The pattern of all indices."""
        return f"{self.name}-*"


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A live run that has ended."""

    step: Step
    state: str
    was_killed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Observed:
    """All runs, and the state after them."""

    steps: tuple[Step, ...]
    runs: tuple[LiveRun, ...]
    truth: Mapping[str, Event]
    """Every event of the day, by eventID."""
    found: Mapping[str, datetime]
    """The simulated time of the first live run after which a search found an event, by eventID."""
    daily: str
    """The state of the daily run."""
    cells: tuple[Mapping[str, Any], ...]
    """The ledger's documents after the daily run."""
    events: Counter[str]
    """The number of documents by eventID, after the daily run."""
    live_calls: int
    """The requests to the source during the live runs."""
    throttled: int
    """The throttled ones of them."""
    daily_calls: int


def run_hours(
    scenario: ScenarioSettings,
    settings: LiveSettings,
    source: Source,
    server: SearchServer,
    search: Gate,
    home: Path,
    say: Say,
) -> Observed:
    """Make the live runs of a scenario and the daily run of its day.

    :param server: the search server, reached directly
    :param search: the gate before it, which Airflow uses
    :param home: a new folder for Airflow
    :raises DagRunError: a run does not end, or none succeeds at the start
    """
    endpoints = Endpoints(source.s3_url, source.cloudtrail_url, search.url, server.engine)
    environment = {
        **endpoints.environment(),
        **source.variables(),
        "AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": STAGING,
    }
    airflow = Airflow(AirflowSettings(home, environment, source.dags, parallelism=settings.parallelism, port=0))
    airflow.prepare()
    airflow.command("dags", "reserialize")
    steps = plan_steps(scenario)
    gates = {"search": search, "aws": source.gate}
    with airflow:
        hours = _Hours(settings, source, airflow, server, gates, Random(scenario.seed), say)
        hours.warm_up(scenario.begins - INTERVAL)
        for step in steps:
            hours.make_run(step)
        live_calls, throttled = source.count_calls(), source.count_throttled()
        source.settle()
        path = hours.trigger(source.daily_dag, "daily", {"start": str(scenario.day)})
        daily = await_run(airflow, path, settings.patience)["state"]
        say(f"The daily run: {daily}.")
    return Observed(
        steps=tuple(steps),
        runs=tuple(hours.runs),
        truth=source.list_events(),
        found=hours.found,
        daily=daily,
        cells=tuple(Ledger(server, settings.pattern).read_cells()),
        events=Counter(read_event_ids(server, settings.indices)),
        live_calls=live_calls,
        throttled=throttled,
        daily_calls=source.count_calls() - live_calls,
    )


@dataclass(slots=True)
class _Hours:
    """Makes live runs, and records which events a search finds after each."""

    settings: LiveSettings
    source: Source
    airflow: Airflow
    server: SearchServer
    gates: Mapping[str, Gate]
    random: Random
    say: Say
    runs: list[LiveRun] = field(default_factory=list)
    found: dict[str, datetime] = field(default_factory=dict)
    kills: int = 0
    """The kills that have not struck yet."""

    def warm_up(self, now: datetime) -> None:
        """Make a run that creates the indices and loads the day so far, and that starts Airflow's first tasks.

        On a busy machine, Airflow's API can be too slow for its first task; then another run is made.

        :raises DagRunError: no run ends in success
        """
        self.source.move(now)
        for number in range(_WARM_UPS):
            path = self.trigger(self.source.live_dag, f"warm-up-{number}", {"until": _format_time(now)})
            if await_run(self.airflow, path, self.settings.patience)["state"] == "success":
                return
        raise DagRunError(f"none of {_WARM_UPS} live runs without a fault succeeded")

    def make_run(self, step: Step) -> None:
        """Make the run of a step with its faults, and search for the events that are new."""
        self.source.move(step.now)
        self.source.throttle(step.throttled)
        for service, gate in self.gates.items():
            (gate.shut if service == step.down else gate.open)()
        self.kills += step.is_killed
        began = time.monotonic()
        run_id = f"live-{step.number:03}"
        path = self.trigger(self.source.live_dag, run_id, {"until": _format_time(step.now)})
        killer = _Killer(self.airflow, self.source.live_dag, run_id, self.random, kills=self.kills)
        state = await_run(self.airflow, path, self.settings.patience, killer.strike)["state"]
        self.kills -= killer.struck
        self.runs.append(LiveRun(step, state, killer.struck > 0, time.monotonic() - began))
        before = len(self.found)
        for event_id in read_event_ids(self.server, self.settings.indices):
            self.found.setdefault(event_id, step.now)
        self.say(self._describe(self.runs[-1], len(self.found) - before))

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> str:
        """Trigger a run of one of the DAGs; return its path in Airflow's API."""
        return trigger_run(
            self.airflow,
            dag_id,
            run_id,
            {"index": self.settings.pattern, **self.source.conf(), **conf},
        )

    def _describe(self, run: LiveRun, events: int) -> str:
        step = run.step
        faults = [
            "killed" if run.was_killed else "",
            f"{step.throttled} throttled" if step.throttled else "",
            f"{step.down} is down" if step.down else "",
        ]
        figures = f"{run.state:<8}{events:>6} events  {run.seconds:5.1f} s"
        return f"  {step.now:%H:%M:%S}  {figures}  {', '.join(filter(None, faults))}".rstrip()


@dataclass(slots=True)
class _Killer:
    """Kills a task process of one run at a random moment, like ``kill -9``."""

    airflow: Airflow
    dag_id: str
    run_id: str
    random: Random
    kills: int
    struck: int = 0

    def strike(self) -> None:
        """Kill a process of the mapped task if one runs and a kill is due."""
        if self.struck >= min(self.kills, 1):
            return
        tasks = self.airflow.tasks(self.dag_id, task_id=FOLLOW, state="running")
        processes = find_processes(self.airflow, [task for task in tasks if task["dag_run_id"] == self.run_id])
        if not processes:
            return
        victim = self.random.choice(processes)
        time.sleep(self.random.uniform(0, _SECONDS_AT_WORK))
        with contextlib.suppress(psutil.NoSuchProcess):
            if victim.is_running():
                victim.kill()
                self.struck += 1


def _format_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
