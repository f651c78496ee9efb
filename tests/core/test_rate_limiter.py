"""The rate limiter: even slots, a share of the quota beside known workers, and slowing down for unknown ones."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import pytest

from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from cloudtrail_elasticsearch.sources.lookup_events.sharers import LIVE, find_share
from devstack.simulator.quota import Quota


class Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.promise("polite")
def test_calls_are_evenly_spaced() -> None:
    """The first at once, then one each half second."""
    clock = Clock()
    limiter = RateLimiter(2.0, clock, clock.sleep)
    slots = []
    for _ in range(4):
        limiter.acquire()
        slots.append(clock.now)
    assert slots == [0.0, 0.5, 1.0, 1.5]


def test_workers_get_equal_shares_of_the_rate() -> None:
    """Each of four workers has a quarter, and the whole rate again when the others are gone."""
    limiter = RateLimiter(2.0)
    limiter.set_share(1 / 4)
    assert limiter.rate == 0.5
    limiter.set_share(1)
    assert limiter.rate == 2.0


@pytest.mark.promise("polite")
def test_the_rate_falls_while_unknown_clients_use_the_quota() -> None:
    """It falls while most calls are throttled, and recovers when calls succeed."""
    limiter = RateLimiter(2.0)
    for _ in range(60):
        limiter.record_throttling()
    assert limiter.rate < 1.5
    for _ in range(200):
        limiter.record_success()
    assert limiter.rate == 2.0


@pytest.mark.promise("polite")
@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_workers_that_know_each_other_use_the_whole_quota(workers: int) -> None:
    """In five minutes they use at least 90% of the quota, with at most 10% of the calls throttled."""
    used, throttled = share_a_quota(workers, seconds=300)
    assert used >= 0.9
    assert throttled <= 0.1


def share_a_quota(workers: int, seconds: float) -> tuple[float, float]:
    """Let workers share a quota of 2 calls per second; each counts the workers every ten seconds."""
    clock = Clock()
    quota = Quota(2.0, 2, clock)
    random.seed(7)
    paces = [RateLimiter(2.0, clock, lambda _: None) for _ in range(workers)]
    waiting = [(random.uniform(0, 5), number, 0.0) for number in range(workers)]
    heapq.heapify(waiting)
    present: set[int] = set()
    passed = calls = 0
    while (turn := heapq.heappop(waiting))[0] < seconds:
        clock.now, number, looked = turn
        present.add(number)
        limiter = paces[number]
        if clock.now - looked > (2.0 if limiter.contended.is_set() else 10.0):
            limiter.set_share(1 / len(present))
            limiter.contended.clear()
            looked = clock.now
        calls += 1
        allowed = quota.take("1", "eu-west-1")
        passed += allowed
        note: Callable[[], None] = limiter.record_success if allowed else limiter.record_throttling
        note()
        slots: list[float] = []
        limiter._sleep = slots.append
        limiter.acquire()
        heapq.heappush(waiting, (clock.now + sum(slots), number, looked))
    return passed / (2.0 * seconds), 1 - passed / calls


@pytest.mark.promise("polite")
@pytest.mark.parametrize("live", [0, 1, 2])
@pytest.mark.parametrize("others", [0, 1, 7])
def test_live_workers_have_the_right_of_way_and_starve_nobody(live: int, others: int) -> None:
    """All shares together are the quota; live workers have three quarters of it if others need it, too."""
    names = [*(f"{LIVE}{number}" for number in range(live)), *(f"fetch-{number}" for number in range(others))]
    shares = {name: find_share(name, names) for name in names}
    if names:
        assert sum(shares.values()) == pytest.approx(1)
    if live and others:
        assert sum(share for name, share in shares.items() if name.startswith(LIVE)) == pytest.approx(0.75)
    assert find_share("late to the list", names) > 0
