"""A load that is cut off goes on where it was: what the server has acknowledged is not sent again."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import orjson
import pytest

from cloudtrail_elasticsearch.core.coverage import State
from cloudtrail_elasticsearch.core.events import LookedUpEvent
from cloudtrail_elasticsearch.core.ledger import Ledger
from cloudtrail_elasticsearch.core.load import Loader, LoadSettings
from cloudtrail_elasticsearch.core.mapping import IndexPattern
from cloudtrail_elasticsearch.core.own import OwnEvents
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.shape import build
from cloudtrail_elasticsearch.core.state import ForgetfulStore, StateStore
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.pipeline.load import STATE_KEY, WindowLoad
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.staging import Manifest, Part, Staging
from cloudtrail_elasticsearch.staging.parts import PartBuilder

START = datetime(2026, 11, 20, tzinfo=UTC)
WINDOW = Window("123456789012", "eu-west-1", START, START + timedelta(days=1))
PARTS, EVENTS_PER_PART = 4, 25
EVENTS = PARTS * EVENTS_PER_PART


class Killed(BaseException):
    """What stands for `kill -9`."""


class Server:
    """A search server that counts what is sent, and at which its user is killed after so many bulk requests."""

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
            self.sent += [action["index"]["_id"] for action in actions if "index" in action]
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
        account=WINDOW.account,
        region=WINDOW.region,
        start=WINDOW.start,
        end=WINDOW.end,
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


def part(number: int) -> PartBuilder:
    builder = PartBuilder()
    for event in range(number * EVENTS_PER_PART, (number + 1) * EVENTS_PER_PART):
        time = START + timedelta(seconds=EVENTS - event)
        record = {"eventID": identifier(event), "eventTime": f"{time:%Y-%m-%dT%H:%M:%SZ}", "eventName": "Any"}
        builder.add([LookedUpEvent(identifier(event), time, orjson.dumps(record))])
    return builder


def identifier(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def work(server: Server, manifest: Manifest, staging: Staging, store: StateStore, index: str) -> WindowLoad:
    settings = LoadSettings(request_items=10, senders=2, patience=30, longest_pause=0.1)
    pattern = IndexPattern(index)
    loader = Loader(server, pattern, build("flattened", load_rules()), settings, OwnEvents.KEEP)
    return WindowLoad(manifest, staging, loader, store)


@pytest.mark.parametrize("kill_after", [0, 1, 4, 9])
def test_a_killed_load_goes_on(
    search_url: str, staging: Staging, manifest: Manifest, unique_index_prefix: str, kill_after: int
) -> None:
    """What was acknowledged before the kill is not sent again, but for what was on its way with it."""
    store = ForgetfulStore()
    first = Server(search_url, kill_after)
    with pytest.raises(Killed):
        work(first, manifest, staging, store, unique_index_prefix).load()
    assert next(Ledger(first, unique_index_prefix).cells())["state"] == State.LOADING
    second = Server(search_url)
    cell = work(second, manifest, staging, store, unique_index_prefix).load()
    assert (cell.indexed, cell.problem) == (EVENTS, None)
    assert len(set(first.sent) & set(second.sent)) <= 40, "more than two requests for each sender"
    assert len(second.sent) <= EVENTS - 10 * max(0, kill_after - 4)
    assert store.get(STATE_KEY) is None


def test_a_finished_load_costs_no_bulk_request(
    search_url: str, staging: Staging, manifest: Manifest, unique_index_prefix: str
) -> None:
    """And with force everything is sent again, to the same end."""
    store = ForgetfulStore()
    first = work(Server(search_url), manifest, staging, store, unique_index_prefix).load()
    again = Server(search_url)
    assert work(again, manifest, staging, store, unique_index_prefix).load() == first
    assert again.sent == []
    assert work(again, manifest, staging, store, unique_index_prefix).load_again() == first
    assert len(again.sent) == EVENTS


def test_what_the_server_lost_between_two_attempts_is_sent_again(
    search_url: str, staging: Staging, manifest: Manifest, unique_index_prefix: str
) -> None:
    """Progress says what was acknowledged; whether it is there is asked of the server."""
    store = ForgetfulStore()
    with pytest.raises(Killed):
        work(Server(search_url, 6), manifest, staging, store, unique_index_prefix).load()
    connect(SearchSettings.from_url(search_url)).request("DELETE", f"/{unique_index_prefix}")
    cell = work(Server(search_url), manifest, staging, store, unique_index_prefix).load()
    assert (cell.indexed, cell.problem) == (EVENTS, None)


def test_the_progress_of_another_load_is_not_used(
    search_url: str, staging: Staging, manifest: Manifest, unique_index_prefix: str
) -> None:
    """Into another index, everything is sent."""
    store = ForgetfulStore()
    with pytest.raises(Killed):
        work(Server(search_url, 6), manifest, staging, store, unique_index_prefix).load()
    other = Server(search_url)
    cell = work(other, manifest, staging, store, f"{unique_index_prefix}-other").load()
    assert cell.indexed == len(other.sent) == EVENTS


def test_a_window_that_is_fetched_again_while_it_is_loaded_is_loaded_again(
    search_url: str, staging: Staging, manifest: Manifest, unique_index_prefix: str
) -> None:
    """Its parts are gone, and that is no damage: the next attempt loads the new ones."""
    from cloudtrail_elasticsearch.core.errors import TransientError

    again = stage(staging, "2")
    staging.tidy(WINDOW, again, ["1"])
    with pytest.raises(TransientError, match="was fetched again meanwhile"):
        work(Server(search_url), manifest, staging, ForgetfulStore(), unique_index_prefix).load()
