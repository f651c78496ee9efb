"""What a fault is, and in which order faults come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from devstack.faults.scene import Scene


def _nothing(scene: Scene) -> None:
    del scene


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong.

    :param strike: makes it go wrong; returns whether that hit anything, else the fault does not count
    :param mend: takes it back; called in any case, also where nothing was hit
    :param seconds: how long it lasts before it is mended, at least and at most
    """

    name: str
    strike: Callable[[Scene], bool]
    mend: Callable[[Scene], None] = _nothing
    seconds: tuple[float, float] = (0, 0)


class Rotation:
    """Faults in an order by chance, each as often as any other."""

    def __init__(self, faults: Sequence[Fault], random: Random) -> None:
        self._faults = faults
        self._random = random
        self._coming: deque[Fault] = deque()

    def next(self) -> Fault:
        """Return the fault that comes next."""
        if not self._coming:
            self._coming.extend(self._random.sample(self._faults, len(self._faults)))
        return self._coming.popleft()

    def put_back(self, fault: Fault) -> None:
        """Have a fault that hit nothing come again, after those that were to come."""
        self._coming.append(fault)
