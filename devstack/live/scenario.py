"""The times of the live runs, and the faults that strike them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final

from devstack.days import last_settled_day
from devstack.simulator import REGIONS

INTERVAL: Final = timedelta(minutes=5)
PROMPT: Final = 2 * INTERVAL
"""The time within which a search must find an event after it became available, or after an outage's end."""

_APART: Final = 3
"""Runs between two kills, at least: an event may wait for two runs, and a killed run is one."""
_THROTTLED: Final = 3
"""Of ten runs that no other fault strikes, those whose first requests are throttled."""
_OFF_THE_MINUTE: Final = timedelta(seconds=37)
"""A trail's log files are named by the minute: those of the same minute are delivered before and after a run."""


@dataclass(frozen=True, slots=True)
class ScenarioSettings:
    """The size of a scenario.

    :param runs: live runs, one every `INTERVAL`, and two more at the end without a fault
    :param kills: task processes to kill, each in another run
    :param outage: runs during each outage
    :param outages: the services that fail, one after the other: ``search`` and ``aws``
    :param events: management events on a weekday in the busiest region
    :param day: the simulated day
    :param hour: the UTC hour of the day at which the live runs begin; a run before them loads the day so far
    """

    runs: int = 48
    kills: int = 2
    outage: int = 6
    outages: tuple[str, ...] = ("search", "aws")
    regions: tuple[str, ...] = REGIONS
    events: int = 20_000
    # Not the last day: a trail's digests of it are not due yet, by the clock.
    day: date = field(default_factory=lambda: last_settled_day() - timedelta(days=1))
    hour: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        if self.runs < (self.outage + 1) * len(self.outages) + _APART * self.kills + 2:
            raise ValueError("there are too few runs for so many kills and outages")

    @property
    def begins(self) -> datetime:
        """The time of the first run."""
        return datetime.combine(self.day, time(self.hour), UTC) + _OFF_THE_MINUTE


@dataclass(frozen=True, slots=True)
class Step:
    """A live run: the time at which it is, and the faults that strike it."""

    number: int
    now: datetime
    is_killed: bool
    throttled: int
    """Requests that AWS throttles."""
    down: str | None
    """The service that is down: ``search`` or ``aws``."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which a service was down: from its start to the first run after it."""

    service: str
    start: datetime
    end: datetime


def plan_steps(settings: ScenarioSettings) -> list[Step]:
    """Return the live runs in their order, the same ones for the same settings."""
    random = Random(settings.seed)
    down = _place_outages(settings)
    calm = [number for number in range(1, settings.runs) if number not in down]
    killed: set[int] = set()
    while len(killed) < settings.kills:
        number = random.choice(calm)
        if all(abs(number - other) > _APART for other in killed):
            killed.add(number)
    others = [number for number in calm if number not in killed]
    chosen = random.sample(others, -(-len(others) * _THROTTLED // 10))
    throttled = {number: random.randint(1, 8) for number in chosen}
    return [
        Step(
            number=number,
            now=settings.begins + number * INTERVAL,
            is_killed=number in killed,
            throttled=throttled.get(number, 0),
            down=down.get(number),
        )
        for number in range(settings.runs + 2)
    ]


def find_outages(steps: list[Step]) -> Iterator[Outage]:
    """Yield the outages of these runs."""
    for before, step in zip([None, *steps], steps, strict=False):
        if step.down and (before is None or before.down != step.down):
            after = next(each for each in steps[step.number :] if each.down != step.down)
            yield Outage(step.down, step.now, after.now)


def _place_outages(settings: ScenarioSettings) -> dict[int, str]:
    """Return the service that is down by the number of the run; the outages are spread over the runs."""
    down: dict[int, str] = {}
    part = settings.runs // (len(settings.outages) or 1)
    for place, service in enumerate(settings.outages):
        first = place * part + (part - settings.outage) // 2
        down |= dict.fromkeys(range(first, first + settings.outage), service)
    return down
