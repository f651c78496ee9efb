"""The order of faults: random and fair."""

from __future__ import annotations

from collections import Counter
from random import Random

from devstack.faults.fault import Fault, Rotation
from devstack.faults.kinds import FAULTS


def drawn(seed: int, count: int) -> list[str]:
    rotation = Rotation(FAULTS, Random(seed))
    return [rotation.next().name for _ in range(count)]


def test_every_fault_comes_as_often_as_any_other() -> None:
    """Three passes have every fault three times, and each fault has its own name."""
    assert Counter(drawn(1, 3 * len(FAULTS))) == dict.fromkeys((fault.name for fault in FAULTS), 3)


def test_a_seed_decides_the_order() -> None:
    """Equal seeds give equal orders, different seeds different ones."""
    assert drawn(1, 50) == drawn(1, 50) != drawn(2, 50)


def test_a_fault_that_hit_nothing_comes_again() -> None:
    """It comes after all waiting faults, so that it does not delay them."""
    one, two = Fault("one", lambda _: True), Fault("two", lambda _: True)
    rotation = Rotation((one, two), Random(1))
    missed = rotation.next()
    rotation.put_back(missed)
    other = rotation.next()
    assert {missed.name, other.name} == {"one", "two"}
    assert rotation.next() is missed
