"""Work on a trail in a process of its own, as Airflow's tasks do it; it prints its cost."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Final

import boto3
import msgspec
import psutil

from bench.children import BUCKET, CREDENTIALS, past_weekday
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.core.side_by_side import run_side_by_side
from cloudtrail_elasticsearch.pipeline.load import WindowLoad
from cloudtrail_elasticsearch.pipeline.staged_parts import StagedParts
from cloudtrail_elasticsearch.pipeline.trail import load_window
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket, open_bucket
from cloudtrail_elasticsearch.sources.trail.listing import (
    RegionFolders,
    find_regions,
    find_roots,
    list_many_windows,
)
from cloudtrail_elasticsearch.sources.trail.prove import Prover, list_window
from cloudtrail_elasticsearch.sources.trail.window_files import WindowFiles
from cloudtrail_elasticsearch.staging import Staging, TrailManifest
from devstack.simulator.trails.keys import SigningKeys

FILE: Final = 1_000
"""Events of a large log file."""


class Worked(msgspec.Struct, frozen=True):
    """The number of units of some work, and the time that it took."""

    units: int
    seconds: float
    processor_seconds: float
    hash_seconds: float = 0.0
    """Of these, the time that hashing alone takes."""
    samples: list[tuple[int, int]] = []
    """Events that were loaded, and bytes of resident memory then."""


class _Keys:
    """The public keys of the simulator."""

    def find(self, region: str, fingerprint: str, start: datetime, end: datetime) -> bytes | None:
        found = SigningKeys().between(region, int(start.timestamp()), int(end.timestamp()))
        return {key.fingerprint: key.public for key in found}.get(fingerprint)


class _Watched(InMemoryStore):
    """Records the memory of the process each time progress is saved."""

    def __init__(self) -> None:
        super().__init__()
        self.samples: list[tuple[int, int]] = []

    def set(self, key: str, value: Any) -> None:
        super().set(key, value)
        file, events = value["value"]
        self.samples.append((file * FILE + events, psutil.Process().memory_info().rss))


class _Asked(argparse.Namespace):
    work: str
    s3: str
    search: str
    bucket: str
    index: str
    day: str


def main(argv: Sequence[str] | None = None) -> None:
    """Do the work and print its cost."""
    parser = argparse.ArgumentParser(prog="python -m bench.trail_work")
    parser.add_argument("work", choices=_WORKS)
    parser.add_argument("--s3", required=True)
    parser.add_argument("--search", default="")
    parser.add_argument("--bucket", default=BUCKET)
    parser.add_argument("--index", default="bench-trail")
    parser.add_argument("--day", required=True)
    asked = parser.parse_args(argv, _Asked())
    sys.stdout.buffer.write(msgspec.json.encode(_WORKS[asked.work](asked)))
    sys.stdout.flush()
    os._exit(0)


def _open(asked: _Asked) -> TrailBucket:
    return open_bucket(boto3.Session(**CREDENTIALS), asked.bucket, endpoint_url=asked.s3)


def _find_region(bucket: TrailBucket) -> RegionFolders:
    (region,) = find_regions(bucket, find_roots(bucket))
    return region


def _measure(work: Callable[[], int]) -> Worked:
    began, worked = time.monotonic(), time.process_time()
    units = work()
    return Worked(units, time.monotonic() - began, time.process_time() - worked)


def _read_small(asked: _Asked) -> Worked:
    """Read, unpack, hash and split every log file of a window; a unit is a log file."""
    bucket = _open(asked)
    region = _find_region(bucket)
    manifest = list_window(bucket, region, region.window(date.fromisoformat(asked.day)), None)

    def read() -> int:
        events = 0
        for opened in WindowFiles(manifest, bucket).open_all():
            assert opened.content is not None
            events += sum(1 for _ in opened.content.lines())
        if events != 3 * len(manifest.files):
            raise RuntimeError(f"{events} events in {len(manifest.files)} log files: nothing was measured")
        return len(manifest.files)

    return _measure(read)


def _list(asked: _Asked) -> Worked:
    """Find all regions of all accounts, and list a day of each; a unit is a window."""
    bucket = _open(asked)
    day = date.fromisoformat(asked.day)

    def work() -> int:
        regions = find_regions(bucket, find_roots(bucket))
        windows = ((region, region.window(day)) for region in regions)
        return sum(bool(each.files) for each in list_many_windows(bucket, windows))

    return _measure(work)


def _prove_one_by_one(asked: _Asked) -> Worked:
    """Prove a few quiet windows, one after another; a unit is a window."""
    return _prove_quiet(asked, 5, 1)


def _prove_side_by_side(asked: _Asked) -> Worked:
    """Prove all quiet windows of the bucket as the list task does; a unit is a window."""
    return _prove_quiet(asked, None, 16)


def _prove_quiet(asked: _Asked, most: int | None, parallel: int) -> Worked:
    bucket = _open(asked)
    regions = find_regions(bucket, find_roots(bucket))[:most]
    prover = Prover(_Keys())
    day = date.fromisoformat(asked.day)

    def prove(region: RegionFolders) -> bool:
        return list_window(bucket, region, region.window(day), prover).proof == "signed"

    prove(regions[0])  # makes the simulator's keys
    return _measure(lambda: sum(run_side_by_side(prove, regions, parallel)))


def _prepare(asked: _Asked) -> tuple[Loader, Ledger]:
    server = connect(SearchSettings.from_url(asked.search))
    server.request("DELETE", f"/{asked.index}?ignore_unavailable=true")
    loader = Loader(server, IndexPattern(asked.index), build_schema("typed", load_rules()))
    loader.prepare()
    server.request("PUT", f"/{asked.index}")
    return loader, Ledger(server, asked.index)


def _load_parts(asked: _Asked) -> Worked:
    staging = Staging(boto3.client("s3", endpoint_url=asked.s3, **CREDENTIALS), BUCKET, "steady")
    loader, ledger = _prepare(asked)

    def load() -> int:
        manifest = staging.manifest(past_weekday(1))
        assert manifest is not None
        cell = WindowLoad(StagedParts(manifest, staging), staging, loader, ledger, InMemoryStore()).load_again()
        if cell.problem:
            raise RuntimeError(cell.problem)
        return cell.indexed

    return _measure(load)


def _load_files(asked: _Asked, prover: Prover | None = None, store: InMemoryStore | None = None) -> Worked:
    bucket = _open(asked)
    region = _find_region(bucket)
    loader, ledger = _prepare(asked)
    records: Any = _Forgetful()
    made: list[TrailManifest] = []

    def load() -> int:
        manifest = list_window(bucket, region, region.window(date.fromisoformat(asked.day)), prover)
        made.append(manifest)
        loaded = load_window(manifest, bucket, loader, ledger, records, store or InMemoryStore())
        if loaded.cell.problem or (prover and loaded.proof != "signed"):
            raise RuntimeError(loaded.cell.problem or str(loaded.findings))
        return loaded.cell.indexed

    worked = _measure(load)
    return msgspec.structs.replace(worked, hash_seconds=_measure_hashes(made[0], bucket))


class _Forgetful:
    """Keeps no record of a load, so that each run loads everything, into a read-only S3, too."""

    def load_record(self, *_: Any) -> None:
        return None

    def write_load_record(self, *_: Any) -> None:
        return None


def _measure_hashes(manifest: TrailManifest, bucket: TrailBucket) -> float:
    """Return the seconds that hashing the content of a window takes, from its first log files."""
    import gzip

    some = manifest.files[:20]
    texts = [gzip.decompress(found.body) for file in some if (found := bucket.get(file.key, file.size))]
    began = time.monotonic()
    for text in texts:
        hashlib.sha256(text).hexdigest()
    return (time.monotonic() - began) * len(manifest.files) / len(some)


def _load_proven(asked: _Asked) -> Worked:
    return _load_files(asked, Prover(_Keys()))


def _load_watched(asked: _Asked) -> Worked:
    store = _Watched()
    worked = _load_files(asked, None, store)
    return msgspec.structs.replace(worked, samples=store.samples)


_WORKS: Final[dict[str, Callable[[_Asked], Worked]]] = {
    "small": _read_small,
    "list": _list,
    "prove one": _prove_one_by_one,
    "prove many": _prove_side_by_side,
    "parts": _load_parts,
    "files": _load_files,
    "proven": _load_proven,
    "watched": _load_watched,
}


if __name__ == "__main__":
    main()
