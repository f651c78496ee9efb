"""Make the management events of any account, region and day from a seed.

>>> generator = Generator(seed=1)
>>> span = generator.day("123456789012", "us-east-1", date(2026, 11, 20))
>>> newest = next(generator.newest_first(span)).read().fields
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from devstack.simulator import envelope, mix, models
from devstack.simulator.calls import service_calls
from devstack.simulator.generated import GeneratedEvents, draw_of, event_id
from devstack.simulator.regions import GLOBAL_REGION
from devstack.simulator.timeline import Timeline
from devstack.simulator.values import Scene

operations = models.operations


@dataclass(frozen=True, slots=True)
class Generator(GeneratedEvents):
    """An event store of generated management events."""

    def _make(self, account: str, region: str, timeline: Timeline, index: int) -> dict[str, Any]:
        name = event_id(timeline.key, index)
        draw = draw_of(name)
        scene = Scene(draw, account, region, timeline.time(index))
        choice = mix.choose(draw, self.seed, account, region, timeline.day)
        return _record(scene, choice, name)


def event_for(
    service: str,
    operation: str,
    seed: int,
    *,
    account: str = "123456789012",
    region: str = GLOBAL_REGION,
    time: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC),
) -> dict[str, Any]:
    """Return an event of a named operation, by the names botocore has for both.

    :raises KeyError: botocore knows no such service
    :raises botocore.model.OperationNotFoundError: the service has no such operation
    """
    name = event_id(f"{service}/{operation}/{seed}", 0)
    scene = Scene(draw_of(name), account, region, int(time.timestamp()))
    return _record(scene, (service, operation), name)


def _record(scene: Scene, choice: tuple[str, str], name: str) -> dict[str, Any]:
    if choice == mix.CONSOLE_LOGIN:
        return envelope.sign_in(scene, name)
    if choice == mix.SERVICE_EVENT:
        return envelope.service_event(scene, name)
    service, operation = choice
    return envelope.record(scene, service_calls(service).call(operation), name)
