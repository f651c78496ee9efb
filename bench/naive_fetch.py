"""The naive loop with boto3's paginator: fetches one cell, and writes one gzip file at the end."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import boto3

from bench.children import BUCKET, CREDENTIALS, Cell, run_child


def fetch_naively(cell: Cell) -> Callable[[], tuple[int, int, int]]:
    """Make the clients, and return a function that fetches the cell with boto3's paginator and standard json."""
    cloudtrail = make_client(cell)
    s3 = boto3.client("s3", endpoint_url=cell.s3, **CREDENTIALS)

    def run() -> tuple[int, int, int]:
        lines: list[str] = []
        calls = 0
        for page in paginate(cloudtrail, cell):
            calls += 1
            lines += (json.dumps(json.loads(event["CloudTrailEvent"])) for event in page["Events"])
        body = gzip.compress("\n".join(lines).encode())
        s3.put_object(Bucket=BUCKET, Key=f"{cell.prefix}/{cell.window.region}.ndjson.gz", Body=body)
        return len(lines), calls, 0

    return run


def make_client(cell: Cell) -> Any:
    """Return boto3's client of CloudTrail with its defaults."""
    return boto3.client(
        "cloudtrail", endpoint_url=cell.cloudtrail, **CREDENTIALS | {"region_name": cell.window.region}
    )


def paginate(cloudtrail: Any, cell: Cell) -> Iterator[dict[str, Any]]:
    """Yield the pages of the cell's window."""
    last = cell.window.end - timedelta(seconds=1)
    return iter(cloudtrail.get_paginator("lookup_events").paginate(StartTime=cell.window.start, EndTime=last))


if __name__ == "__main__":
    run_child(fetch_naively)
