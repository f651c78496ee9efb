"""A killed load is resumed: events that the server acknowledged are not sent again."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import orjson
import pytest

from cloudtrail_elasticsearch.core.coverage.cells import State
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.core.documents.own_events import OwnEvents
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.core.progress import InMemoryStore, StateStore
from cloudtrail_elasticsearch.pipeline.load import STATE_KEY, WindowLoad
from cloudtrail_elasticsearch.pipeline.staged_parts import StagedParts
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.staging import Manifest, Part, Staging
from cloudtrail_elasticsearch.staging.parts import PackedPart, pack_events

START = datetime(2026, 11, 20, tzinfo=UTC)
WINDOW = Window("123456789012", "eu-west-1", START, START + timedelta(days=1))
PARTS, EVENTS_PER_PART = 4, 25
EVENTS = PARTS * EVENTS_PER_PART


class Killed(BaseException):
    """Stands for `kill -9`."""


class Server:
    """A search server that counts requests, and kills its user after a number of bulk requests."""

    def __init__(self, url: str, kill_after: int | None = None) -> None:
        self._server = connect(SearchSettings.from_url(url))
        self._lock = threading.Lock()
        self._left = kill_after
        self.sent: list[str] = []
        self.name, self.engine = self._server.name, self._server.engine

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        if path.startswith("/_bulk"):
            with self._lock:
                if self._left is not None:
                    self._left -= 1
                    if self._left < 0:
                        raise Killed
            actions = [orjson.loads(line) for line in (body or b"").splitlines()[::2]]
            self.sent += [action["create"]["_id"] for action in actions if "create" in action]
        return self._server.request(method, path, body)


@pytest.fixture
def staging(aws: str, bucket: str) -> Staging:
    return Staging(boto3.client("s3", endpoint_url=aws, region_name="us-east-1"), bucket)


@pytest.fixture
def manifest(staging: Staging) -> Manifest:
    return stage(staging)


def stage(staging: Staging, name: str = "1") -> Manifest:
    parts = tuple(staging.write_part(WINDOW, name, str(number), part(number)) for number in range(PARTS))
    manifest = described(parts, name)
    assert staging.publish(manifest, staging.standing(WINDOW))
    return manifest


def described(parts: tuple[Part, ...], fetch: str) -> Manifest:
    return Manifest(
        window=WINDOW,
        fetch=fetch,
        parts=parts,
        looked_up=EVENTS,
        duplicates=0,
        late=0,
        calls=2,
        throttled=0,
        attempts=1,
        staged_at=START,
    )


def part(number: int) -> PackedPart:
    events = []
    for event in range(number * EVENTS_PER_PART, (number + 1) * EVENTS_PER_PART):
        time = START + timedelta(seconds=EVENTS - event)
        record = {"eventID": identifier(event), "eventTime": f"{time:%Y-%m-%dT%H:%M:%SZ}", "eventName": "Any"}
        events.append(LookedUpEvent(identifier(event), time, orjson.dumps(record)))
    return pack_events(events, START)


def identifier(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def work(server: Server, manifest: Manifest, staging: Staging, store: StateStore, index: str) -> WindowLoad:
    settings = LoadSettings(request_items=10, senders=2, patience=30, longest_pause=0.1)
    pattern = IndexPattern(index)
    loader = Loader(server, pattern, build_schema("flattened", load_rules()), settings, OwnEvents.KEEP)
    return WindowLoad(StagedParts(manifest, staging), staging, loader, Ledger(server, index, settings), store)


@pytest.mark.promise("restartable")
@pytest.mark.parametrize("kill_after", [0, 1, 4, 9])
def test_a_killed_load_is_resumed(
    search_url: str, staging: Staging, manifest: Manifest, unique_index_prefix: str, kill_after: int
) -> None:
    """Only unacknowledged requests, and those ahead of them, are sent again."""
    store = InMemoryStore()
    first = Server(search_url, kill_after)
    with pytest.raises(Killed):
        work(first, manifest, staging, store, unique_index_prefix).load()
    assert next(Ledger(first, unique_index_prefix).read_cells())["state"] == State.LOADING
    second = Server(search_url)
    cell = work(second, manifest, staging, store, unique_index_prefix).load()
    assert (cell.indexed, cell.problem) == (EVENTS, None)
    assert len(set(first.sent) & set(second.sent)) <= 40, "more than two requests for each sender"
    assert len(second.sent) <= EVENTS - 10 * max(0, kill_after - 4)
    assert store.get(STATE_KEY) is None


@pytest.mark.promise("restartable")
def test_a_finished_load_costs_no_bulk_request(
    search_url: str, staging: Staging, manifest: Manifest, unique_index_prefix: str
) -> None:
    """With force, everything is sent again, with the same result."""
    store = InMemoryStore()
    first = work(Server(search_url), manifest, staging, store, unique_index_prefix).load()
    again = Server(search_url)
    assert work(again, manifest, staging, store, unique_index_prefix).load() == first
    assert again.sent == []
    assert work(again, manifest, staging, store, unique_index_prefix).load_again() == first
    assert len(again.sent) == EVENTS


@pytest.mark.promise("restartable")
def test_documents_that_the_server_lost_are_sent_again(
    search_url: str, staging: Staging, manifest: Manifest, unique_index_prefix: str
) -> None:
    """The saved progress counts acknowledged events; the presence check finds that they are gone."""
    store = InMemoryStore()
    with pytest.raises(Killed):
        work(Server(search_url, 6), manifest, staging, store, unique_index_prefix).load()
    connect(SearchSettings.from_url(search_url)).request("DELETE", f"/{unique_index_prefix}")
    cell = work(Server(search_url), manifest, staging, store, unique_index_prefix).load()
    assert (cell.indexed, cell.problem) == (EVENTS, None)


def test_the_progress_of_another_load_is_not_used(
    search_url: str, staging: Staging, manifest: Manifest, unique_index_prefix: str
) -> None:
    """If the index is another one, everything is sent."""
    store = InMemoryStore()
    with pytest.raises(Killed):
        work(Server(search_url, 6), manifest, staging, store, unique_index_prefix).load()
    other = Server(search_url)
    cell = work(other, manifest, staging, store, f"{unique_index_prefix}-other").load()
    assert cell.indexed == len(other.sent) == EVENTS


def test_a_window_that_is_fetched_again_during_its_load_is_loaded_again(
    search_url: str, staging: Staging, manifest: Manifest, unique_index_prefix: str
) -> None:
    """Its parts are gone, which is not damage: the next attempt loads the new ones."""
    from cloudtrail_elasticsearch.core.errors import TransientError

    again = stage(staging, "2")
    staging.tidy(WINDOW, again, ["1"])
    with pytest.raises(TransientError, match="was fetched again meanwhile"):
        work(Server(search_url), manifest, staging, InMemoryStore(), unique_index_prefix).load()
