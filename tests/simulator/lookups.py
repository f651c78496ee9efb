"""Helpers of the simulator's tests: settings without waiting, a clock that stands still, boto3 clients."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

from devstack.simulator import ManualClock, Simulator, SimulatorSettings

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = date(2026, 11, 18)
FIRST = datetime(2026, 11, 18, tzinfo=UTC)
LAST = FIRST + timedelta(days=1, seconds=-1)
REGION = "us-east-1"


def quick(**changes: Any) -> SimulatorSettings:
    """Return settings with few events, no latency and practically no quota."""
    return SimulatorSettings(**{"latency": 0.0, "quota": 1e6, "burst": 10**6, "volume": 300, **changes})


def standing() -> ManualClock:
    """Return a clock that stands at noon."""
    return ManualClock(NOON.timestamp())


_SESSION = boto3.Session()


def client(
    simulator: Simulator,
    region: str = REGION,
    attempts: int = 1,
    access_key: str = "AKIAEXAMPLE",
    session_token: str | None = None,
) -> Any:
    """Return a boto3 client of a simulator that makes this many attempts."""
    return client_at(simulator.endpoint_url, region, attempts, access_key, session_token)


def client_at(
    url: str,
    region: str = REGION,
    attempts: int = 1,
    access_key: str = "AKIAEXAMPLE",
    session_token: str | None = None,
) -> Any:
    """Return a boto3 client of the server at a URL."""
    return _SESSION.client(
        "cloudtrail",
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key="secret",
        aws_session_token=session_token,
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}),
    )


def look_up(cloudtrail: Any, **request: Any) -> list[dict[str, Any]]:
    """Return the events of all pages, by default of the day."""
    pages = cloudtrail.get_paginator("lookup_events").paginate(**{"StartTime": FIRST, "EndTime": LAST, **request})
    return [event for page in pages for event in page["Events"]]


def ids(events: list[dict[str, Any]]) -> list[str]:
    """Return the eventIDs of events."""
    return [event["EventId"] for event in events]
