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
from devstack.fake_s3.process import FakeS3Process
from devstack.processes import Child, module


@dataclass(frozen=True, slots=True)
class Services:
    """The addresses of the services. S3 has the bucket of the benches."""

    cloudtrail: str
    s3: str


@contextlib.contextmanager
def services(*simulator: str) -> Iterator[Services]:
    """Start the services; the options are those of ``python -m devstack.simulator``."""
    with AwsServices() as aws, _simulator(*simulator) as url:
        boto3.client("s3", endpoint_url=aws.endpoint_url, **CREDENTIALS).create_bucket(Bucket=BUCKET)
        yield Services(url, aws.endpoint_url)


@contextlib.contextmanager
def services_with_light_s3(*simulator: str) -> Iterator[Services]:
    """Start the services with a stand-in for S3 that, like S3 and unlike moto, keeps connections open."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / BUCKET).mkdir()
        with FakeS3Process(Path(folder)) as s3, _simulator(*simulator) as url:
            yield Services(url, s3.endpoint_url)


@contextlib.contextmanager
def _simulator(*options: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        child = Child("simulator", module("devstack.simulator", *options), Path(folder) / "simulator.log")
        try:
            yield child.announced_url()
        finally:
            child.stop()
