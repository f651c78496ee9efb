"""A small organization's trail, written by the simulator, in a stand-in for S3 in this process."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import boto3

from cloudtrail_elasticsearch.sources.trail.bucket import Patience, TrailBucket, open_bucket
from cloudtrail_elasticsearch.sources.trail.layout import TrailRoot
from cloudtrail_elasticsearch.sources.trail.listing import RegionFolders, find_regions, find_roots
from cloudtrail_elasticsearch.sources.trail.prove import Prover, list_window
from cloudtrail_elasticsearch.staging import TrailManifest
from devstack.fake_s3 import FakeS3
from devstack.simulator.trails import (
    MemoryBucket,
    Plan,
    S3Bucket,
    Switches,
    Trail,
    Volumes,
    Written,
    WrittenFile,
    plan_organization,
    write_trail,
)
from devstack.simulator.trails.keys import SigningKeys

NAME = "trail"
DAY = date(2026, 11, 20)
REGIONS = ("eu-west-1", "us-east-1")
TRAIL = Trail(bucket=NAME, prefix="audit")
ROOT = TrailRoot("audit", "o-exampleorgid")
QUICK = Patience(tries=4, first_pause=0.001, longest_pause=0.01)


@dataclass
class SimulatedKeys:
    """The public keys of the simulator."""

    keys: SigningKeys

    def find(self, region: str, fingerprint: str, start: datetime, end: datetime) -> bytes | None:
        found = self.keys.between(region, int(start.timestamp()), int(end.timestamp()))
        return {key.fingerprint: key.public for key in found}.get(fingerprint)


@dataclass
class LocalTrail:
    """A trail in S3, and what is in it."""

    s3: FakeS3
    objects: MemoryBucket
    bucket: TrailBucket
    plan: Plan
    written: Written

    @property
    def prover(self) -> Prover:
        return Prover(SimulatedKeys(self.plan.keys))

    def regions(self) -> list[RegionFolders]:
        return find_regions(self.bucket, find_roots(self.bucket, TRAIL.prefix))

    def region(self, number: int = 0) -> RegionFolders:
        return self.regions()[number]

    def list_window(self, region: RegionFolders | None = None, *, is_proving: bool = True) -> TrailManifest:
        prover = self.prover if is_proving else None
        chosen = region or self.region()
        return list_window(self.bucket, chosen, chosen.window(DAY), prover)

    def files(self, region: RegionFolders | None = None) -> list[WrittenFile]:
        """Return the log files of a window, sorted by key."""
        wanted = region or self.region()
        named = (wanted.account, wanted.region, DAY)
        return sorted(
            (file for file in self.written.log_files if (file.account, file.region, file.day) == named),
            key=lambda file: file.key,
        )


@functools.cache
def _write(switches: Switches) -> tuple[Plan, MemoryBucket, Written]:
    # Two days, because the digests of the second one cover the end of the first.
    plan = plan_organization(
        TRAIL,
        DAY,
        days=2,
        accounts=2,
        busy=2,
        regions=REGIONS,
        volumes=Volumes(management=60, data=40, network=20, insights=2.0),
    )
    plan = Plan(
        plan.trail,
        plan.accounts,
        plan.regions,
        plan.start,
        plan.start + int(timedelta(hours=27).total_seconds()),
        plan.sources,
        switches,
        keys=SigningKeys(bits=1024),
    )
    bucket = MemoryBucket()
    return plan, bucket, write_trail(plan, bucket)


@functools.cache
def _session() -> boto3.Session:
    """Return a session that all trails share, because it keeps the models of AWS's services that it has read."""
    return boto3.Session()


@contextlib.contextmanager
def local_trail(switches: Switches | None = None, latency: float = 0.0) -> Iterator[LocalTrail]:
    """Serve a trail; changes of its objects concern this block only."""
    plan, original, written = _write(switches or Switches(slow=0.0))
    objects = MemoryBucket()
    for key, stored in original.objects.items():
        objects.put(key, *stored)
    with FakeS3({NAME: objects}, latency) as s3:
        bucket = open_bucket(_session(), NAME, "audit", QUICK, endpoint_url=s3.endpoint_url)
        yield LocalTrail(s3, objects, bucket, plan, written)


def put_all(objects: MemoryBucket, client: Any, name: str) -> None:
    """Put the objects of a bucket into an S3."""
    with S3Bucket(client, name) as bucket:
        for key, stored in objects.objects.items():
            bucket.put(key, *stored)
