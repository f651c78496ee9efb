"""The pace: even slots, a share of them where others are known, and yielding where they are not."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import pytest

from cloudtrail_elasticsearch.core.pace import Pace
from devstack.simulator.quota import Quota


class Clock:
    """A time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_calls_are_evenly_spaced() -> None:
    """The first at once, then one each half second."""
    clock = Clock()
    pace = Pace(2.0, clock, clock.sleep)
    slots = []
    for _ in range(4):
        pace.take()
        slots.append(clock.now)
    assert slots == [0.0, 0.5, 1.0, 1.5]


def test_a_share_is_a_part_of_the_rate() -> None:
    """Of four workers each has a quarter, and the whole again when the others are gone."""
    pace = Pace(2.0)
    pace.share(4)
    assert pace.rate == 0.5
    pace.share(1)
    assert pace.rate == 2.0


def test_a_pace_yields_to_those_it_does_not_know() -> None:
    """Throttled most of the time it slows down; when calls pass it comes back."""
    pace = Pace(2.0)
    for _ in range(60):
        pace.throttled()
    assert pace.rate < 1.5
    for _ in range(200):
        pace.passed()
    assert pace.rate == 2.0


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_workers_that_know_of_each_other_use_the_quota_up(workers: int) -> None:
    """In five minutes: nine tenths of the quota are used, and a tenth of the calls is throttled at most."""
    used, throttled = share_a_quota(workers, seconds=300)
    assert used >= 0.9
    assert throttled <= 0.1


def share_a_quota(workers: int, seconds: float) -> tuple[float, float]:
    """Let workers share a quota of 2 calls a second, each looking every ten seconds how many they are."""
    clock = Clock()
    quota = Quota(2.0, 2, clock)
    random.seed(7)
    paces = [Pace(2.0, clock, lambda _: None) for _ in range(workers)]
    waiting = [(random.uniform(0, 5), number, 0.0) for number in range(workers)]
    heapq.heapify(waiting)
    present: set[int] = set()
    passed = calls = 0
    while (turn := heapq.heappop(waiting))[0] < seconds:
        clock.now, number, looked = turn
        present.add(number)
        pace = paces[number]
        if clock.now - looked > (2.0 if pace.contended.is_set() else 10.0):
            pace.share(len(present))
            pace.contended.clear()
            looked = clock.now
        calls += 1
        allowed = quota.take("1", "eu-west-1")
        passed += allowed
        note: Callable[[], None] = pace.passed if allowed else pace.throttled
        note()
        slots: list[float] = []
        pace._sleep = slots.append
        pace.take()
        heapq.heappush(waiting, (clock.now + sum(slots), number, looked))
    return passed / (2.0 * seconds), 1 - passed / calls
