"""Both backfills of the accounts, by Airflow's own command and its real scheduler."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.search.server import SearchServer
from devstack.accounts.scenario import ROLE, Scenario
from devstack.airflow import Airflow, AirflowSettings, BusyError
from devstack.backfills import BackfillError, await_runs, close_backfills, list_tasks
from devstack.endpoints import Endpoints
from devstack.fake_s3 import FakeS3
from devstack.faults.proof import read_event_ids
from devstack.processes import ROOT
from devstack.processor import measure_processor
from devstack.simulator import Simulator
from devstack.simulator.trails import MemoryBucket

DAG_ID: Final = "cloudtrail_to_elasticsearch"

_CALLS_BEFORE_EXPIRY: Final = 3
"""LookupEvents calls of the expiring account after which its sessions expire: its busy region has more pages."""

_SECONDS_BETWEEN_TRIES: Final = 2.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BackfillSettings:
    """How the accounts are loaded.

    :param name: the prefix of the indices and of the staged objects, and the name of the staging bucket
    :param tasks: the most batches of a day; None: the default of the DAG's param
    :param runs_at_once: days that are loaded at the same time
    :param patience: seconds within which each backfill must end
    :param dags: the folder with the DAG
    """

    name: str
    tasks: int | None = None
    runs_at_once: int = 3
    parallelism: int = 10
    patience: float = 3600.0
    dags: Path = ROOT / "dags"

    @property
    def pattern(self) -> str:
        """The index pattern."""
        return f"{self.name}-%Y.%m"

    @property
    def conf(self) -> str:
        """The params of the runs, which name no account and no region."""
        conf: dict[str, Any] = {"index": self.pattern, "prefix": self.name}
        return json.dumps(conf if self.tasks is None else conf | {"tasks": self.tasks})


@dataclass(frozen=True, slots=True)
class Observed:
    """The state after a backfill; requests are counted from the start of the first backfill."""

    runs: Mapping[str, str]
    """The state of each day's run."""
    tasks: tuple[Mapping[str, Any], ...]
    """The task instances, as Airflow's API returns them."""
    cells: tuple[Mapping[str, Any], ...]
    """The ledger's documents."""
    events: Counter[str]
    """The number of documents by eventID."""
    calls: Mapping[str, int]
    """The LookupEvents calls by account."""
    expired: Mapping[str, int]
    """The requests with an expired session, by account."""
    assumed: int
    """The AssumeRole requests."""
    sessions: Mapping[str, int]
    """The sessions that AssumeRole opened, by their names."""
    access_keys: frozenset[str]
    """The access keys that signed requests to the staging bucket."""
    seconds: float
    """The duration of the backfill, from the end of its command."""
    processor_seconds: float
    """The processor time of Airflow's services and tasks in this time."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Both backfills, and the eventIDs by account, as the simulator lists them."""

    first: Observed
    second: Observed
    truth: Mapping[str, list[str]]


def run_backfills(
    scenario: Scenario,
    settings: BackfillSettings,
    endpoints: Endpoints,
    server: SearchServer,
    home: Path,
    say: Say,
) -> Loaded:
    """Run a backfill, create the missing roles, and run the same backfill for the failed runs.

    :param endpoints: those of the search server; S3 and CloudTrail are simulated in this process
    :param home: a new folder for Airflow
    :raises BackfillError: a backfill does not end
    """
    with scenario.simulate() as simulator, FakeS3({settings.name: MemoryBucket()}) as s3:
        own = replace(endpoints, aws=s3.endpoint_url, cloudtrail=simulator.endpoint_url)
        airflow = _make_airflow(settings, own, home)
        pair = _Pair(scenario, settings, airflow, simulator, s3, server, say)
        airflow.prepare()
        pair.create()
        with airflow:
            airflow.request("PATCH", f"/dags/{DAG_ID}", {"is_paused": False})
            say("The first backfill: some accounts lack the role.")
            first = pair.observe(_Expiry(scenario.expiring, simulator, say).strike)
            for account in scenario.refused:
                simulator.service.organization.put_role(account, ROLE)
            close_backfills(airflow, DAG_ID, say)
            pair.create("--reprocess-behavior", "failed")
            say("The second backfill, for the failed runs: every account has the role.")
            second = pair.observe()
        return Loaded(first, second, scenario.list_truth(simulator))


def _make_airflow(settings: BackfillSettings, endpoints: Endpoints, home: Path) -> Airflow:
    environment = {
        **endpoints.environment(),
        "AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": settings.name,
        "AIRFLOW_VAR_CLOUDTRAIL_ACCOUNTS": "organization",
        "AIRFLOW_VAR_CLOUDTRAIL_ROLE": ROLE.name,
        "AIRFLOW_VAR_CLOUDTRAIL_EXTERNAL_ID": ROLE.external_id or "",
    }
    return Airflow(AirflowSettings(home, environment, settings.dags, parallelism=settings.parallelism, port=0))


class _Expiry:
    """Makes the sessions of an account expire while it is looked up, until one of its requests fails for that."""

    def __init__(self, account: str, simulator: Simulator, say: Say) -> None:
        self._account = account
        self._service = simulator.service
        self._say = say
        self._after = _CALLS_BEFORE_EXPIRY

    def strike(self) -> None:
        """Make the present sessions expire if there were enough calls since the last time."""
        statistics = self._service.statistics.accounts[self._account]
        if not statistics.expired and statistics.calls >= self._after:
            self._after = statistics.calls + _CALLS_BEFORE_EXPIRY
            self._service.sessions.expire(self._account)
            self._say(f"  The sessions of account {self._account} expire after {statistics.calls} calls.")


@dataclass(frozen=True, slots=True)
class _Pair:
    """Creates the backfills, and measures each of them."""

    scenario: Scenario
    settings: BackfillSettings
    airflow: Airflow
    simulator: Simulator
    s3: FakeS3
    server: SearchServer
    say: Say

    def create(self, *arguments: str) -> None:
        """Create a backfill, as soon as Airflow accepts it.

        :raises BackfillError: it does not
        """
        first, last = str(self.scenario.settings.first), str(self.scenario.settings.last)
        at_once = str(self.settings.runs_at_once)
        options = ("--dag-run-conf", self.settings.conf, "--max-active-runs", at_once, *arguments)
        deadline = time.monotonic() + self.settings.patience
        while True:
            try:
                return self.airflow.backfill(DAG_ID, first, last, *options)
            except BusyError as error:
                if time.monotonic() > deadline:
                    raise BackfillError(f"the backfill was not created: {error}") from error
                time.sleep(_SECONDS_BETWEEN_TRIES)

    def observe(self, watch: Callable[[], None] = lambda: None) -> Observed:
        """Wait until every run has ended, and return the state.

        :param watch: called twice a second
        """
        began, used = time.monotonic(), measure_processor(self.airflow)
        days = self.scenario.settings.days
        runs = await_runs(self.airflow, DAG_ID, days, self.settings.patience, self.say, watch)
        seconds, used = time.monotonic() - began, measure_processor(self.airflow) - used
        statistics = self.simulator.service.statistics
        accounts = dict(statistics.accounts)
        return Observed(
            runs=runs,
            tasks=tuple(list_tasks(self.airflow, DAG_ID, self.say)),
            cells=tuple(Ledger(self.server, self.settings.pattern).read_cells()),
            events=Counter(read_event_ids(self.server, f"{self.settings.name}-*")),
            calls={account: counts.calls for account, counts in accounts.items()},
            expired={account: counts.expired for account, counts in accounts.items() if counts.expired},
            assumed=statistics.operations["AssumeRole"],
            sessions=dict(statistics.session_names),
            access_keys=frozenset(self.s3.requests.access_keys),
            seconds=seconds,
            processor_seconds=used,
        )
