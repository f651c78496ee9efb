"""A stand-in for S3 that takes little processor time. With moto, benchmarks would measure mostly moto.

It serves GetObject, HeadObject, ListObjectsV2, PutObject (with conditions) and DeleteObject from memory over
HTTP/1.1. A request can take a latency, and the faults of `devstack.storage_faults` can be switched on.
"""

from __future__ import annotations

from devstack.fake_s3.process import FakeS3Process
from devstack.fake_s3.server import REQUESTS, FakeS3

__all__ = ["REQUESTS", "FakeS3", "FakeS3Process"]
