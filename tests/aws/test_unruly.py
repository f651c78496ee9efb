"""Fetching over HTTP from a LookupEvents with strays, disorder, repeats and tokens that make no progress."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.documents.events import staged_event
from cloudtrail_elasticsearch.core.errors import StuckLookupError
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.sources.lookup_events import scheduler
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.fetch import fetch as fetch_window
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from cloudtrail_elasticsearch.staging import Manifest, Staging
from devstack.simulator import DEFAULT_ACCOUNT, Answers, Recorded, Simulator, SimulatorSettings
from tests.clock import today

DAY = midnight(today()) - timedelta(days=2)
BUSY = Window(DEFAULT_ACCOUNT, "us-east-1", DAY, DAY + timedelta(days=1))
CROWDED = DAY + timedelta(hours=5)


@pytest.fixture
def staging(aws: str, bucket: str) -> Staging:
    return Staging(boto3.client("s3", endpoint_url=aws, region_name="us-east-1"), bucket)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(SimulatorSettings(quota=1e6, burst=1_000_000, latency=0, volume=900)) as running:
        yield running


@pytest.fixture(autouse=True)
def as_it_should(simulator: Simulator) -> Iterator[None]:
    yield
    simulator.service.lookup.answers = Answers()


def source(simulator: Simulator) -> LookupEvents:
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=10)
    client = boto3.client(
        "cloudtrail", endpoint_url=simulator.endpoint_url, region_name=BUSY.region, config=config
    )
    return LookupEvents(client, RateLimiter(1e9), patience=5)


def fetch(simulator: Simulator, staging: Staging, store: Any = None) -> Manifest:
    return fetch_window(BUSY, source(simulator), staging, store or InMemoryStore())


def staged_ids(staging: Staging, manifest: Manifest) -> list[str]:
    return sorted(staged_event(line).id for part in manifest.parts for line in staging.lines(part))


def truth(simulator: Simulator) -> list[str]:
    return sorted(simulator.truth(BUSY.region, BUSY.start, BUSY.end - timedelta(seconds=1)))


def calls(simulator: Simulator) -> int:
    return simulator.service.statistics.regions[BUSY.region].calls


UNRULY = {
    "one stray on the first page": Answers(strays=1, strays_on=1),
    "strays on every page": Answers(strays=3),
    "disorder of 30 s": Answers(order="disordered", disorder=30),
    "disorder of 10 h": Answers(order="disordered", disorder=36_000),
    "oldest first": Answers(order="oldest"),
    "repeated events": Answers(repeats=10),
    "all of it": Answers(order="disordered", disorder=600, strays=2, repeats=5),
}


@pytest.mark.promise("nothing-lost", "order-free")
@pytest.mark.parametrize("is_divided", [False, True])
@pytest.mark.parametrize("answers", UNRULY.values(), ids=UNRULY)
def test_every_event_is_staged_once_whatever_the_order(
    simulator: Simulator,
    staging: Staging,
    monkeypatch: pytest.MonkeyPatch,
    answers: Answers,
    is_divided: bool,
) -> None:
    """No stray is staged, none ends a slice, and all are counted; repeated events are duplicates."""
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda pages, *_: is_divided and pages < 3)
    simulator.service.lookup.answers = answers
    manifest = fetch(simulator, staging)
    expected = truth(simulator)
    assert len(expected) > 500
    assert staged_ids(staging, manifest) == expected
    assert manifest.looked_up == manifest.staged + manifest.duplicates
    assert bool(manifest.strays) == bool(answers.strays)
    assert bool(manifest.duplicates) == bool(answers.repeats)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (Answers(tokens="looping"), "(a NextToken|a page) again"),
        (Answers(tokens="same_page"), "a page again"),
        (Answers(tokens="empty_pages"), "50 pages in a row without a new event"),
    ],
)
@pytest.mark.parametrize("is_divided", [False, True])
def test_a_query_without_progress_fails_the_fetch(
    simulator: Simulator,
    staging: Staging,
    monkeypatch: pytest.MonkeyPatch,
    answers: Answers,
    why: str,
    is_divided: bool,
) -> None:
    """The error names the window and the range; the attempt after AWS recovers stages every event once."""
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda pages, *_: is_divided and pages < 2)
    simulator.service.lookup.answers = answers
    store, before = InMemoryStore(), calls(simulator)
    with pytest.raises(StuckLookupError, match=why) as raised:
        fetch(simulator, staging, store)
    assert BUSY.name in str(raised.value)
    assert calls(simulator) - before < 20 + 70 * scheduler.MOST_STUCK
    assert staging.manifest(BUSY) is None
    simulator.service.lookup.answers = Answers()
    manifest = fetch(simulator, staging, store)
    assert staged_ids(staging, manifest) == truth(simulator)
    assert manifest.attempts == 2
    assert manifest.looked_up == manifest.staged + manifest.duplicates


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Simulator]:
    """Five hundred events in one second, and forty in others."""
    seconds = [CROWDED] * 500 + [CROWDED + timedelta(seconds=number - 40) for number in range(40)]
    records = [
        {"eventID": str(uuid.UUID(int=number, version=4)), "eventTime": f"{time:%Y-%m-%dT%H:%M:%SZ}"}
        | {"awsRegion": BUSY.region, "recipientAccountId": BUSY.account, "eventName": "X"}
        for number, time in enumerate(seconds)
    ]
    file = tmp_path / "crowded.ndjson"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    settings = SimulatorSettings(quota=1e6, burst=10**6, latency=0, volume=0, recorded=Recorded((file,)))
    with Simulator(settings) as running:
        yield running


def test_a_second_whose_tokens_always_expire_is_reported_and_the_others_are_looked_up(
    crowded: Simulator, staging: Staging
) -> None:
    """Each query returns 100 of its 500 events; after a few, the next attempt gets all of them."""
    crowded.service.lookup.answers = Answers(expire_at_use=2)
    store = InMemoryStore()
    with pytest.raises(StuckLookupError, match="token expired again") as raised:
        fetch(crowded, staging, store)
    assert f"between {CROWDED:%Y-%m-%dT%H:%M:%SZ} and {CROWDED + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}" in str(
        raised.value
    )
    assert calls(crowded) < 250
    crowded.service.lookup.answers = Answers()
    before = crowded.service.statistics.regions[BUSY.region].events
    manifest = fetch(crowded, staging, store)
    assert staged_ids(staging, manifest) == truth(crowded)
    assert crowded.service.statistics.regions[BUSY.region].events - before == 500


def test_queries_whose_tokens_expire_are_divided_until_they_do_not(simulator: Simulator, staging: Staging) -> None:
    """A token that fails at its second use limits a query to 100 events, but not a window."""
    simulator.service.lookup.answers = Answers(expire_at_use=2)
    manifest = fetch(simulator, staging)
    assert staged_ids(staging, manifest) == truth(simulator)
    assert manifest.duplicates == 0


ODD = {
    "no time": Answers(without=("EventTime",)),
    "no id": Answers(without=("EventId",)),
    "neither": Answers(without=("EventTime", "EventId")),
    "a time that is text": Answers(instead=(("EventTime", "soon"),)),
    "a time that is an object": Answers(instead=(("EventTime", {}),)),
    "a time that no calendar has": Answers(instead=(("EventTime", 1e300),)),
    "an id that is a number": Answers(instead=(("EventId", 7),)),
    "one id for all": Answers(instead=(("EventId", "-"),)),
    "an empty id": Answers(instead=(("EventId", ""),)),
    "resources that are none": Answers(instead=(("Resources", 5),)),
}


@pytest.mark.parametrize("is_divided", [False, True])
@pytest.mark.parametrize("answers", ODD.values(), ids=ODD)
def test_an_id_or_time_that_an_answer_lacks_is_read_from_the_record(
    simulator: Simulator,
    staging: Staging,
    monkeypatch: pytest.MonkeyPatch,
    answers: Answers,
    is_divided: bool,
) -> None:
    """These events are staged like all others."""
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda pages, *_: is_divided and pages < 2)
    simulator.service.lookup.answers = answers
    manifest = fetch(simulator, staging)
    assert staged_ids(staging, manifest) == truth(simulator)
    assert (manifest.strays, manifest.duplicates) == (0, 0)
    assert BUSY.start <= manifest.parts[0].last < BUSY.end


@pytest.mark.parametrize("is_divided", [False, True])
@pytest.mark.parametrize("text", [None, "", "<xml/>", 5, {"a": 1}])
def test_events_without_any_time_are_staged(
    simulator: Simulator, staging: Staging, monkeypatch: pytest.MonkeyPatch, text: Any, is_divided: bool
) -> None:
    """Neither LookupEvents nor the record has a time: the event belongs to the requested window."""
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda pages, *_: is_divided and pages < 2)
    instead = () if text is None else (("CloudTrailEvent", text),)
    without = ("EventTime", *(("CloudTrailEvent",) if text is None else ()))
    simulator.service.lookup.answers = Answers(without=without, instead=instead)
    manifest = fetch(simulator, staging)
    assert staged_ids(staging, manifest) == truth(simulator)
    assert manifest.looked_up == manifest.staged + manifest.duplicates


def test_records_of_another_account_or_region_are_staged_and_counted(
    simulator: Simulator, staging: Staging, caplog: pytest.LogCaptureFixture
) -> None:
    """One log line has their number, and names one of them."""
    record = json.dumps({"awsRegion": "eu-west-1", "recipientAccountId": BUSY.account})
    simulator.service.lookup.answers = Answers(instead=(("CloudTrailEvent", record),))
    manifest = fetch(simulator, staging)
    expected = truth(simulator)
    assert staged_ids(staging, manifest) == expected
    assert manifest.misplaced == len(expected)
    (line,) = [line for line in caplog.messages if "name another account or region" in line]
    assert any(event_id in line for event_id in expected)


def test_strays_are_reported_in_one_line(
    simulator: Simulator,
    staging: Staging,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A stray that is on every page counts once."""
    monkeypatch.setattr(scheduler, "is_worth_dividing", lambda *_: False)
    simulator.service.lookup.answers = Answers(strays=1)
    manifest = fetch(simulator, staging)
    assert manifest.strays == 2
    assert len([line for line in caplog.messages if "outside the window" in line]) == 1
