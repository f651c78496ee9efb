"""A fetch writes its pages every ten seconds as pieces, which one part replaces."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.sources.lookup_events import pager, scheduler
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.fetch import fetch
from cloudtrail_elasticsearch.sources.lookup_events.fetch_checkpoint import FetchCheckpoint
from cloudtrail_elasticsearch.sources.lookup_events.fetch_state import FetchState
from cloudtrail_elasticsearch.sources.lookup_events.growing_part import GrowingPart
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from cloudtrail_elasticsearch.staging import Part, Staging
from cloudtrail_elasticsearch.staging.parts import PackedPart, PartBuilder, digest, unpack
from tests.core.unruly import Happened, Killed, Manners, UnrulyLookup, at, event_id
from tests.memory_s3 import MemoryS3

SECONDS = 3_600
WINDOW = Window("123456789012", "us-east-1", at(0), at(SECONDS))


class Written:
    """Keeps the parts that are written."""

    def __init__(self) -> None:
        self.parts: list[PackedPart] = []

    def __call__(self, packed: PackedPart) -> Part:
        self.parts.append(packed)
        sha256 = digest(packed.body)
        return Part(sha256, packed.events, len(packed.body), sha256, packed.first, packed.last, packed.unpacked)

    def lines(self, part: Part) -> list[bytes]:
        (packed,) = (each for each in self.parts if digest(each.body) == part.sha256)
        assert part.unpacked is not None
        return unpack(packed.body, part.unpacked)


def looked_up(*seconds: int) -> list[LookedUpEvent]:
    return [LookedUpEvent(event_id(second), at(second), b'{"second":%d}' % second) for second in seconds]


def test_the_whole_part_has_the_events_of_all_pieces_and_later_ones() -> None:
    """Its number of events, its times and its size are those of all pieces."""
    written, growing = Written(), GrowingPart(at(0))
    growing.add(looked_up(7, 5))
    (first,) = growing.write_piece(written)
    growing.add(looked_up(9))
    assert growing.write_piece(written)[0] == first
    growing.add(looked_up(4))
    (whole,) = growing.write_whole(written)
    assert written.lines(first) == [b'{"second":7}', b'{"second":5}']
    assert written.lines(whole) == [b'{"second":7}', b'{"second":5}', b'{"second":9}', b'{"second":4}']
    assert (whole.events, whole.first, whole.last) == (4, at(4), at(9))
    assert [packed.events for packed in written.parts] == [2, 1, 4]


def test_a_single_piece_is_the_whole_part() -> None:
    """It is not written twice. Without new events, nothing is written."""
    written, growing = Written(), GrowingPart(at(0))
    assert growing.write_piece(written) == growing.write_whole(written) == ()
    growing.add(looked_up(7))
    pieces = growing.write_piece(written)
    assert growing.write_piece(written) == growing.write_whole(written) == pieces
    assert len(written.parts) == 1


def test_a_part_without_pieces_is_packed_once() -> None:
    """Equal lines make equal content."""
    written, growing, builder = Written(), GrowingPart(at(0)), PartBuilder()
    for each in (growing, builder):
        each.add(looked_up(3, 2, 1))
    growing.write_whole(written)
    assert written.parts == [builder.finish()]


class CountingS3(MemoryS3):
    """Keeps the keys of all parts that were ever written."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def put_object(self, **how: Any) -> dict[str, Any]:
        if "/part-" in how["Key"]:
            self.parts.append(how["Key"])
        return super().put_object(**how)


def test_only_whole_parts_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load reads few objects, although the fetch wrote a piece after each page."""
    monkeypatch.setattr(pager, "SECONDS_UNWRITTEN", 0.0)
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda pages, *_: pages < 2)
    happened = [Happened(event_id(number), at(number * 9)) for number in range(400)]
    s3 = CountingS3()
    source = LookupEvents(UnrulyLookup(happened, [], Manners(), 1), RateLimiter(1e9))
    manifest = fetch(WINDOW, source, Staging(s3, "bucket"), InMemoryStore())
    assert manifest.staged == len(happened)
    assert len(s3.parts) > 70
    assert len(manifest.parts) < 40
    assert {part.key for part in manifest.parts} == {key for key in s3.objects if "/part-" in key}


class Ticking(UnrulyLookup):
    """Moves a clock by half a second with each call, which is the pace of a region's quota."""

    now = 1_000.0

    def lookup_events(self, **request: Any) -> dict[str, Any]:
        Ticking.now += 0.5
        return super().lookup_events(**request)


@pytest.mark.promise("restartable")
@pytest.mark.parametrize("kill", [25, 47, 90, 119])
def test_a_kill_costs_the_calls_of_seconds(monkeypatch: pytest.MonkeyPatch, kill: int) -> None:
    """Even if a slice has pages and waits for its next one: another worker writes them."""
    monkeypatch.setattr(pager, "time", SimpleNamespace(monotonic=lambda: Ticking.now))
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


@pytest.mark.promise("restartable")
def test_pages_of_an_idle_slice_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """When they are old enough, the next worker that has a page of another slice writes them."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(pager, "time", SimpleNamespace(monotonic=lambda: clock.now))
    happened = [Happened(event_id(number), at(number * 9)) for number in range(400)]
    source = LookupEvents(UnrulyLookup(happened, [], Manners(), 1), RateLimiter(1e9))
    staging, store, state = Staging(MemoryS3(), "bucket"), InMemoryStore(), FetchState.for_window(WINDOW)
    pages = pager.Pager(state, FetchCheckpoint(state, staging, store), source, staging)
    slice_ = state.open_slice(state.whole, 1.0)
    pages.take_page(slice_.mark_taken())
    clock.now += pager.SECONDS_UNWRITTEN
    pages.write_overdue()
    assert slice_.kept is None, "its worker still holds the slice"
    pages.release(slice_)
    pages.write_overdue()
    assert slice_.kept is not None
    assert (slice_.kept.pages, slice_.unwritten_pages, slice_.is_taken) == (1, 0, False)
    pages.write_overdue()
    assert len(state.to_record().open) == 1
