"""Trails: the log files and digests that CloudTrail delivers to a bucket, with every kind of event."""

from __future__ import annotations

from devstack.simulator.trails.delivery import Arrival, Delivery
from devstack.simulator.trails.plan import Plan, Source, Stop, Switches, Volumes, plan_organization
from devstack.simulator.trails.stores import FolderBucket, MemoryBucket, S3Bucket
from devstack.simulator.trails.trail import Kind, Trail
from devstack.simulator.trails.truth import Cell, Written, WrittenDigest, WrittenFile
from devstack.simulator.trails.writer import write_trail

__all__ = [
    "Arrival",
    "Cell",
    "Delivery",
    "FolderBucket",
    "Kind",
    "MemoryBucket",
    "Plan",
    "S3Bucket",
    "Source",
    "Stop",
    "Switches",
    "Trail",
    "Volumes",
    "Written",
    "WrittenDigest",
    "WrittenFile",
    "plan_organization",
    "write_trail",
]
