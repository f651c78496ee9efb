"""The sources of the live runs, simulated: LookupEvents or a trail, whose events become available in time."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

from cloudtrail_elasticsearch.core.coverage.windows import midnight
from devstack.fake_s3 import FakeS3
from devstack.gate import Gate
from devstack.live.events import Event
from devstack.live.scenario import ScenarioSettings
from devstack.simulator import (
    DEFAULT_ACCOUNT,
    Fault,
    FaultKind,
    Lateness,
    Latenesses,
    Simulator,
    SimulatorSettings,
    Span,
)
from devstack.simulator.trails import Delivery, MemoryBucket, Switches, Trail, Volumes, plan_organization
from devstack.simulator.trails.keys import SigningKeys
from devstack.simulator.trails.plan import HOUR
from devstack.storage_faults import StorageFaultKind

STAGING: Final = "live-staging"
OVERLAP: Final = 900
"""Seconds before its watermark that a live run looks up again."""

DELAYS: Final = Latenesses(
    (Lateness(0.85, 120, 300), Lateness(0.14, 301, 840), Lateness(0.01, 2 * HOUR, 5 * HOUR))
)
"""The delays of LookupEvents: most events within five minutes, some within the overlap, a few much later."""

_DAY: Final = timedelta(days=1)
_SETTLED: Final = timedelta(hours=36)
"""The time from the day's start until the latest event has arrived."""
_KEY_BITS: Final = 1024
"""The size of the trail's signing keys. A signature costs a fifth of the time of one of AWS's 2,048 bits."""
_TRAIL: Final = Trail(bucket="live-trail", prefix="audit")
_HERE: Final = Path(__file__).parent


class Source(Protocol):
    """A source of live runs, while it is served."""

    live_dag: ClassVar[str]
    daily_dag: ClassVar[str]
    dags: ClassVar[Path]
    """The folder of both DAGs."""

    @property
    def gate(self) -> Gate:
        """The way to AWS."""

    @property
    def cloudtrail_url(self) -> str:
        """The address of CloudTrail."""

    @property
    def s3_url(self) -> str:
        """The address of S3, with the bucket `STAGING`."""

    def variables(self) -> Mapping[str, str]:
        """Return the environment variables that Airflow needs."""

    def conf(self) -> dict[str, Any]:
        """Return the params of every run, without the index."""

    def move(self, now: datetime) -> None:
        """Set the simulated time; events that arrived earlier are available."""

    def settle(self) -> None:
        """Make the whole day available."""

    def throttle(self, requests: int) -> None:
        """Throttle some of the next requests."""

    def list_events(self) -> Mapping[str, Event]:
        """Return every event of the day, by eventID."""

    def count_calls(self) -> int:
        """Return the requests for events so far."""

    def count_throttled(self) -> int:
        """Return the throttled ones of them."""


@dataclass(frozen=True, slots=True)
class LookupSource:
    """LookupEvents of one account, with AWS's own quota."""

    settings: ScenarioSettings
    simulator: Simulator
    s3: FakeS3
    gate: Gate
    live_dag: ClassVar[str] = "cloudtrail_live"
    daily_dag: ClassVar[str] = "cloudtrail_to_elasticsearch"
    dags: ClassVar[Path] = _HERE / "lookup_dags"

    @property
    def cloudtrail_url(self) -> str:
        """The address of CloudTrail."""
        return self.gate.url

    @property
    def s3_url(self) -> str:
        """The address of S3."""
        return self.s3.endpoint_url

    def variables(self) -> Mapping[str, str]:
        """Return no variables: the account is the connection's own."""
        return {}

    def conf(self) -> dict[str, Any]:
        """Return the params of every run."""
        return {"regions": list(self.settings.regions), "own_events": "keep"}

    def move(self, now: datetime) -> None:
        """Set the simulated time."""
        self.simulator.service.clock.stand_at(now.timestamp())

    def settle(self) -> None:
        """Make the whole day available."""
        self.move(midnight(self.settings.day) + _SETTLED)

    def throttle(self, requests: int) -> None:
        """Throttle some of the next requests."""
        self.simulator.service.faults.clear()
        if requests:
            self.simulator.service.faults.add(Fault(FaultKind.THROTTLE, count=requests))

    def list_events(self) -> Mapping[str, Event]:
        """Return every event of the day, by eventID."""
        start = int(midnight(self.settings.day).timestamp())
        begins = self.settings.begins.timestamp()
        events = {}
        for region in self.settings.regions:
            span = Span(DEFAULT_ACCOUNT, region, start, start + int(_DAY.total_seconds()) - 1)
            for entry, arrival in self.simulator.service.arrivals(span):
                is_live = entry.time >= begins and arrival - entry.time <= OVERLAP
                events[entry.id] = Event(datetime.fromtimestamp(arrival, UTC), is_live)
        return events

    def count_calls(self) -> int:
        """Return the LookupEvents calls so far."""
        return sum(region.calls for region in self.simulator.service.statistics.regions.values())

    def count_throttled(self) -> int:
        """Return the throttled ones of them."""
        return sum(region.throttled for region in self.simulator.service.statistics.regions.values())


@dataclass(frozen=True, slots=True)
class TrailSource:
    """A trail of an organization with a busy and a quiet account."""

    settings: ScenarioSettings
    delivery: Delivery
    simulator: Simulator
    s3: FakeS3
    gate: Gate
    live_dag: ClassVar[str] = "cloudtrail_trail_live"
    daily_dag: ClassVar[str] = "cloudtrail_trail_to_elasticsearch"
    dags: ClassVar[Path] = _HERE / "trail_dags"

    @property
    def cloudtrail_url(self) -> str:
        """The address of CloudTrail."""
        return self.simulator.endpoint_url

    @property
    def s3_url(self) -> str:
        """The address of S3."""
        return self.gate.url

    def variables(self) -> Mapping[str, str]:
        """Return the variable that names the trail."""
        return {"AIRFLOW_VAR_CLOUDTRAIL_TRAIL": _TRAIL.arn}

    def conf(self) -> dict[str, Any]:
        """Return the params of every run: the accounts and regions are those in the bucket."""
        return {"own_events": "keep"}

    def move(self, now: datetime) -> None:
        """Deliver the log files up to this time."""
        self.delivery.deliver(self.s3.buckets[_TRAIL.bucket], now.timestamp())

    def settle(self) -> None:
        """Deliver the rest."""
        self.move(midnight(self.settings.day) + _SETTLED)

    def throttle(self, requests: int) -> None:
        """Throttle some of the next requests."""
        if requests:
            self.s3.faults.add(StorageFaultKind.SLOW_DOWN, _TRAIL.bucket, count=requests)

    def list_events(self) -> Mapping[str, Event]:
        """Return every event of the day's log files, by eventID."""
        begins = self.settings.begins.timestamp()
        return {
            event_id: Event(
                datetime.fromtimestamp(arrival.time, UTC),
                arrival.file.delivered > begins and not arrival.file.is_late,
            )
            for event_id, arrival in self.delivery.arrivals().items()
            if arrival.file.day == self.settings.day
        }

    def count_calls(self) -> int:
        """Return the requests to S3 so far, to read the trail and to stage."""
        requests = self.s3.requests.as_json()
        return sum(requests.values()) - requests["most_at_once"]

    def count_throttled(self) -> int:
        """Return the throttled ones of them."""
        return sum(int(fault["answered"]) for fault in json.loads(self.s3.faults.listed()))


Serve = Callable[[ScenarioSettings], AbstractContextManager[Source]]


@contextlib.contextmanager
def serve_lookup(settings: ScenarioSettings) -> Iterator[Source]:
    """Serve CloudTrail behind a gate, and a stand-in for S3."""
    simulated = SimulatorSettings(
        seed=settings.seed, volume=settings.events, regions=settings.regions, lateness=DELAYS, insights=0
    )
    with (
        Simulator(simulated) as simulator,
        FakeS3({STAGING: MemoryBucket()}) as s3,
        Gate(simulator.endpoint_url) as gate,
    ):
        yield LookupSource(settings, simulator, s3, gate)


@contextlib.contextmanager
def serve_trail(settings: ScenarioSettings) -> Iterator[Source]:
    """Serve a stand-in for S3 with the trail behind a gate, and CloudTrail with the settings of the trail."""
    events = settings.events
    plan = plan_organization(
        _TRAIL,
        settings.day,
        accounts=2,
        busy=1,
        regions=settings.regions,
        volumes=Volumes(management=events, data=events // 2, network=events // 20),
        seed=settings.seed,
    )
    plan = replace(
        plan,
        # The digests of the time after the day cover its end.
        end=plan.end + 3 * HOUR,
        switches=Switches(slow=0.05, duplicates=0.01, late=0.01, late_by=(2 * HOUR, 5 * HOUR)),
        keys=SigningKeys(settings.seed, _KEY_BITS),
    )
    simulated = SimulatorSettings(seed=settings.seed, volume=0, trails=(_TRAIL,), key_bits=_KEY_BITS)
    with (
        Simulator(simulated) as simulator,
        FakeS3({_TRAIL.bucket: MemoryBucket(), STAGING: MemoryBucket()}) as s3,
        Gate(s3.endpoint_url) as gate,
    ):
        yield TrailSource(settings, Delivery.make(plan, processes=2), simulator, s3, gate)


SOURCES: Final[Mapping[str, Serve]] = {"lookup": serve_lookup, "trail": serve_trail}
