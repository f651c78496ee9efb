"""A fetch is killed after it wrote its manifest: the next attempt deletes its temporary objects and its state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.lookup_batches import LookupWindow
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.progress import InMemoryStore, StateStore
from cloudtrail_elasticsearch.pipeline.lookup_fetch import FetchedWindow, FetchWork, WindowFetcher
from cloudtrail_elasticsearch.sources.lookup_events import fetch_checkpoint, fetch_result, scheduler
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.fetch_checkpoint import STATE_KEY
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from cloudtrail_elasticsearch.staging import Staging
from tests.core.unruly import Happened, Killed, Manners, UnrulyLookup, at, event_id
from tests.memory_s3 import MemoryS3

WINDOW = Window("123456789012", "us-east-1", at(0), at(3_600))
HAPPENED = [Happened(event_id(number), at(number * 9)) for number in range(400)]


class Bucket(MemoryS3):
    """Can kill at the deletion of a fetch's temporary objects."""

    is_to_kill = False

    def delete_objects(self, **asked: Any) -> dict[str, Any]:
        if self.is_to_kill and "/fetch=" in asked["Delete"]["Objects"][0]["Key"]:
            raise Killed
        return super().delete_objects(**asked)


class Store(InMemoryStore):
    """Can kill at the deletion of the progress."""

    is_to_kill = False

    def delete(self, key: str) -> None:
        if self.is_to_kill:
            raise Killed
        super().delete(key)


def make_fetcher(client: UnrulyLookup, staging: Staging, store: StateStore, work: FetchWork) -> WindowFetcher:
    return WindowFetcher(
        lambda _: LookupEvents(client, RateLimiter(1e9)), staging, lambda _: store, None, work, lambda *_: None
    )


@pytest.mark.promise("restartable")
@pytest.mark.parametrize("killed_by", ["bucket", "store"])
def test_the_next_attempt_cleans_up_after_a_killed_one(monkeypatch: pytest.MonkeyPatch, killed_by: str) -> None:
    """It makes no call to LookupEvents, because the window is staged. A further attempt has nothing to do."""
    monkeypatch.setattr(fetch_checkpoint, "SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda pages, *_: pages < 2)
    s3, store, client = Bucket(), Store(), UnrulyLookup(HAPPENED, [], Manners(), 1)
    s3.is_to_kill, store.is_to_kill = killed_by == "bucket", killed_by == "store"
    staging = Staging(s3, "bucket")
    fetcher = make_fetcher(client, staging, store, FetchWork.NEW)
    with pytest.raises(Killed):
        fetcher.fetch(LookupWindow(WINDOW))
    assert staging.manifest(WINDOW) is not None
    assert store.get(STATE_KEY) is not None
    s3.is_to_kill = store.is_to_kill = False
    calls = client.calls
    for _ in range(2):
        assert fetcher.fetch(LookupWindow(WINDOW)) == FetchedWindow()
        manifest = staging.manifest(WINDOW)
        assert manifest is not None
        named = {f"{staging.folder(WINDOW)}/manifest.json", *(part.key for part in manifest.parts)}
        assert {key for key in s3.objects if "/looking-up/" not in key} == named
        assert store.get(STATE_KEY) is None
    assert client.calls == calls


class Interrupted(UnrulyLookup):
    """Runs something else at a call."""

    at_call = 20

    def lookup_events(self, **request: Any) -> dict[str, Any]:
        answer = super().lookup_events(**request)
        if self.calls == self.at_call:
            self.meanwhile()
        return answer

    def meanwhile(self) -> None:
        """Do nothing."""


@pytest.mark.promise("restartable")
@pytest.mark.parametrize("count", [0, 3])
def test_a_window_of_one_page_leaves_nothing_behind(count: int) -> None:
    """Killed between its part and its manifest. The next attempt's part has one more event."""
    s3, store, happened = Unpublished(), InMemoryStore(), HAPPENED[:count]
    staging, client = Staging(s3, "bucket"), UnrulyLookup(happened, [], Manners(), 1)
    fetcher = make_fetcher(client, staging, store, FetchWork.NEW)
    with pytest.raises(Killed):
        fetcher.fetch(LookupWindow(WINDOW))
    happened.append(HAPPENED[count])
    s3.is_to_kill = False
    fetcher.fetch(LookupWindow(WINDOW))
    manifest = staging.manifest(WINDOW)
    assert manifest is not None
    assert manifest.staged == count + 1
    assert {key for key in s3.objects if "/fetch=" in key} == {part.key for part in manifest.parts}
    assert store.get(STATE_KEY) is None


class Unpublished(MemoryS3):
    """Can kill at the write of a manifest."""

    is_to_kill = True

    def put_object(self, **how: Any) -> dict[str, Any]:
        if self.is_to_kill and how["Key"].endswith("manifest.json"):
            raise Killed
        return super().put_object(**how)


@pytest.mark.promise("nothing-lost")
def test_a_run_deletes_nothing_of_a_forced_one_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if both have the same state."""
    monkeypatch.setattr(fetch_checkpoint, "SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda pages, *_: pages < 2)
    staging, client = Staging(MemoryS3(), "bucket"), Interrupted(HAPPENED, [], Manners(), 1)
    store = staging.state(WINDOW, "fetch")
    new = make_fetcher(UnrulyLookup(HAPPENED, [], Manners(), 1), staging, store, FetchWork.NEW)
    new.fetch(LookupWindow(WINDOW))
    monkeypatch.setattr(client, "meanwhile", lambda: new.fetch(LookupWindow(WINDOW)))
    make_fetcher(client, staging, store, FetchWork.AGAIN).fetch(LookupWindow(WINDOW))
    assert client.calls > client.at_call
    manifest = staging.manifest(WINDOW)
    assert manifest is not None
    assert len([line for part in manifest.parts for line in staging.lines(part)]) == len(HAPPENED)


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("is_published", [True, False])
def test_a_killed_fetch_does_not_undo_a_later_sweep(monkeypatch: pytest.MonkeyPatch, is_published: bool) -> None:
    """Its next attempt comes after a sweep has staged a late event, of a second that it has looked up before."""
    monkeypatch.setattr(fetch_checkpoint, "SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda pages, *_: pages < 2)
    s3, store, happened = Bucket(), InMemoryStore(), [*HAPPENED]
    staging, client = Staging(s3, "bucket"), UnrulyLookup(happened, [], Manners(), 1)
    make_fetcher(client, staging, InMemoryStore(), FetchWork.NEW).fetch(LookupWindow(WINDOW))
    if is_published:
        s3.is_to_kill = True
    else:
        client.kill_at = client.calls + 45
    with pytest.raises(Killed):
        make_fetcher(client, staging, store, FetchWork.AGAIN).fetch(LookupWindow(WINDOW))
    s3.is_to_kill, client.kill_at = False, None
    later = SimpleNamespace(now=lambda _: datetime.now(UTC) + timedelta(minutes=1))
    monkeypatch.setattr(fetch_result, "datetime", later)
    happened.append(Happened(event_id(400), at(3_599)))
    for progress, work in ((InMemoryStore(), FetchWork.LATE), (store, FetchWork.AGAIN)):
        make_fetcher(client, staging, progress, work).fetch(LookupWindow(WINDOW))
        manifest = staging.manifest(WINDOW)
        assert manifest is not None
        assert len([line for part in manifest.parts for line in staging.lines(part)]) == len(happened)
