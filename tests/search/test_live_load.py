"""Live runs load only what the real servers do not hold."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent, staged_event
from cloudtrail_elasticsearch.core.documents.own_events import OwnEvents
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import TransientError
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.core.search.server import Engine
from cloudtrail_elasticsearch.pipeline.live import LiveLoad, LiveOutcome
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Recorded:
    """A server that records the paths of requests."""

    def __init__(self, search_url: str) -> None:
        self._server = connect(SearchSettings.from_url(search_url))
        self.engine: Engine = self._server.engine
        self.name = self._server.name
        self.paths: list[str] = []

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        self.paths.append(path.partition("?")[0])
        return self._server.request(method, path, body)


@pytest.fixture
def server(search_url: str) -> Recorded:
    return Recorded(search_url)


def event(minute: int = 0, **further: Any) -> LookedUpEvent:
    record = {
        "eventID": str(uuid.uuid4()),
        "eventTime": f"2026-11-20T12:{minute:02d}:00Z",
        "eventName": "RunInstances",
        "eventSource": "ec2.amazonaws.com",
        "awsRegion": "eu-west-1",
    } | further
    return staged_event(b'{"lookup":{},"event":%b}' % codec.encode(record))


def live(server: Recorded, prefix: str, **further: Any) -> LiveLoad:
    loader = Loader(server, IndexPattern(f"{prefix}-%Y.%m"), build_schema("flattened", load_rules([])), **further)
    return LiveLoad(lambda: loader)


def count(server: Recorded, prefix: str) -> int:
    server.request("POST", f"/{prefix}-*/_refresh")
    return int(server.request("GET", f"/{prefix}-*/_count")["count"])


def test_events_that_the_server_holds_are_not_sent(server: Recorded, unique_index_prefix: str) -> None:
    """At once after they were loaded, before a refresh; then only one small request is sent."""
    events = [event(minute) for minute in range(5)]
    load = live(server, unique_index_prefix)
    assert load.load(events[:3]) == LiveOutcome(3, 0, AT.replace(minute=2))
    server.paths.clear()
    assert load.load(events[:3]) == LiveOutcome()
    assert server.paths == ["/_mget"]
    assert load.load([*events, events[4]]) == LiveOutcome(2, 0, AT.replace(minute=4))
    assert count(server, unique_index_prefix) == 5
    assert live(server, unique_index_prefix).load(events) == LiveOutcome()


def test_the_loader_s_own_events_are_left_to_the_daily_run(server: Recorded, unique_index_prefix: str) -> None:
    """A run does not load the call of the run before."""
    own = event(
        eventName="LookupEvents", eventSource="cloudtrail.amazonaws.com", userAgent="cloudtrail-elasticsearch/0.1"
    )
    load = live(server, unique_index_prefix, own_events=OwnEvents.LEAVE_OUT)
    assert load.load([own]) == LiveOutcome()
    assert [path for path in server.paths if path != "/_mget"] == []
    assert load.load([own, event()]).loaded == 1


def test_events_that_are_no_events_are_quarantined_and_counted(server: Recorded, unique_index_prefix: str) -> None:
    """They count for the region that returned them."""
    broken = LookedUpEvent("broken", None, b'{"lookup":{},"event":"no object"}')
    outcomes = [live(server, unique_index_prefix).load(some) for some in ([event()], [broken])]
    assert [(each.loaded, each.quarantined) for each in outcomes] == [(1, 0), (1, 1)]


def test_regions_share_requests(server: Recorded, unique_index_prefix: str) -> None:
    """Each gets the outcome of its own events."""
    load = live(server, unique_index_prefix)
    load.load([event()])
    server.paths.clear()
    groups = [[event(minute) for minute in range(number)] for number in range(1, 9)]
    found: dict[int, LiveOutcome] = {}

    def work(number: int, events: Sequence[LookedUpEvent]) -> None:
        found[number] = load.load(events)

    threads = [threading.Thread(target=work, args=each) for each in enumerate(groups, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: outcome.loaded for number, outcome in found.items()} == {
        number: number for number in range(1, 9)
    }
    assert server.paths.count("/_bulk") < len(groups)
    assert count(server, unique_index_prefix) == 1 + sum(range(1, 9))


def test_a_server_that_is_gone_fails_the_load(unique_index_prefix: str) -> None:
    """Nothing counts as loaded."""

    class Gone:
        engine: Engine = "opensearch"
        name = "http://search"

        def request(self, method: str, path: str, body: bytes | None = None) -> Any:
            raise TransientError("gone")

    loader = Loader(
        Gone(),
        IndexPattern(unique_index_prefix),
        build_schema("flattened", load_rules([])),
        LoadSettings(patience=0.1),
    )
    with pytest.raises(TransientError):
        LiveLoad(lambda: loader).load([event()])
