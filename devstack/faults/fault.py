"""Faults, and the order in which they come."""

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
    """One kind of failure.

    :param strike: causes the failure; returns whether it hit anything. If not, the fault does not count
    :param mend: undoes the failure; always called, even if nothing was hit
    :param seconds: the least and the most seconds until the fault is mended
    """

    name: str
    strike: Callable[[Scene], bool]
    mend: Callable[[Scene], None] = _nothing
    seconds: tuple[float, float] = (0, 0)


class Rotation:
    """Faults in random order, each as often as any other."""

    def __init__(self, faults: Sequence[Fault], random: Random) -> None:
        self._faults = faults
        self._random = random
        self._coming: deque[Fault] = deque()

    def next(self) -> Fault:
        """Return the next fault."""
        if not self._coming:
            self._coming.extend(self._random.sample(self._faults, len(self._faults)))
        return self._coming.popleft()

    def put_back(self, fault: Fault) -> None:
        """Put a fault that hit nothing at the end of the queue."""
        self._coming.append(fault)
