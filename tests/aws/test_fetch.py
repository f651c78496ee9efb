"""Fetching: boto3 on the wire against the simulator, into a real S3 protocol."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    CredentialsError,
    LoaderError,
    ThrottledError,
    TransientError,
)
from cloudtrail_elasticsearch.core.events import Event, document_id, parse_line
from cloudtrail_elasticsearch.core.pace import Pace
from cloudtrail_elasticsearch.core.state import ForgetfulStore
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.pipeline import fetch as pipeline
from cloudtrail_elasticsearch.sources.lookup_events import LookupEvents
from cloudtrail_elasticsearch.staging import Manifest, Staging
from devstack.simulator import DEFAULT_ACCOUNT, REGIONS, Fault, FaultKind, Simulator, SimulatorSettings

DAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
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
    return LookupEvents(client(simulator, window), Pace(1e9), patience)


def fetch(window: Window, source: LookupEvents, staging: Staging) -> Manifest:
    return pipeline.fetch(window, source, staging, ForgetfulStore())


def staged_ids(staging: Staging, manifest: Manifest) -> list[str]:
    events = [parse_line(line) for part in manifest.parts for line in staging.lines(part)]
    return [document_id(event) for event in events if isinstance(event, Event)]


def truth(simulator: Simulator, window: Window) -> list[str]:
    return list(simulator.truth(window.region, window.start, window.end - timedelta(seconds=1)))


def test_every_event_of_the_window_is_staged_once(simulator: Simulator, staging: Staging) -> None:
    """By eventID: what is staged is what happened, newest first, and the manifest counts it."""
    manifest = fetch(BUSY, source(simulator, BUSY), staging)
    expected = truth(simulator, BUSY)
    assert len(expected) > 100
    assert staged_ids(staging, manifest) == expected
    assert (manifest.looked_up, manifest.staged, manifest.duplicates) == (len(expected), len(expected), 0)
    assert staging.manifest(BUSY) == manifest


def test_days_join_without_a_gap_or_an_overlap(simulator: Simulator, staging: Staging) -> None:
    """Two halves of a day have the day's events, each once: ends are excluded, starts included."""
    noon = DAY + timedelta(hours=12)
    halves = [Window(BUSY.account, BUSY.region, DAY, noon), Window(BUSY.account, BUSY.region, noon, BUSY.end)]
    ids = [staged_ids(staging, fetch(half, source(simulator, half), staging)) for half in halves]
    assert ids[1] + ids[0] == truth(simulator, BUSY)


def test_events_are_staged_exactly_as_cloudtrail_gave_them(simulator: Simulator, staging: Staging) -> None:
    """The record's own text, byte for byte, beside what LookupEvents wrote around it."""
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


def test_a_quiet_region_costs_one_call(simulator: Simulator, staging: Staging) -> None:
    """Nothing to page, nothing to stage but the manifest."""
    quiet = next(
        window
        for region in REGIONS
        if not truth(simulator, window := Window(DEFAULT_ACCOUNT, region, BUSY.start, BUSY.end))
    )
    manifest = fetch(quiet, source(simulator, quiet), staging)
    assert (manifest.calls, manifest.staged, manifest.parts) == (1, 0, ())


@pytest.mark.parametrize(
    "kind", ["THROTTLE", "INTERNAL_FAILURE", "SERVICE_UNAVAILABLE", "RESET", "RESET_AFTER_RESPONSE"]
)
def test_what_passes_is_tried_again_and_loses_nothing(simulator: Simulator, staging: Staging, kind: str) -> None:
    """Two failures in the middle of a window cost calls, not events; the manifest counts the calls."""
    clean = fetch(BUSY, source(simulator, BUSY), staging).calls
    simulator.service.faults.add(Fault(FaultKind[kind], count=2))
    manifest = fetch(BUSY, source(simulator, BUSY), staging)
    assert staged_ids(staging, manifest) == truth(simulator, BUSY)
    assert manifest.calls == clean + 2


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("THROTTLE", ThrottledError, "slow down"),
        ("SERVICE_UNAVAILABLE", TransientError, "passing fault"),
        ("EXPIRED_CREDENTIALS", TransientError, "credentials have expired"),
        ("ACCESS_DENIED", AccessDeniedError, "permission cloudtrail:LookupEvents is missing"),
    ],
)
def test_what_does_not_pass_is_told(
    simulator: Simulator, staging: Staging, kind: str, error: type[LoaderError], words: str
) -> None:
    """The error names the window and says what it is; no manifest is written."""
    simulator.service.faults.add(Fault(FaultKind[kind]))
    with pytest.raises(error, match=words) as raised:
        fetch(BUSY, source(simulator, BUSY, patience=0), staging)
    assert BUSY.name in str(raised.value)
    assert staging.manifest(BUSY) is None


def test_unknown_credentials_are_told(aws: str, bucket: str) -> None:
    """A key that AWS does not know is a sentence about credentials."""
    with Simulator(SimulatorSettings(quota=1e6, latency=0, volume=10, default_account=None)) as strict:
        staging = Staging(boto3.client("s3", endpoint_url=aws, region_name="us-east-1"), bucket)
        with pytest.raises(CredentialsError, match="does not accept the credentials"):
            fetch(BUSY, source(strict, BUSY), staging)


class Client:
    """A LookupEvents client whose pages are given."""

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


def test_an_event_that_comes_twice_is_staged_once(staging: Staging) -> None:
    """On the same page or on the next; it is counted as a duplicate."""
    pages = [event(1), event(2), event(2)], [event(2), event(3)]
    manifest = fetch(BUSY, LookupEvents(Client(*pages), Pace(1e9)), staging)
    assert (manifest.looked_up, manifest.staged, manifest.duplicates) == (5, 3, 2)


@pytest.mark.parametrize("text", ["", "<xml/>", "[1]", '{\n"eventID": "x"}', '{"a":', '{"a":"\ud800"}'])
def test_an_odd_record_is_staged_whole(staging: Staging, text: str) -> None:
    """What is not a JSON object on one line is staged as text, and nothing of it is lost."""
    manifest = fetch(BUSY, LookupEvents(Client([event(1, text)]), Pace(1e9)), staging)
    (line,) = staging.lines(manifest.parts[0])
    from cloudtrail_elasticsearch.core import codec

    assert codec.decode(line)["event"] == text
