"""Fetching with boto3 from the simulator, over HTTP, into a bucket with the real S3 protocol."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.documents.events import Event, document_id, parse_line
from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    CredentialsError,
    LoaderError,
    ThrottledError,
    TransientError,
)
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents, Page
from cloudtrail_elasticsearch.sources.lookup_events.fetch import fetch as fetch_window
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from cloudtrail_elasticsearch.staging import Manifest, Staging
from devstack.simulator import DEFAULT_ACCOUNT, REGIONS, Fault, FaultKind, Simulator, SimulatorSettings
from tests.clock import today

DAY = midnight(today()) - timedelta(days=2)
BUSY = Window(DEFAULT_ACCOUNT, "us-east-1", DAY, DAY + timedelta(days=1))


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(SimulatorSettings(quota=1e6, burst=1_000_000, latency=0, volume=300)) as running:
        yield running


@pytest.fixture(autouse=True)
def no_faults(simulator: Simulator) -> Iterator[None]:
    yield
    simulator.service.faults.clear()


@pytest.fixture
def staging(aws: str, bucket: str) -> Staging:
    return Staging(boto3.client("s3", endpoint_url=aws, region_name="us-east-1"), bucket)


def client(simulator: Simulator, window: Window) -> Any:
    return boto3.client(
        "cloudtrail",
        endpoint_url=simulator.endpoint_url,
        region_name=window.region,
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
    )


def source(simulator: Simulator, window: Window, patience: float = 30) -> LookupEvents:
    return LookupEvents(client(simulator, window), RateLimiter(1e9), patience)


def fetch(window: Window, source: LookupEvents, staging: Staging) -> Manifest:
    return fetch_window(window, source, staging, InMemoryStore())


def staged_ids(staging: Staging, manifest: Manifest) -> list[str]:
    events = [parse_line(line) for part in manifest.parts for line in staging.lines(part)]
    return [document_id(event) for event in events if isinstance(event, Event)]


def truth(simulator: Simulator, window: Window) -> list[str]:
    return list(simulator.truth(window.region, window.start, window.end - timedelta(seconds=1)))


@pytest.mark.promise("nothing-lost")
def test_every_event_of_the_window_is_staged_once(simulator: Simulator, staging: Staging) -> None:
    """By eventID: the staged events are those that happened, newest first, and the manifest counts them."""
    manifest = fetch(BUSY, source(simulator, BUSY), staging)
    expected = truth(simulator, BUSY)
    assert len(expected) > 100
    assert staged_ids(staging, manifest) == expected
    assert (manifest.looked_up, manifest.staged, manifest.duplicates) == (len(expected), len(expected), 0)
    assert staging.manifest(BUSY) == manifest


@pytest.mark.promise("nothing-lost")
def test_days_join_without_a_gap_or_an_overlap(simulator: Simulator, staging: Staging) -> None:
    """Two halves of a day have the day's events, each once: ends are excluded, starts included."""
    noon = DAY + timedelta(hours=12)
    halves = [Window(BUSY.account, BUSY.region, DAY, noon), Window(BUSY.account, BUSY.region, noon, BUSY.end)]
    ids = [staged_ids(staging, fetch(half, source(simulator, half), staging)) for half in halves]
    assert ids[1] + ids[0] == truth(simulator, BUSY)


def test_events_are_staged_exactly_as_cloudtrail_gave_them(simulator: Simulator, staging: Staging) -> None:
    """The record's own text, byte for byte, beside the members that LookupEvents wrote around it."""
    manifest = fetch(BUSY, source(simulator, BUSY), staging)
    page = client(simulator, BUSY).lookup_events(StartTime=BUSY.start, EndTime=BUSY.end - timedelta(seconds=1))[
        "Events"
    ]
    lines = list(staging.lines(manifest.parts[0]))
    for event, line in zip(page, lines, strict=False):
        assert b'"event":' + event["CloudTrailEvent"].encode() + b"}" in line
        parsed = parse_line(line)
        assert isinstance(parsed, Event)
        assert parsed.lookup["Username"] == event["Username"] if "Username" in event else True
        assert parsed.lookup.get("Resources") == event.get("Resources")


@pytest.mark.promise("bounded")
def test_a_quiet_region_costs_one_call(simulator: Simulator, staging: Staging) -> None:
    """No page, and only the manifest to write."""
    quiet = next(
        window
        for region in REGIONS
        if not truth(simulator, window := Window(DEFAULT_ACCOUNT, region, BUSY.start, BUSY.end))
    )
    manifest = fetch(quiet, source(simulator, quiet), staging)
    assert (manifest.calls, manifest.staged, manifest.parts) == (1, 0, ())


@pytest.mark.promise("nothing-lost", "polite")
@pytest.mark.parametrize(
    "kind", ["THROTTLE", "INTERNAL_FAILURE", "SERVICE_UNAVAILABLE", "RESET", "RESET_AFTER_RESPONSE"]
)
def test_transient_errors_are_retried_and_lose_nothing(
    simulator: Simulator, staging: Staging, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Two failures in the middle of a window cost calls, not events; the manifest counts the calls."""
    asked = source(simulator, BUSY)
    pages: list[Page] = []
    request_page = asked.request_page

    def record(*arguments: Any) -> Page:
        pages.append(page := request_page(*arguments))
        return page

    monkeypatch.setattr(asked, "request_page", record)
    simulator.service.faults.add(Fault(FaultKind[kind], count=2))
    manifest = fetch(BUSY, asked, staging)
    assert staged_ids(staging, manifest) == truth(simulator, BUSY)
    # Not compared with another fetch: how a window is divided, and so its pages, follows from the calls' duration.
    assert manifest.calls == asked.calls == len(pages) + 2


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("THROTTLE", ThrottledError, "throttled"),
        ("SERVICE_UNAVAILABLE", TransientError, "temporary fault"),
        ("EXPIRED_CREDENTIALS", TransientError, "credentials have expired"),
        ("ACCESS_DENIED", AccessDeniedError, "permission cloudtrail:LookupEvents is missing"),
    ],
)
def test_a_permanent_error_fails_the_fetch(
    simulator: Simulator, staging: Staging, kind: str, error: type[LoaderError], words: str
) -> None:
    """The error names the window and the reason; no manifest is written."""
    simulator.service.faults.add(Fault(FaultKind[kind]))
    with pytest.raises(error, match=words) as raised:
        fetch(BUSY, source(simulator, BUSY, patience=0), staging)
    assert BUSY.name in str(raised.value)
    assert staging.manifest(BUSY) is None


def test_unknown_credentials_are_reported(aws: str, bucket: str) -> None:
    """The error for a key that AWS does not know is about credentials."""
    with Simulator(SimulatorSettings(quota=1e6, latency=0, volume=10, default_account=None)) as strict:
        staging = Staging(boto3.client("s3", endpoint_url=aws, region_name="us-east-1"), bucket)
        with pytest.raises(CredentialsError, match="does not accept the credentials"):
            fetch(BUSY, source(strict, BUSY), staging)


class Client:
    """A LookupEvents client that returns given pages."""

    def __init__(self, *pages: list[dict[str, Any]]) -> None:
        self._pages = list(pages)

    def lookup_events(self, **_: Any) -> dict[str, Any]:
        page = self._pages.pop(0)
        more = {"NextToken": "next"} if self._pages else {}
        return {"Events": page, "ResponseMetadata": {"RetryAttempts": 0}, **more}


def event(number: int, text: str | None = None) -> dict[str, Any]:
    identifier = f"00000000-0000-0000-0000-{number:012d}"
    return {
        "EventId": identifier,
        "EventTime": DAY,
        "CloudTrailEvent": text if text is not None else f'{{"eventID":"{identifier}"}}',
    }


@pytest.mark.promise("no-duplicates")
def test_a_repeated_event_is_staged_once(staging: Staging) -> None:
    """On the same page or on the next one; it counts as a duplicate."""
    pages = [event(1), event(2), event(2)], [event(2), event(3)]
    manifest = fetch(BUSY, LookupEvents(Client(*pages), RateLimiter(1e9)), staging)
    assert (manifest.looked_up, manifest.staged, manifest.duplicates) == (5, 3, 2)


@pytest.mark.parametrize("text", ["", "<xml/>", "[1]", '{\n"eventID": "x"}', '{"a":', '{"a":"\ud800"}'])
def test_an_odd_record_is_staged_whole(staging: Staging, text: str) -> None:
    """A record that is not a JSON object on one line is staged as text, and nothing of it is lost."""
    manifest = fetch(BUSY, LookupEvents(Client([event(1, text)]), RateLimiter(1e9)), staging)
    (line,) = staging.lines(manifest.parts[0])
    from cloudtrail_elasticsearch.core.encoding import codec

    assert codec.decode(line)["event"] == text
