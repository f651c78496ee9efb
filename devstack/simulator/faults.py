"""Faults that a test switches on: what the service answers instead of, or does after, the right thing."""

from __future__ import annotations

import enum
import threading
from dataclasses import asdict, dataclass, replace
from typing import Any

from devstack.simulator import errors
from devstack.simulator.draw import Draw
from devstack.simulator.errors import ApiError


class FaultKind(enum.StrEnum):
    """What goes wrong."""

    THROTTLE = "throttle"
    INTERNAL_FAILURE = "internal_failure"
    SERVICE_UNAVAILABLE = "service_unavailable"
    EXPIRED_CREDENTIALS = "expired_credentials"
    ACCESS_DENIED = "access_denied"
    RESET = "reset"
    RESET_AFTER_RESPONSE = "reset_after_response"

    def error(self, account: str) -> ApiError | None:
        """Return the error to answer with; None for a connection that breaks."""
        if self is FaultKind.ACCESS_DENIED:
            return errors.access_denied(account)
        makers = {
            FaultKind.THROTTLE: errors.throttled,
            FaultKind.INTERNAL_FAILURE: errors.internal_failure,
            FaultKind.SERVICE_UNAVAILABLE: errors.unavailable,
            FaultKind.EXPIRED_CREDENTIALS: errors.expired_credentials,
        }
        return makers[self]() if self in makers else None


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in a region, or in all. It strikes by chance, at most `count` times; None: until cleared."""

    kind: FaultKind
    region: str | None = None
    count: int | None = None
    probability: float = 1.0

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise ValueError("a fault's count must be at least 1")
        if not 0 < self.probability <= 1:
            raise ValueError("a fault's probability must be above 0 and at most 1")


class Faults:
    """The faults that are on. They are tried in the order they were added; one strikes a request at most."""

    def __init__(self, seed: int) -> None:
        self._draw = Draw(seed)
        self._lock = threading.Lock()
        self._on: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Switch a fault on."""
        with self._lock:
            self._on.append(fault)

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._on.clear()

    def listed(self) -> list[dict[str, Any]]:
        """Return the faults that are on, with the counts that remain, as JSON."""
        with self._lock:
            return [asdict(fault) for fault in self._on]

    def strike(self, region: str) -> FaultKind | None:
        """Return what goes wrong with a request, and count it."""
        with self._lock:
            for place, fault in enumerate(self._on):
                if fault.region in (None, region) and self._draw.chance(fault.probability):
                    self._count_down(place, fault)
                    return fault.kind
        return None

    def _count_down(self, place: int, fault: Fault) -> None:
        if fault.count == 1:
            del self._on[place]
        elif fault.count is not None:
            self._on[place] = replace(fault, count=fault.count - 1)
