"""The services that a loader needs: the CloudTrail simulator and S3, on 127.0.0.1."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3

from bench.children import BUCKET, CREDENTIALS
from devstack.aws import AwsServices
from devstack.processes import Child, module


@dataclass(frozen=True, slots=True)
class Services:
    """The addresses of the services. S3 has the bucket of the benches."""

    cloudtrail: str
    s3: str


@contextlib.contextmanager
def services(*simulator: str) -> Iterator[Services]:
    """Start the services; the options are those of ``python -m devstack.simulator``."""
    with tempfile.TemporaryDirectory() as folder, AwsServices() as aws:
        child = Child("simulator", module("devstack.simulator", *simulator), Path(folder) / "simulator.log")
        try:
            boto3.client("s3", endpoint_url=aws.endpoint_url, **CREDENTIALS).create_bucket(Bucket=BUCKET)
            yield Services(child.announced_url(), aws.endpoint_url)
        finally:
            child.stop()
