"""The pages that a killed fetch has written."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any, Final

VOLUME: Final = 3_000
"""Events of a weekday that take longer, at AWS's quota, than the time between two checkpoints of a fetch."""


def count_written_pages(s3: Any, bucket: str, region: str) -> int:
    """Return the number of pages in the newest checkpoint of a region, without those of abandoned queries."""
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    found = [each for each in listed if f"region={region}/" in each["Key"] and "/checkpoint-" in each["Key"]]
    if not found:
        return 0
    newest = max(found, key=lambda each: (each["LastModified"], each["Key"]))["Key"]
    # The record follows the lines of the events.
    lines = gzip.decompress(s3.get_object(Bucket=bucket, Key=newest)["Body"].read()).splitlines()
    record = json.loads(lines[-1])
    return sum(each["pages"] for each in record["open"] + record["done"])


def count_settled_pages(s3: Any, bucket: str, region: str) -> int:
    """Return the number of written pages; 0 while it changes: a fetch saves its state after the checkpoint."""
    before = count_written_pages(s3, bucket, region)
    time.sleep(1)
    return before if before == count_written_pages(s3, bucket, region) else 0
