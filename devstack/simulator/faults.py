"""Faults for tests: the service answers with an error instead, or breaks the connection."""

from __future__ import annotations

import enum
import threading
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from devstack.simulator import errors
from devstack.simulator.draw import Draw
from devstack.simulator.errors import ApiError

OTHER_OPERATIONS: Final = frozenset({"AssumeRole", "DescribeRegions", "GetCallerIdentity", "ListAccounts"})
"""The operations of other services than CloudTrail, which only a fault with the operation's name strikes."""


class FaultKind(enum.StrEnum):
    """The kinds of fault."""

    THROTTLE = "throttle"
    INTERNAL_FAILURE = "internal_failure"
    SERVICE_UNAVAILABLE = "service_unavailable"
    EXPIRED_CREDENTIALS = "expired_credentials"
    ACCESS_DENIED = "access_denied"
    RESET = "reset"
    RESET_AFTER_RESPONSE = "reset_after_response"

    def error(self, caller: str, action: str) -> ApiError | None:
        """Return the error to answer a caller (an ARN) with; None for a broken connection."""
        if self is FaultKind.ACCESS_DENIED:
            return errors.access_denied(caller, action)
        makers = {
            FaultKind.THROTTLE: errors.throttled,
            FaultKind.INTERNAL_FAILURE: errors.internal_failure,
            FaultKind.SERVICE_UNAVAILABLE: errors.unavailable,
            FaultKind.EXPIRED_CREDENTIALS: errors.expired_credentials,
        }
        return makers[self]() if self in makers else None


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in one region or in all. It strikes at random, at most `count` times; None: until it is cleared.

    `operation` is the only operation that it strikes, such as ListPublicKeys or AssumeRole; None for all of
    CloudTrail. `account` is the only account whose requests it strikes; None for all.
    """

    kind: FaultKind
    region: str | None = None
    count: int | None = None
    probability: float = 1.0
    operation: str | None = None
    account: str | None = None

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise ValueError("a fault's count must be at least 1")
        if not 0 < self.probability <= 1:
            raise ValueError("a fault's probability must be above 0 and at most 1")


class Faults:
    """The active faults. They are tried in the order in which they were added; at most one strikes a request."""

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
        """Return the active faults with their remaining counts, as JSON."""
        with self._lock:
            return [asdict(fault) for fault in self._on]

    def strike(self, region: str, operation: str, account: str) -> FaultKind | None:
        """Return the fault that strikes a request, and count it."""
        with self._lock:
            for place, fault in enumerate(self._on):
                if fault.operation != operation and (fault.operation or operation in OTHER_OPERATIONS):
                    continue
                if fault.account not in (None, account):
                    continue
                if fault.region in (None, region) and self._draw.chance(fault.probability):
                    self._count_down(place, fault)
                    return fault.kind
        return None

    def _count_down(self, place: int, fault: Fault) -> None:
        if fault.count == 1:
            del self._on[place]
        elif fault.count is not None:
            self._on[place] = replace(fault, count=fault.count - 1)
