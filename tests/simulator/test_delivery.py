"""A trail that is delivered as time passes."""

from __future__ import annotations

from devstack.simulator.trails import Delivery, MemoryBucket, Switches, write_trail
from devstack.simulator.trails.plan import HOUR
from tests.simulator.trails import small_plan


def test_each_object_is_delivered_once_at_its_arrival() -> None:
    """At the end the bucket has the same objects as one that was written at once."""
    plan = small_plan(hours=3, switches=Switches(late=0.3))
    delivery = Delivery.make(plan)
    bucket, at_once = MemoryBucket(), MemoryBucket()
    write_trail(plan, at_once)
    last = delivery.objects[-1].arrives
    assert last > plan.end + 2 * HOUR
    for until in range(plan.start, last + HOUR, HOUR):
        delivery.deliver(bucket, until)
        assert set(bucket.keys()) == {item.key for item in delivery.objects if item.arrives <= until}
        assert delivery.deliver(bucket, until).log_files == ()
    assert bucket.objects == at_once.objects


def test_an_event_arrives_with_its_first_log_file() -> None:
    """Also if a later log file has it again; a late log file arrives after the time in its name."""
    plan = small_plan(hours=3, switches=Switches(duplicates=0.3, late=0.3))
    delivery = Delivery.make(plan)
    written = delivery.deliver(MemoryBucket(), delivery.objects[-1].arrives)
    arrivals = delivery.arrivals()
    assert arrivals.keys() == written.event_ids()
    assert written.duplicates()
    delays = [(arrival.time - arrival.file.delivered, arrival.file.is_late) for arrival in arrivals.values()]
    assert {delay > 0 for delay, is_late in delays if is_late} == {True}
    assert {delay for delay, is_late in delays if not is_late} == {0}
