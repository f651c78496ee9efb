"""Deliver a trail as time passes: each object is in the bucket from its arrival on.

>>> delivery = Delivery.make(plan_organization(Trail(bucket="trail"), date(2026, 11, 20)))
>>> delivery.deliver(bucket, until=noon)
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Self

from devstack.simulator.trails.plan import Plan
from devstack.simulator.trails.stores import Puts
from devstack.simulator.trails.truth import Written, WrittenFile
from devstack.simulator.trails.writer import Delivered, list_objects, put_objects

_ARRIVES = attrgetter("arrives")


@dataclass(frozen=True, slots=True)
class Arrival:
    """The first time at which an event is in the bucket, in epoch seconds, and the log file that has it."""

    time: float
    file: WrittenFile


@dataclass(slots=True)
class Delivery:
    """The objects of a trail in the order of their arrival, and how many of them were delivered."""

    objects: list[Delivered]
    delivered: int = 0

    @classmethod
    def make(cls, plan: Plan, *, processes: int = 1) -> Self:
        """Return the whole delivery of a plan, of which nothing is in the bucket yet."""
        return cls(sorted(list_objects(plan, processes=processes), key=_ARRIVES))

    def deliver(self, bucket: Puts, until: float) -> Written:
        """Write and return the objects that arrived since the last delivery, up to a time in epoch seconds."""
        before, self.delivered = self.delivered, bisect.bisect_right(self.objects, until, key=_ARRIVES)
        return put_objects(self.objects[before : self.delivered], bucket)

    def arrivals(self) -> Mapping[str, Arrival]:
        """Return the first arrival of each event, by eventID."""
        found: dict[str, Arrival] = {}
        for item in self.objects:
            if isinstance(item.truth, WrittenFile):
                for event_id in item.truth.event_ids:
                    found.setdefault(event_id, Arrival(item.arrives, item.truth))
        return found
