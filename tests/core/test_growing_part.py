"""A fetch writes its new pages every ten seconds as a checkpoint; parts replace the checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.sources.lookup_events import fetch_checkpoint, pager, scheduler
from cloudtrail_elasticsearch.sources.lookup_events.answers import read_event
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.fetch import fetch
from cloudtrail_elasticsearch.sources.lookup_events.growing_part import GrowingPart
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from cloudtrail_elasticsearch.staging import Staging
from cloudtrail_elasticsearch.staging.parts import pack_events
from tests.core.unruly import Happened, Killed, Manners, UnrulyLookup, at, event_id
from tests.memory_s3 import MemoryS3

SECONDS = 3_600
WINDOW = Window("123456789012", "us-east-1", at(0), at(SECONDS))


def looked_up(*seconds: int) -> list[LookedUpEvent]:
    return [LookedUpEvent(event_id(second), at(second), b'{"second":%d}' % second) for second in seconds]


def test_the_whole_part_has_the_events_of_all_checkpoints_and_later_ones() -> None:
    """Its number of events, its times and its size are those of all events."""
    growing, first, second = GrowingPart(), bytearray(), bytearray(b"other members")
    growing.add(looked_up(7, 5))
    assert [member.cut(bytes(first)).lines() for member in growing.save("first", first, at(0))] == [
        [b'{"second":7}', b'{"second":5}']
    ]
    growing.add(looked_up(9))
    (old, new) = growing.save("second", second, at(0))
    assert (old.part.key, new.part.key) == ("first", "second")
    assert new.cut(bytes(second)).lines() == [b'{"second":9}']
    assert growing.save("third", bytearray(), at(0)) == (old, new)
    growing.add(looked_up(4))
    whole = growing.join(at(0))
    assert whole is not None
    assert whole.lines() == [b'{"second":7}', b'{"second":5}', b'{"second":9}', b'{"second":4}']
    assert (whole.events, whole.first, whole.last) == (4, at(4), at(9))


def test_a_part_grows_further_after_a_restart() -> None:
    """It has the same content as without the restart."""
    growing, checkpoint = GrowingPart(), bytearray()
    growing.add(looked_up(7, 5))
    members = growing.save("key", checkpoint, at(0))
    restored = GrowingPart([(member, member.cut(bytes(checkpoint))) for member in members])
    for each in (growing, restored):
        each.add(looked_up(9))
    assert restored.join(at(0)) == growing.join(at(0))
    assert len(restored.save("next", bytearray(), at(0))) == 2


def test_an_altered_checkpoint_is_an_error() -> None:
    """Even if it has the right size."""
    growing, checkpoint = GrowingPart(), bytearray()
    growing.add(looked_up(7, 5))
    (member,) = growing.save("key", checkpoint, at(0))
    checkpoint[-1] ^= 1
    with pytest.raises(StagingError, match="key"):
        member.cut(bytes(checkpoint))


def test_a_part_without_events_is_not_written() -> None:
    """Neither whole nor in a checkpoint."""
    growing, checkpoint = GrowingPart(), bytearray()
    assert growing.save("key", checkpoint, at(0)) == ()
    assert growing.join(at(0)) is None
    assert not checkpoint


def test_a_part_that_no_checkpoint_interrupts_is_packed_once() -> None:
    """Equal lines make equal content."""
    growing, events = GrowingPart(), looked_up(3, 2, 1)
    for event in events:
        growing.add([event])
    assert growing.join(at(0)) == pack_events(events, at(0))


class CountingS3(MemoryS3):
    """Keeps the names of all objects of a fetch that were ever written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def put_object(self, **how: Any) -> dict[str, Any]:
        if "/fetch=" in how["Key"]:
            self.written.append(how["Key"].rpartition("/")[2])
        return super().put_object(**how)

    def count(self, kind: str) -> int:
        return sum(name.startswith(kind) for name in self.written)


def test_only_whole_parts_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load reads few objects, although the fetch wrote many checkpoints."""
    monkeypatch.setattr(fetch_checkpoint, "SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda pages, *_: pages < 2)
    happened = [Happened(event_id(number), at(number * 9)) for number in range(400)]
    s3 = CountingS3()
    source = LookupEvents(UnrulyLookup(happened, [], Manners(), 1), RateLimiter(1e9))
    manifest = fetch(WINDOW, source, Staging(s3, "bucket"), InMemoryStore())
    assert manifest.staged == len(happened)
    # While one worker writes a checkpoint, the others go on, so their number differs from run to run.
    assert s3.count("checkpoint-") > 1
    assert s3.count("part-") == len(manifest.parts) < 40
    assert {part.key for part in manifest.parts} == {key for key in s3.objects if "/fetch=" in key}


@pytest.mark.promise("bounded")
def test_large_events_make_parts_of_fewer_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part is held in memory, so the bytes of its events end it, too, whether a restart has read them or not."""
    monkeypatch.setattr(fetch_checkpoint, "SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda *_: False)
    happened = [Happened(event_id(number), at(number * 9)) for number in range(60)]
    (size,) = {len(read_event(event.answer, WINDOW)[0].line) + 1 for event in happened}
    monkeypatch.setattr(pager, "BYTES_PER_PART", 3 * 5 * size)
    s3, store, client = CountingS3(), InMemoryStore(), UnrulyLookup(happened, [], Manners(page_size=5), 1)
    client.kill_at = 6
    with pytest.raises(Killed):
        fetch(WINDOW, LookupEvents(client, RateLimiter(1e9)), Staging(s3, "bucket"), store)
    client.kill_at = None
    manifest = fetch(WINDOW, LookupEvents(client, RateLimiter(1e9)), Staging(s3, "bucket"), store)
    assert manifest.staged == len(happened)
    # The page after the newest checkpoint is requested again.
    assert [part.events for part in manifest.parts] == [15, 15, 15, 15]


class Ticking(UnrulyLookup):
    """Moves a clock by half a second with each call, which is the pace of a region's quota."""

    now = 1_000.0

    def lookup_events(self, **request: Any) -> dict[str, Any]:
        Ticking.now += 0.5
        return super().lookup_events(**request)


@pytest.mark.promise("restartable")
@pytest.mark.parametrize("kill", [25, 47, 90, 119])
def test_a_kill_costs_the_calls_of_seconds(monkeypatch: pytest.MonkeyPatch, kill: int) -> None:
    """Even if a slice has pages and waits for its next one: a checkpoint has those of all slices."""
    monkeypatch.setattr(fetch_checkpoint, "time", SimpleNamespace(monotonic=lambda: Ticking.now))
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda pages, *_: pages < 2)
    monkeypatch.setattr(scheduler.Scheduler, "_most_open", 8)
    happened = [Happened(event_id(number), at(number * 5)) for number in range(700)]
    client, store, staging = Ticking(happened, [], Manners(), 1), InMemoryStore(), Staging(MemoryS3(), "bucket")
    client.kill_at = kill
    with pytest.raises(Killed):
        fetch(WINDOW, LookupEvents(client, RateLimiter(1e9)), staging, store)
    client.kill_at = None
    assert fetch(WINDOW, LookupEvents(client, RateLimiter(1e9)), staging, store).staged == len(happened)
    source = LookupEvents(Ticking(happened, [], Manners(), 1), RateLimiter(1e9))
    never_killed = fetch(WINDOW, source, Staging(MemoryS3(), "bucket"), InMemoryStore())
    # The calls of ten seconds, one of each worker, and the last pages of slices, which are not full.
    assert client.calls <= never_killed.calls + 20 + 2 * scheduler.MOST_SLICES


def test_a_checkpoint_has_the_pages_of_all_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """One object every ten seconds, however many slices are paged: a write costs as much as a call."""
    monkeypatch.setattr(fetch_checkpoint, "time", SimpleNamespace(monotonic=lambda: Ticking.now))
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda pages, *_: pages < 2)
    monkeypatch.setattr(scheduler.Scheduler, "_most_open", 8)
    happened = [Happened(event_id(number), at(number * 5)) for number in range(700)]
    client, s3 = Ticking(happened, [], Manners(), 1), CountingS3()
    manifest = fetch(WINDOW, LookupEvents(client, RateLimiter(1e9)), Staging(s3, "bucket"), InMemoryStore())
    assert s3.count("checkpoint-") <= client.calls / 2 / fetch_checkpoint.SECONDS_BETWEEN
    assert len(s3.written) == s3.count("checkpoint-") + len(manifest.parts)


@pytest.mark.promise("restartable")
def test_parts_of_a_killed_fetch_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next attempt joins the events of a checkpoint with those that it looks up."""
    monkeypatch.setattr(fetch_checkpoint, "SECONDS_BETWEEN", 0.0)
    # On a busy machine, a slow page is a reason to divide the slice.
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda *_: False)
    happened = [Happened(event_id(number), at(number * 9)) for number in range(400)]
    client, store, s3 = UnrulyLookup(happened, [], Manners(), 1), InMemoryStore(), CountingS3()
    while True:
        client.kill_at = client.calls + 7
        try:
            manifest = fetch(WINDOW, LookupEvents(client, RateLimiter(1e9)), Staging(s3, "bucket"), store)
        except Killed:
            continue
        break
    assert manifest.attempts > 10
    assert [part.events for part in manifest.parts] == [len(happened)]


@pytest.mark.promise("bounded")
def test_a_killed_fetch_is_restored_within_the_bound_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several windows of a batch are resumed at once, and only some of them may be in memory."""
    monkeypatch.setattr(fetch_checkpoint, "SECONDS_BETWEEN", 0.0)
    happened = [Happened(event_id(number), at(number * 9)) for number in range(400)]
    client, store, s3 = UnrulyLookup(happened, [], Manners(), 1), InMemoryStore(), ReadingS3()
    client.kill_at = 30
    with pytest.raises(Killed):
        fetch(WINDOW, LookupEvents(client, RateLimiter(1e9)), Staging(s3, "bucket"), store)
    client.kill_at = None
    held: list[int] = []

    @contextmanager
    def hold() -> Iterator[None]:
        held.append(len(s3.read))
        yield

    s3.read.clear()
    fetch(WINDOW, LookupEvents(client, RateLimiter(1e9)), Staging(s3, "bucket"), store, hold)
    assert s3.read
    assert held == [0]


class ReadingS3(MemoryS3):
    """Keeps the keys of the objects of a fetch that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def get_object(self, **asked: Any) -> dict[str, Any]:
        if "/fetch=" in asked["Key"]:
            self.read.append(asked["Key"])
        return super().get_object(**asked)
