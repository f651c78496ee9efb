"""Live runs over a folder of a trail: no log file is missed or loaded twice, and a quiet run costs one request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.errors import TransientError
from cloudtrail_elasticsearch.sources.trail import live_progress
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket, open_bucket
from cloudtrail_elasticsearch.sources.trail.follow import GroupBounds
from cloudtrail_elasticsearch.sources.trail.live_progress import Damage, TrailProgress
from devstack.fake_s3 import FakeS3
from devstack.simulator.trails import MemoryBucket
from devstack.storage_faults import StorageFaultKind
from tests.sources.trail.live_folder import (
    MINUTE,
    OVERLAP,
    KilledError,
    LiveFolder,
    count_requests,
)
from tests.sources.trail.local_trail import QUICK

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
EACH_ALONE = GroupBounds(files=1)
NO_TIME = timedelta(0)


@pytest.fixture(scope="module")
def s3() -> Iterator[FakeS3]:
    with FakeS3({"trail": MemoryBucket()}) as running:
        yield running


@pytest.fixture
def bucket(s3: FakeS3) -> TrailBucket:
    return open_bucket(boto3.Session(), "trail", "", QUICK, endpoint_url=s3.endpoint_url)


@pytest.fixture(scope="module")
def shared_bucket(s3: FakeS3) -> TrailBucket:
    """The bucket for the examples of hypothesis, which share the fixtures of a test."""
    return open_bucket(boto3.Session(), "trail", "", QUICK, endpoint_url=s3.endpoint_url)


@pytest.fixture
def folder(s3: FakeS3, bucket: TrailBucket) -> LiveFolder:
    return LiveFolder(s3.buckets["trail"], bucket)


def listings(s3: FakeS3) -> int:
    return s3.requests.as_json().get("list", 0)


RUNS = st.lists(
    st.tuples(
        st.integers(1, 40),  # the minutes since the last run
        st.lists(st.integers(0, 15), max_size=4),  # the age of each file that appears, in minutes
        st.integers(1, 3),  # the most files of a group
        st.booleans(),  # whether there is time for one group only
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.promise("nothing-lost", "no-duplicates")
@given(RUNS, st.integers(0, 24 * 60))
def test_every_file_is_loaded_once_in_whichever_order_files_appear(
    s3: FakeS3, shared_bucket: TrailBucket, runs: list[tuple[int, list[int], int, bool]], first: int
) -> None:
    """A file can appear up to 15 minutes after another one with a later minute in its name, also over midnight."""
    folder = LiveFolder(s3.buckets["trail"], shared_bucket)
    now = NOON + first * MINUTE
    folder.follow(now)
    for minutes, ages, files, is_short in runs:
        now += minutes * MINUTE
        for age in ages:
            folder.deliver(now - age * MINUTE)
        folder.bounds = GroupBounds(files=files)
        folder.follow(now, NO_TIME if is_short else OVERLAP)
    folder.follow(now + MINUTE)
    assert Counter(folder.keys_loaded()) == Counter(folder.delivered)


@pytest.mark.slow
@pytest.mark.promise("restartable")
def test_a_kill_at_any_request_repeats_one_group_at_most(s3: FakeS3) -> None:
    """Also a kill between the load and the record, after which nobody knows that the files are loaded."""
    for survived in range(40):
        bucket = open_bucket(boto3.Session(), "trail", "", QUICK, endpoint_url=s3.endpoint_url)
        folder = LiveFolder(s3.buckets["trail"], bucket, bounds=GroupBounds(files=2))
        folder.follow(NOON)
        for number in range(7):
            folder.deliver(NOON + number * MINUTE)
        count_requests(bucket, folder)
        folder.kill_in = survived
        try:
            folder.follow(NOON + 7 * MINUTE)
        except KilledError:
            folder.follow(NOON + 8 * MINUTE)
        else:
            # The kill came after the end of the run.
            assert survived > 10
            return
        repeated = [key for key, times in Counter(folder.keys_loaded()).items() if times > 1]
        assert set(folder.keys_loaded()) == set(folder.delivered)
        assert len(repeated) <= 2
    pytest.fail("the run had more steps than this test tries")


@pytest.mark.promise("bounded")
def test_a_quiet_run_costs_one_request_and_writes_nothing(s3: FakeS3, folder: LiveFolder) -> None:
    """Even days after the last file: one listing has the folders of all days."""
    folder.deliver(NOON)
    folder.follow(NOON + MINUTE)
    for later in (5 * MINUTE, 10 * MINUTE, timedelta(hours=30)):
        before, records = listings(s3), folder.records
        figures = folder.follow(NOON + later)
        assert (listings(s3) - before, folder.records - records) == (1, 0)
        assert (figures.files, figures.lag < 1) == (0, True)
    assert len(folder.loaded) == 1


def test_the_first_run_begins_with_the_day(folder: LiveFolder) -> None:
    """The daily run loads the days before."""
    folder.deliver(NOON - timedelta(hours=13))
    today = folder.deliver(NOON - timedelta(hours=12))
    folder.follow(NOON)
    assert folder.keys_loaded() == [today]


def test_files_of_two_days_are_found_by_one_listing(s3: FakeS3, folder: LiveFolder) -> None:
    midnight = NOON + timedelta(hours=12)
    folder.deliver(midnight - 3 * MINUTE)
    folder.follow(midnight - MINUTE)
    before = listings(s3)
    late, new = folder.deliver(midnight - 4 * MINUTE), folder.deliver(midnight + MINUTE)
    folder.follow(midnight + 2 * MINUTE)
    assert folder.loaded[1:] == [[late, new]]
    assert listings(s3) - before == 1


def test_an_outage_is_caught_up_over_several_runs(folder: LiveFolder) -> None:
    """Each run has time for one file. The oldest ones come first, and the watermark names the problem."""
    folder.bounds = EACH_ALONE
    folder.follow(NOON)
    back = NOON + timedelta(hours=3)
    for hour in range(3):
        folder.deliver(NOON + timedelta(hours=hour, minutes=30))
    lags = []
    for number in range(3):
        figures = folder.follow(back + number * 5 * MINUTE, NO_TIME)
        lags.append(figures.lag)
        assert folder.watermark is not None
        is_behind = "catches up" in (folder.watermark.problem or "")
        assert is_behind == (number < 2)
    assert folder.keys_loaded() == folder.delivered
    assert lags[0] > lags[1] > 3000
    assert lags[2] < 1


def test_after_days_without_a_run_it_goes_on_with_the_day_before(folder: LiveFolder) -> None:
    folder.follow(NOON)
    folder.deliver(NOON + MINUTE)
    back = NOON + timedelta(days=5)
    yesterday = folder.deliver(back - timedelta(hours=30))
    folder.follow(back)
    assert folder.keys_loaded() == [yesterday]


def test_foreign_objects_are_not_loaded(s3: FakeS3, folder: LiveFolder) -> None:
    """Those after the years of the folder are not even listed to their end."""
    prefix = folder.root.region_folder("111122223333", "CloudTrail", "eu-central-1")
    for name in ("0/old", "2026/11/20/notes.txt", "results/2026/11/20/x.json.gz"):
        folder.objects.put(prefix + name, b"x", {})
    for number in range(2500):
        folder.objects.put(f"{prefix}results/{number}", b"x", {})
    key = folder.deliver(NOON)
    before = listings(s3)
    folder.follow(NOON + MINUTE)
    assert folder.keys_loaded() == [key]
    assert listings(s3) - before == 1


def test_a_file_of_the_future_waits(folder: LiveFolder) -> None:
    """The time of a run can be given, and clocks differ."""
    key = folder.deliver(NOON + 2 * MINUTE)
    folder.follow(NOON)
    assert folder.loaded == []
    folder.follow(NOON + 2 * MINUTE)
    assert folder.keys_loaded() == [key]


def test_a_run_for_an_earlier_time_forgets_nothing(folder: LiveFolder) -> None:
    folder.deliver(NOON)
    folder.follow(NOON)
    folder.follow(NOON - 5 * MINUTE)
    folder.deliver(NOON - 6 * MINUTE)
    folder.follow(NOON - 5 * MINUTE)
    folder.follow(NOON + MINUTE)
    assert Counter(folder.keys_loaded()) == Counter(folder.delivered)


def test_a_failed_listing_is_named_by_the_watermark(s3: FakeS3, folder: LiveFolder) -> None:
    folder.follow(NOON)
    folder.deliver(NOON + MINUTE)
    s3.faults.add(StorageFaultKind.SLOW_DOWN, "trail")
    with pytest.raises(TransientError):
        folder.follow(NOON + 2 * MINUTE)
    assert folder.watermark is not None
    assert "Listing s3://trail/" in (folder.watermark.problem or "")
    s3.faults.clear()
    folder.follow(NOON + 3 * MINUTE)
    assert folder.watermark.problem is None
    assert folder.keys_loaded() == folder.delivered


def test_more_files_than_a_watermark_names_are_not_loaded_again(
    folder: LiveFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_progress, "MOST_MARKS", 5)
    for minute in range(8):
        folder.deliver(NOON + minute * MINUTE)
    folder.follow(NOON + 8 * MINUTE)
    folder.deliver(NOON + 9 * MINUTE)
    folder.follow(NOON + 9 * MINUTE)
    assert Counter(folder.keys_loaded()) == Counter(folder.delivered)
    assert folder.watermark is not None
    assert len(TrailProgress.from_position(NOON, folder.watermark.position, OVERLAP).marks) <= 5


def test_a_position_is_read_back_and_one_of_another_version_costs_the_overlap() -> None:
    damage = Damage("s3://trail/key", "it is empty", NOON)
    progress = TrailProgress(NOON, NOON - OVERLAP, frozenset({b"12345678", b"abcdefgh"}), damage)
    assert TrailProgress.from_position(NOON, progress.position, OVERLAP) == progress
    for other in ("", "{}", '{"since":"2026-11-20T12:00:00Z","marks":"?"}'):
        assert TrailProgress.from_position(NOON, other, OVERLAP) == TrailProgress(NOON, NOON - OVERLAP)
