"""Trails: ``trail_small_files``, ``trail_list``, ``trail_quiet``, ``trail_load``, ``trail_verify``, and memory."""

from __future__ import annotations

import gzip
import itertools
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import boto3
import msgspec

from bench.children import BUCKET, CREDENTIALS, past_weekday
from bench.load import staged
from bench.results import FOLDER, Result
from bench.senders import PREFIX
from bench.trail_work import FILE, Worked
from cloudtrail_elasticsearch.staging import Staging
from devstack.bulk_objects import BulkBucket
from devstack.fake_s3 import FakeS3Process
from devstack.search_server import DISTRIBUTIONS, SearchServer
from devstack.simulator.regions import REGIONS
from devstack.simulator.trails import FolderBucket, Kind, Plan, Trail
from devstack.simulator.trails.digests import Listed, list_digests
from devstack.simulator.trails.log_files import compress, sha256
from devstack.simulator.trails.stores import Puts

LATENCY: Final = 0.03
"""Seconds of each request to S3."""

DAY: Final = date(2026, 11, 20)
REGION: Final = "us-east-1"
TRAIL: Final = Trail(bucket=BUCKET)
SERVER: Final = "opensearch-3"
SAMPLE: Final = FOLDER.parent / "tests" / "data" / "events.ndjson"

SMALL_FILES: Final = 10_000
ACCOUNTS: Final = 500
QUIET: Final = 100
EVENTS: Final = 200_000
MANY_EVENTS: Final = 1_000_000
PAIRS: Final = 3


def _start(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _key(number: int, of: int, account: str = TRAIL.account, region: str = REGION) -> tuple[str, int]:
    """Return the key of the n-th of a day's log files, and its time of delivery."""
    delivered = _start(DAY) + number * 86_400 // of
    return TRAIL.log_file_key(account, Kind.EVENTS, region, delivered, f"{number:016d}"), delivered


def _records(events: Iterable[bytes]) -> bytes:
    return b'{"Records":[' + b",".join(events) + b"]}"


def _work(work: str, s3: str, *options: str) -> Worked:
    command = [sys.executable, "-m", "bench.trail_work", work, "--s3", s3, "--day", DAY.isoformat(), *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=Worked)


def small_files(files: int = SMALL_FILES) -> list[Result]:
    """Read a day of small log files from a stand-in for S3."""
    sample = itertools.cycle(_sample_lines())
    with tempfile.TemporaryDirectory() as folder:
        bucket = FolderBucket(Path(folder) / BUCKET)
        for number in range(files):
            key, _ = _key(number, files)
            bucket.put(key, compress(_records(itertools.islice(sample, 3))), {})
        with FakeS3Process(Path(folder), LATENCY) as s3:
            runs = [_work("small", s3.endpoint_url) for _ in range(PAIRS)]
    rate = statistics.median(run.units / run.seconds for run in runs)
    cost = statistics.median(1e3 * run.processor_seconds / run.units for run in runs)
    how = (
        f"{files:,} log files of 3 recorded events, {1e3 * LATENCY:.0f} ms of latency for each GET, from a "
        f"stand-in for S3 in another process: GET, unpack, hash and split, no load; median of {PAIRS} runs"
    )
    limit = "the processor: signing and HTTP in Python take about 1.2 ms of each log file, whatever its size"
    return [
        Result(
            name="trail_small_files",
            value=rate,
            unit="log files/s",
            at_least=400,
            how=how,
            limited_by=limit,
        ),
        Result(
            name="trail_small_files_cost",
            value=cost,
            unit="ms of the processor a log file",
            at_most=2,
            how=how,
            limited_by=limit,
        ),
    ]


def list_organization(accounts: int = ACCOUNTS) -> list[Result]:
    """Find the regions of an organization, and list a day of each."""
    body = compress(_records([]))
    with tempfile.TemporaryDirectory() as folder:
        bucket = FolderBucket(Path(folder) / BUCKET)
        for account, region in itertools.product(range(accounts), REGIONS):
            bucket.put(_key(7, 288, f"{200_000_000_000 + account}", region)[0], body, {})
        with FakeS3Process(Path(folder), LATENCY) as s3:
            worked = _work("list", s3.endpoint_url)
    if worked.units != accounts * len(REGIONS):
        raise RuntimeError(f"{worked.units} windows were listed: nothing was measured")
    return [
        Result(
            name="trail_list",
            value=worked.seconds,
            unit="s",
            at_most=60,
            how=(
                f"finding {accounts} accounts with {len(REGIONS)} regions each, and listing one day of each: "
                f"{1 + 2 * accounts + worked.units:,} calls with {1e3 * LATENCY:.0f} ms of latency; one run"
            ),
            limited_by="the processor: signing, HTTP and parsing in Python",
            parts={"ms of the processor a window": 1e3 * worked.processor_seconds / worked.units},
        )
    ]


def prove_quiet(windows: int = QUIET) -> list[Result]:
    """Measure the proof of quiet windows of many accounts; each has hourly digests and no log file."""
    with tempfile.TemporaryDirectory() as folder:
        bucket = FolderBucket(Path(folder) / BUCKET)
        for account in range(windows):
            _write_digests(bucket, replace(TRAIL, account=f"{200_000_000_000 + account}"), [])
        with FakeS3Process(Path(folder), LATENCY) as s3:
            one, many = (_work(work, s3.endpoint_url) for work in ("prove one", "prove many"))
    if many.units != windows:
        raise RuntimeError(f"{many.units} windows are signed: nothing was measured")
    return [
        Result(
            name="trail_quiet",
            value=many.seconds,
            unit="s",
            at_most=10,
            how=(
                f"listing and proving {windows} quiet windows, 16 side by side as in a list task, each with 26 "
                f"digests: {29 * windows:,} calls with {1e3 * LATENCY:.0f} ms of latency, to a stand-in for S3 in "
                f"another process; one run"
            ),
            limited_by="the processor: signing and HTTP in Python for each digest",
            parts={
                "s for a window alone": one.seconds / one.units,
                "ms of the processor a window": 1e3 * many.processor_seconds / many.units,
            },
        )
    ]


def load(events: int = EVENTS) -> list[Result]:
    """Load the same events from staged parts, from log files, and from log files with their proof."""
    with ExitStack() as stack:
        s3 = stack.enter_context(staged(events))
        client = boto3.client("s3", endpoint_url=s3, **CREDENTIALS)
        client.create_bucket(Bucket="bench-trail")
        with BulkBucket(s3, "bench-trail") as bucket:
            # All of them, because the simulator stages some more than it is asked for.
            lines = list(_staged_events(client))
            count = _write_day(lines, bucket, len(lines), "bench-trail")
        search = stack.enter_context(SearchServer(DISTRIBUTIONS[SERVER], heap="2g"))
        options = ("--search", search.url, "--bucket", "bench-trail")
        _work("parts", s3, *options)  # warms the server up
        runs = [{work: _work(work, s3, *options) for work in ("parts", "files", "proven")} for _ in range(PAIRS)]
    if any(run["files"].units != run["parts"].units for run in runs):
        raise RuntimeError("the loads had different events: nothing was measured")
    ratio = statistics.median(run["parts"].seconds / run["files"].seconds for run in runs)
    proof = statistics.median(
        run["proven"].seconds / (run["files"].seconds - run["files"].hash_seconds) for run in runs
    )
    parts = {
        f"{work}, events/s": statistics.median(run[work].units / run[work].seconds for run in runs)
        for work in runs[0]
    }
    return [
        Result(
            name="trail_load",
            value=ratio,
            unit="of the rate from staged parts",
            at_least=0.9,
            how=(
                f"a day of {runs[0]['files'].units:,} events in {count} log files, with listing, loading and the "
                f"count on the server, against the same events from staged parts; median of {PAIRS} pairs on "
                f"{SERVER}"
            ),
            limited_by="the server, and splitting JSON instead of lines",
            parts=parts,
        ),
        Result(
            name="trail_verify",
            value=proof,
            unit="times the time without",
            at_most=1.05,
            how=(
                f"the same with all digests read and verified and each content hashed, divided by the load "
                f"without digests and without the time of hashing; median of {PAIRS} pairs"
            ),
            limited_by="SHA-256, and one GET and one RSA signature for each hour",
            parts={"hashing, s": statistics.median(run["files"].hash_seconds for run in runs)},
        ),
    ]


def growth(events: int = MANY_EVENTS) -> list[Result]:
    """Load one window of many events, and compare the memory at its beginning and at its end."""
    first = events // 10
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _write_day(_fresh_events(), FolderBucket(folder / BUCKET), events, BUCKET)
        s3 = stack.enter_context(FakeS3Process(folder))
        search = stack.enter_context(SearchServer(DISTRIBUTIONS[SERVER], heap="2g"))
        worked = _work("watched", s3.endpoint_url, "--search", search.url)
    early = max(rss for at, rss in worked.samples if at <= first)
    late = max(rss for at, rss in worked.samples if at > events - first)
    return [
        Result(
            name="rss_trail_growth",
            value=late / early,
            unit="times the memory",
            at_most=1.05,
            how=(
                f"one window of {events:,} events in log files of {FILE:,}: the largest resident memory of the "
                f"load in its last {first:,} events divided by that in its first {first:,}; one run"
            ),
            limited_by="the bounds of reading ahead, a few requests, and the buffers of the ids",
            parts={"first, MiB": early / 2**20, "last, MiB": late / 2**20},
        )
    ]


def _staged_events(client: object) -> Iterator[bytes]:
    """Yield the records of the staged day, without LookupEvents' fields around them."""
    staging = Staging(client, BUCKET, PREFIX)
    manifest = staging.manifest(past_weekday(1))
    assert manifest is not None
    for part in manifest.parts:
        for line in staging.lines(part):
            yield line[line.index(b'"event":') + len(b'"event":') : -1]


def _sample_lines() -> list[bytes]:
    return [line for line in SAMPLE.read_bytes().splitlines() if line]


def _fresh_events() -> Iterator[bytes]:
    """Yield recorded events without end, each with an id of its own."""
    decoded = [(line, msgspec.json.decode(line).get("eventID")) for line in _sample_lines()]
    lines = [(line, identifier.encode()) for line, identifier in decoded if identifier]
    for number, (line, identifier) in enumerate(itertools.cycle(lines)):
        yield line.replace(identifier, str(uuid.UUID(int=number)).encode())


def _write_day(events: Iterable[bytes], bucket: Puts, most: int, name: str) -> int:
    """Write a day of large log files with their digests; return the number of log files."""
    some = itertools.islice(events, most)
    listed: list[Listed] = []
    of = -(-most // FILE)
    for number in range(of):
        content = _records(itertools.islice(some, FILE))
        key, delivered = _key(number, of)
        bucket.put(key, gzip.compress(content, 6, mtime=0), {})
        listed.append(Listed(key, sha256(content), delivered, delivered, delivered, delivered))
    _write_digests(bucket, Trail(bucket=name), listed)
    return of


def _write_digests(bucket: Puts, trail: Trail, listed: list[Listed]) -> None:
    start = _start(DAY)
    end = start + int(timedelta(hours=27).total_seconds())
    plan = Plan(trail, (trail.account,), (REGION,), start, end, ())
    for digest in list_digests(plan, trail.account, REGION, listed):
        bucket.put(digest.key, digest.body, digest.metadata)
