"""The trail of ``make demo``: one day of a small organization, signed by the simulator's keys."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from cloudtrail_elasticsearch.trail_params import TRAIL_SETTLE_MINUTES
from devstack.bulk_objects import BulkBucket
from devstack.endpoints import Endpoints
from devstack.simulator.trails import Trail, Volumes, plan_organization, write_trail

TRAIL: Final = Trail(bucket="cloudtrail-trail")
ACCOUNTS: Final = 3
REGIONS: Final = ("us-east-1", "us-west-2", "eu-west-1", "sa-east-1")

_DIGESTS_AFTER: Final = timedelta(hours=3)
"""The time after the day whose digests are written, too: the last log files of the day are in them."""


def find_trail_day() -> date:
    """Return the last day whose digests have all arrived, so that its run begins at once."""
    settled = datetime.now(UTC) - max(_DIGESTS_AFTER, timedelta(minutes=TRAIL_SETTLE_MINUTES)) - timedelta(hours=1)
    return settled.date() - timedelta(days=1)


def deliver_trail(endpoints: Endpoints, day: date) -> None:
    """Add the trail to the simulator, and write its log files and digests, if no earlier demo has written them."""
    body = json.dumps(asdict(TRAIL)).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{endpoints.cloudtrail}/_control/trails", body, headers, method="POST")
    urllib.request.urlopen(request, timeout=30).close()
    s3 = endpoints.client("s3")
    s3.create_bucket(Bucket=TRAIL.bucket)
    plan = plan_organization(
        TRAIL,
        day,
        accounts=ACCOUNTS,
        regions=REGIONS,
        volumes=Volumes(management=1000, data=400, network=20),
    )
    plan = replace(plan, end=plan.end + int(_DIGESTS_AFTER.total_seconds()))
    account, region = next(plan.cells())
    # The last objects of a delivery are the digests of the hours after the day.
    last = TRAIL.folder(account, "CloudTrail-Digest", region, plan.end)
    if s3.list_objects_v2(Bucket=TRAIL.bucket, Prefix=last, MaxKeys=1)["KeyCount"]:
        return
    with BulkBucket(endpoints.aws, TRAIL.bucket) as bucket:
        write_trail(plan, bucket)
