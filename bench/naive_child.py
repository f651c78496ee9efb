"""What people write, for one cell: boto3's paginator, the standard json and ``streaming_bulk``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from bench.children import Cell, run_child
from bench.naive_fetch import make_client, paginate
from bench.senders import send_naively
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings


def fetch_and_load_naively(cell: Cell) -> Callable[[], tuple[int, int, int]]:
    """Make the client, and return a function that sends each page's events as they come."""
    cloudtrail = make_client(cell)
    engine = connect(SearchSettings.from_url(cell.search)).engine

    def run() -> tuple[int, int, int]:
        calls = 0

        def read() -> Iterator[dict[str, Any]]:
            nonlocal calls
            for page in paginate(cloudtrail, cell):
                calls += 1
                yield from (json.loads(event["CloudTrailEvent"]) for event in page["Events"])

        return send_naively(engine, cell.search, read()), calls, 0

    return run


if __name__ == "__main__":
    run_child(fetch_and_load_naively)
