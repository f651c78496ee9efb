"""The log files of a simulated trail: names, content, times, and the truth about them."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from devstack.simulator import ManualClock, SimulatorSettings
from devstack.simulator.generator import Generator
from devstack.simulator.service import Service
from devstack.simulator.store import Span
from devstack.simulator.trails import (
    Cell,
    Kind,
    MemoryBucket,
    Stop,
    Switches,
    Volumes,
    Written,
    plan_organization,
    write_trail,
)
from devstack.simulator.trails.foreign import write_foreign_objects
from tests.simulator.trails import DAY, REGIONS, SMALL, TRAIL, small_plan

_NAME = re.compile(
    r"logs/AWSLogs/o-exampleorgid/(?P<account>\d{12})/(?P<kind>CloudTrail[\w-]*)/(?P<region>[\w-]+)"
    r"/(?P<day>\d{4}/\d\d/\d\d)/(?P=account)_(?P=kind)_(?P=region)_(?P<time>\d{8}T\d{4}Z)_[A-Za-z0-9]{16}\.json\.gz"
)
HOUR = 3600


@pytest.fixture(scope="module")
def bucket() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture(scope="module")
def written(bucket: MemoryBucket) -> Written:
    return write_trail(small_plan(), bucket)


def records(bucket: MemoryBucket, key: str) -> list[dict[str, object]]:
    """Return the records of a log file."""
    return list(orjson.loads(gzip.decompress(bucket.get(key).body))["Records"])


def identity(record: dict[str, object]) -> object:
    """Return the id of an event; an aggregated event spells it differently."""
    return record.get("eventID", record.get("eventId"))


def test_the_names_are_those_of_cloudtrail(written: Written) -> None:
    """Account, folder, region, day and minute of the delivery, and 16 random characters."""
    for file in written.log_files:
        name = _NAME.fullmatch(file.key)
        assert name is not None, file.key
        time = datetime.fromtimestamp(file.delivered, UTC)
        assert (name["account"], name["kind"], name["region"]) == (file.account, file.kind, file.region)
        assert (name["day"], name["time"]) == (f"{time:%Y/%m/%d}", f"{time:%Y%m%dT%H%MZ}")
    assert len({file.key for file in written.log_files}) == len(written.log_files)


def test_a_log_file_is_one_line_of_gzip(bucket: MemoryBucket, written: Written) -> None:
    """It has no line end, and the truth has its hash, size and eventIDs."""
    for file in written.log_files:
        body = bucket.get(file.key).body
        content = gzip.decompress(body)
        assert content.startswith(b'{"Records":[{')
        assert b"\n" not in content
        assert file.size == len(body)
        assert [identity(record) for record in records(bucket, file.key)] == list(file.event_ids)


def test_every_kind_of_event_is_delivered_in_its_folder(bucket: MemoryBucket, written: Written) -> None:
    """Management and data events share a folder, the others have folders of their own."""
    categories: dict[Kind, set[object]] = {kind: set() for kind in Kind}
    for file in written.log_files:
        categories[file.kind] |= {record["eventCategory"] for record in records(bucket, file.key)}
    assert categories == {
        Kind.EVENTS: {"Management", "Data"},
        Kind.INSIGHTS: {"Insight"},
        Kind.NETWORK_ACTIVITY: {"NetworkActivity"},
        Kind.AGGREGATED: {"Aggregated"},
    }


def test_an_insight_has_a_start_and_an_end(bucket: MemoryBucket, written: Written) -> None:
    """Both share sharedEventID, and each has an eventID of its own."""
    states: dict[object, list[object]] = {}
    for file in written.log_files:
        if file.kind is Kind.INSIGHTS:
            for record in records(bucket, file.key):
                details = record["insightDetails"]
                assert isinstance(details, dict)
                states.setdefault(record["sharedEventID"], []).append(details["state"])
    assert states
    assert all(sorted(map(str, pair)) == ["End", "Start"] for pair in states.values())


def test_most_events_are_delivered_within_ten_minutes(bucket: MemoryBucket, written: Written) -> None:
    """Every event is older than its log file; a few are hours older, and some are of the day before."""
    ages = []
    for file in written.log_files:
        for record in records(bucket, file.key):
            window = record.get("timeWindow")
            time = window["windowEnd"] if isinstance(window, dict) else record["eventTime"]
            ages.append(file.delivered - datetime.fromisoformat(str(time)).timestamp())
    assert min(ages) >= 0
    assert sum(age <= 600 for age in ages) > 0.95 * len(ages)
    assert max(ages) > 1800
    assert {file.day for file in written.log_files} == {DAY}


def test_the_events_are_those_of_lookup_events() -> None:
    """Every management event that is old enough is delivered, with its id; of busy and of quiet accounts."""
    plan = small_plan(volumes=replace(SMALL, quiet=0.9))
    written = write_trail(plan, MemoryBucket())
    settings = SimulatorSettings(volume=SMALL.management, activity=plan.activity())
    service = Service.make(settings, ManualClock(plan.end + 7 * 86_400))
    for account in plan.accounts:
        span = Span(account, "us-east-1", plan.start, plan.end - 3 * HOUR)
        looked_up = {entry.id for entry in service.truth(span)}
        assert looked_up
        assert looked_up <= written.event_ids(Kind.EVENTS)


def test_a_busy_time_has_several_log_files_a_minute() -> None:
    """A log file has at most as many events as the plan allows."""
    plan = small_plan(most=2, hours=2, volumes=Volumes(management=6000, data=0))
    written = write_trail(plan, MemoryBucket())
    files = [file for file in written.log_files if file.kind is Kind.EVENTS and file.region == "us-east-1"]
    assert max(Counter(file.key.split("_")[-2] for file in files).values()) > 2
    assert {len(file.event_ids) for file in files} <= {1, 2}


def test_quiet_accounts_have_few_events_or_none() -> None:
    """The other accounts of an organization have less than a hundredth of the events of the busy one."""
    plan = plan_organization(TRAIL, DAY, accounts=20, regions=REGIONS)
    assert len(set(plan.accounts)) == 20
    busy, *quiet = plan.accounts
    counts = {name: _count(plan.sources[0].events, name) for name in plan.accounts}
    assert counts[busy] > 1000
    assert max(counts[name] for name in quiet) < counts[busy] / 100
    assert min(counts[name] for name in quiet) == 0


def _count(store: object, account: str) -> int:
    assert isinstance(store, Generator)
    return store.count(store.day(account, "us-east-1", DAY))


def test_equal_plans_make_equal_objects(bucket: MemoryBucket, written: Written) -> None:
    """Every process makes the same keys, bodies and signatures."""
    again = MemoryBucket()
    assert write_trail(small_plan(), again) == written
    assert again.objects == bucket.objects


@pytest.mark.slow
def test_several_processes_make_the_same_objects(bucket: MemoryBucket, written: Written) -> None:
    """Two processes make what one makes, in the same order."""
    again = MemoryBucket()
    assert write_trail(small_plan(), again, processes=2) == written
    assert again.objects == bucket.objects


def test_the_truth_lists_each_cell(written: Written) -> None:
    """A cell has the log files of an account, a region and a day."""
    cells = written.cells()
    assert sum(map(len, cells.values())) == len(written.log_files)
    assert all(file.day == cell.day for cell, files in cells.items() for file in files)
    assert Cell(TRAIL.account, "us-east-1", DAY) in cells


def test_duplicates_are_in_two_log_files() -> None:
    """The truth names them; nothing else is in two files."""
    written = write_trail(small_plan(switches=Switches(duplicates=0.1)), MemoryBucket())
    assert 0 < len(written.duplicates()) < 0.2 * len(written.event_ids())
    assert not write_trail(small_plan(hours=3), MemoryBucket()).duplicates()


def test_late_log_files_arrive_when_the_day_is_over() -> None:
    """What arrives until a time and what arrives from then on are the whole; late files keep their old names."""
    plan = small_plan(switches=Switches(late=0.2, late_by=(26 * HOUR, 30 * HOUR)))
    bucket, settled = MemoryBucket(), plan.end + 2 * HOUR
    first = write_trail(plan, bucket, (0, settled))
    assert not first.late()
    second = write_trail(plan, bucket, (settled, plan.end + 40 * HOUR))
    assert second.late() == tuple(file.key for file in second.log_files)
    assert {file.day for file in second.log_files} == {DAY}
    assert all(digest.is_backfill for digest in second.digests)
    whole = write_trail(plan, MemoryBucket())
    assert set((first + second).log_files) == set(whole.log_files)


def test_a_stopped_trail_delivers_nothing_of_that_time(written: Written) -> None:
    """Events of the time are lost, and no log file is delivered in it."""
    start = small_plan().start + 9 * HOUR + 77
    stop = Stop(start, start + 2 * HOUR)
    stopped = write_trail(small_plan(switches=Switches(stops=(stop,))), MemoryBucket())
    assert not [file for file in stopped.log_files if stop.start <= file.delivered < stop.end]
    lost = written.event_ids() - stopped.event_ids()
    assert lost
    assert stopped.event_ids() < written.event_ids()


def test_an_unlisted_log_file_is_in_no_digest() -> None:
    """The truth names the files that no digest lists."""
    written = write_trail(small_plan(switches=Switches(unlisted=0.1)), MemoryBucket())
    listed = {key for digest in written.digests for key in digest.log_files}
    assert written.unlisted()
    assert {file.key for file in written.log_files} - listed == set(written.unlisted())


@pytest.mark.usefixtures("written")
def test_without_validation_there_are_no_digests(bucket: MemoryBucket) -> None:
    """Then the bucket has the same log files and nothing else."""
    plain = MemoryBucket()
    written = write_trail(small_plan(replace(TRAIL, validation=False)), plain)
    assert not written.digests
    assert set(plain.objects) == {key for key in bucket.objects if "-Digest/" not in key}


def test_objects_of_others_are_not_those_of_a_trail() -> None:
    """None has the name of a log file or of a digest, and some stand beside them."""
    bucket = MemoryBucket()
    keys = write_foreign_objects(bucket, TRAIL, TRAIL.account, "us-east-1", DAY)
    assert set(keys) == set(bucket.objects)
    assert not [key for key in keys if _NAME.fullmatch(key)]
    assert any("/CloudTrail/us-east-1/2026/11/20/" in key for key in keys)


def test_a_plan_starts_with_an_hour_and_ends_later() -> None:
    """Other ranges of time are rejected."""
    with pytest.raises(ValueError, match="starts at the start of an hour"):
        small_plan(start=small_plan().start + 5)
    with pytest.raises(ValueError, match="ends later"):
        small_plan(hours=0)


def test_a_log_file_is_late_only_after_its_digest() -> None:
    """Log files that arrive sooner would be in the digest of their hour."""
    with pytest.raises(ValueError, match="2 hours or more"):
        Switches(late=0.1, late_by=(60, 600))
