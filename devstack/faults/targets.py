"""The sources of the suite's backfills, simulated: LookupEvents or a trail, each with the list of its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from devstack.bulk_objects import BulkBucket
from devstack.endpoints import Endpoints
from devstack.faults.proof import list_truth
from devstack.simulator import Simulator
from devstack.simulator.trails import Trail, Volumes, plan_organization, write_trail

STAGING: Final = "staging"

_HERE: Final = Path(__file__).parent
_AFTER: Final = 3 * 3600
"""Seconds after the last day for which digests are written, too."""


QUICK_RETRIES: Final = _HERE / "lookup_dags"
"""The DAGs folder in which the DAG of LookupEvents retries its tasks after seconds."""

QUICK_TRAIL_RETRIES: Final = _HERE / "trail_dags"
"""The DAGs folder in which the DAG of trails retries its tasks after seconds."""


class Target(Protocol):
    """The source of a backfill."""

    @property
    def dag_id(self) -> str:
        """Its DAG."""

    @property
    def dags(self) -> Path:
        """The folder of its DAG file."""

    @property
    def source_bucket(self) -> str:
        """The bucket that S3's faults concern."""

    def conf(self) -> dict[str, Any]:
        """Return the params of the runs, without the index."""

    def prepare(self, simulator: Simulator, endpoints: Endpoints) -> Mapping[str, str]:
        """Make the events, and return the environment variables that Airflow needs."""

    def list_truth(self, simulator: Simulator) -> list[str]:
        """Return the ids of all documents that must exist, after `prepare`."""

    def count_windows(self) -> int:
        """Return the number of cells."""


@dataclass(frozen=True, slots=True)
class LookupTarget:
    """Days of regions with LookupEvents."""

    regions: tuple[str, ...]
    first: date
    days: int
    dag_id: str = "cloudtrail_to_elasticsearch"
    dags: Path = QUICK_RETRIES
    source_bucket: str = STAGING

    def conf(self) -> dict[str, Any]:
        """Return the params of the runs."""
        return {"regions": self.regions}

    def prepare(self, simulator: Simulator, endpoints: Endpoints) -> Mapping[str, str]:
        """Make nothing: the simulator generates its events."""
        del simulator, endpoints
        return {}

    def list_truth(self, simulator: Simulator) -> list[str]:
        """Return the eventIDs, as the simulator lists them."""
        return list_truth(simulator, self.regions, self.first, self.days)

    def count_windows(self) -> int:
        """Return the number of cells."""
        return self.days * len(self.regions)


class TrailTarget:
    """Days of a trail of an organization."""

    dag_id = "cloudtrail_trail_to_elasticsearch"
    dags = QUICK_TRAIL_RETRIES

    def __init__(self, regions: Sequence[str], first: date, days: int, seed: int, accounts: int = 3) -> None:
        self._trail = Trail(bucket="trail", prefix="audit")
        volumes = Volumes(management=400, data=200, network=20)
        self._plan = plan_organization(
            self._trail, first, days=days, accounts=accounts, busy=2, regions=regions, volumes=volumes, seed=seed
        )
        self._last = first + timedelta(days=days - 1)
        self._days = days
        self._truth: list[str] = []

    @property
    def source_bucket(self) -> str:
        """The bucket of the trail."""
        return self._trail.bucket

    def conf(self) -> dict[str, Any]:
        """Return the params of the runs: small batches, so that faults hit several tasks."""
        return {"tasks": 4}

    def prepare(self, simulator: Simulator, endpoints: Endpoints) -> Mapping[str, str]:
        """Deliver the trail."""
        simulator.service.trails[self._trail.arn] = self._trail
        endpoints.client("s3").create_bucket(Bucket=self._trail.bucket)
        plan = replace(self._plan, end=self._plan.end + _AFTER)
        with BulkBucket(endpoints.aws, self._trail.bucket) as bucket:
            written = write_trail(plan, bucket)
        of_days = [file for file in written.log_files if file.day <= self._last]
        self._truth = sorted({event_id for file in of_days for event_id in file.event_ids})
        return {"AIRFLOW_VAR_CLOUDTRAIL_TRAIL": self._trail.arn}

    def list_truth(self, simulator: Simulator) -> list[str]:
        """Return the ids of the events in the log files of the days."""
        del simulator
        return self._truth

    def count_windows(self) -> int:
        """Return the number of cells."""
        return self._days * sum(1 for _ in self._plan.cells())
