"""The pages that a killed fetch has written."""

from __future__ import annotations

import gzip
import time
from typing import Any, Final

VOLUME: Final = 3_000
"""Events of a weekday that take longer, at AWS's quota, than a fetch keeps a page before it writes it."""

_EVENTS_OF_A_PAGE: Final = 50


def count_written_pages(s3: Any, bucket: str, region: str) -> int:
    """Return the number of pages in the parts of a region's windows, at least."""
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    keys = [entry["Key"] for entry in listed if f"region={region}/" in entry["Key"] and "/part-" in entry["Key"]]
    # A part repeats the events of the pieces that it replaces.
    events = {
        line
        for key in keys
        for line in gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).splitlines()
    }
    return len(events) // _EVENTS_OF_A_PAGE


def count_settled_pages(s3: Any, bucket: str, region: str) -> int:
    """Return the number of written pages; 0 while it changes, because a fetch writes its state after a part."""
    before = count_written_pages(s3, bucket, region)
    time.sleep(1)
    return before if before == count_written_pages(s3, bucket, region) else 0
