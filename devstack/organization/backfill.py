"""A backfill of an organization's trail, by Airflow's own command and its real scheduler."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from devstack.airflow import Airflow, AirflowSettings
from devstack.backfills import await_runs
from devstack.endpoints import Endpoints
from devstack.fake_s3 import FakeS3
from devstack.organization.trail import KEY_BITS, TRAIL, OrganizationTrail
from devstack.processes import ROOT
from devstack.simulator import Simulator, SimulatorSettings
from devstack.simulator.trails import MemoryBucket

DAG_ID: Final = "cloudtrail_trail_to_elasticsearch"

Say = Callable[[str], None]


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

    Both buckets are in a stand-in for S3 in this process: moto takes seconds to list a bucket of this size.

    :param endpoints: the search server, and `simulated_cloudtrail` as CloudTrail
    :param home: a new folder for Airflow
    :raises BackfillError: the backfill does not end
    """
    with FakeS3({TRAIL.bucket: trail.bucket, settings.bucket: MemoryBucket()}) as s3:
        environment = {
            **replace(endpoints, aws=s3.endpoint_url).environment(),
            "AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": settings.bucket,
            "AIRFLOW_VAR_CLOUDTRAIL_TRAIL": TRAIL.arn,
        }
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
            return await_runs(airflow, DAG_ID, trail.settings.days, settings.patience, say)
