"""A backfill of an organization's trail, by Airflow's own command and its real scheduler."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from devstack.airflow import Airflow, AirflowSettings
from devstack.airflow_api import AirflowError
from devstack.endpoints import ACCESS_KEY, REGION, SECRET_KEY, Endpoints
from devstack.fake_s3 import FakeS3
from devstack.organization.trail import KEY_BITS, TRAIL, OrganizationTrail
from devstack.processes import ROOT
from devstack.simulator import Simulator, SimulatorSettings

DAG_ID: Final = "cloudtrail_trail_to_elasticsearch"

_CONNECTION: Final = "cloudtrail_trail"
_ENDED: Final = frozenset({"success", "failed"})
_POLL_SECONDS: Final = 0.5
_SECONDS_BETWEEN_LINES: Final = 10

Say = Callable[[str], None]


class BackfillError(Exception):
    """A backfill did not end."""


@dataclass(frozen=True, slots=True)
class BackfillSettings:
    """How a trail is loaded.

    :param name: the prefix of the indices and of the staged objects
    :param bucket: the staging bucket
    :param runs_at_once: days that are loaded at the same time
    :param patience: seconds within which the backfill must end
    :param dags: the folder with the trail's DAG
    """

    name: str
    bucket: str
    runs_at_once: int = 2
    parallelism: int = 4
    patience: float = 3600.0
    dags: Path = ROOT / "dags"

    @property
    def pattern(self) -> str:
        """The index pattern."""
        return f"{self.name}-%Y.%m"

    @property
    def indices(self) -> str:
        """The pattern of all indices."""
        return f"{self.name}-*"


@contextmanager
def simulated_cloudtrail() -> Iterator[Simulator]:
    """Serve the settings and the public keys of the trail. LookupEvents has no events."""
    with Simulator(SimulatorSettings(volume=0, trails=(TRAIL,), key_bits=KEY_BITS)) as simulator:
        yield simulator


def run_backfill(
    trail: OrganizationTrail, settings: BackfillSettings, endpoints: Endpoints, home: Path, say: Say
) -> dict[str, str]:
    """Backfill the days of a trail, and return the state of each day's run.

    The trail is read from a stand-in for S3 in this process: moto takes seconds to list a bucket of this size.

    :param endpoints: the services with the staging bucket, and `simulated_cloudtrail` as CloudTrail
    :param home: a new folder for Airflow
    :raises BackfillError: the backfill does not end
    """
    with FakeS3({TRAIL.bucket: trail.bucket}) as s3:
        environment = {**endpoints.environment(), **_describe_trail(s3.endpoint_url, settings.bucket)}
        airflow = Airflow(
            AirflowSettings(home, environment, settings.dags, parallelism=settings.parallelism, port=0)
        )
        airflow.prepare()
        first, last = str(trail.settings.first), str(trail.settings.last)
        # More tasks than run at once would only cost their starts.
        conf = json.dumps({"index": settings.pattern, "prefix": settings.name, "tasks": settings.parallelism})
        at_once = str(settings.runs_at_once)
        airflow.backfill(DAG_ID, first, last, "--dag-run-conf", conf, "--max-active-runs", at_once)
        with airflow:
            airflow.request("PATCH", f"/dags/{DAG_ID}", {"is_paused": False})
            runs = _await_end(airflow, trail.settings.days, settings.patience, say)
    return {run["data_interval_start"][:10]: run["state"] for run in runs}


def _await_end(airflow: Airflow, days: int, patience: float, say: Say) -> list[dict[str, Any]]:
    began = said = time.monotonic()
    while True:
        runs = _list_runs(airflow)
        states = Counter(run["state"] for run in runs)
        if len(runs) >= days and states.keys() <= _ENDED:
            return runs
        now = time.monotonic()
        shown = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        if now - began > patience:
            raise BackfillError(f"the backfill did not end within {patience:.0f} s: {shown or 'no run'}")
        if now - said > _SECONDS_BETWEEN_LINES:
            said = now
            say(f"  {now - began:5.0f} s  {shown}")
        time.sleep(_POLL_SECONDS)


def _list_runs(airflow: Airflow) -> list[dict[str, Any]]:
    """Return the runs; an empty list while the API server does not answer."""
    try:
        return airflow.runs(DAG_ID)
    except AirflowError as error:
        if error.status is not None:
            raise
        return []


def _describe_trail(s3: str, staging: str) -> dict[str, str]:
    """Return the environment variables that make Airflow read the trail from its own S3."""
    extra = {"region_name": REGION, "service_config": {"s3": {"endpoint_url": s3}}}
    connection = {"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY, "extra": extra}
    return {
        "AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": staging,
        "AIRFLOW_VAR_CLOUDTRAIL_TRAIL": TRAIL.arn,
        "AIRFLOW_VAR_CLOUDTRAIL_TRAIL_CONN_ID": _CONNECTION,
        f"AIRFLOW_CONN_{_CONNECTION.upper()}": json.dumps(connection),
    }
