"""All faults of the suite, for each source."""

from __future__ import annotations

from typing import Final

from devstack.faults.kills import KILL_SEARCH_SERVER, kill_service, kill_supervisor, kill_task
from devstack.faults.services import READ_ONLY_INDEX, cloudtrail, storage
from devstack.simulator import FaultKind
from devstack.storage_faults import StorageFaultKind

FETCH: Final = "cell.fetch"
LIST: Final = "cell.list"
LOAD: Final = "cell.load"

KILL_FETCH: Final = kill_task(FETCH)
KILL_LIST: Final = kill_task(LIST)
KILL_LOAD: Final = kill_task(LOAD)
KILL_FETCHS_SUPERVISOR: Final = kill_supervisor(FETCH)
KILL_LOADS_SUPERVISOR: Final = kill_supervisor(LOAD)
KILL_SCHEDULER: Final = kill_service("scheduler")
KILL_API_SERVER: Final = kill_service("api-server")
FULL_BUCKET: Final = storage(StorageFaultKind.FULL_BUCKET, (3, 8))

FAULTS: Final = (
    KILL_FETCH,
    KILL_LOAD,
    KILL_FETCHS_SUPERVISOR,
    KILL_LOADS_SUPERVISOR,
    KILL_SCHEDULER,
    KILL_API_SERVER,
    KILL_SEARCH_SERVER,
    cloudtrail(FaultKind.THROTTLE, 40),
    cloudtrail(FaultKind.INTERNAL_FAILURE, 20),
    cloudtrail(FaultKind.SERVICE_UNAVAILABLE, 20),
    cloudtrail(FaultKind.RESET, 10),
    cloudtrail(FaultKind.RESET_AFTER_RESPONSE, 10),
    cloudtrail(FaultKind.EXPIRED_CREDENTIALS, 3),
    FULL_BUCKET,
    storage(StorageFaultKind.SLOW_DOWN, (2, 6)),
    READ_ONLY_INDEX,
)

TRAIL_FAULTS: Final = (
    KILL_LIST,
    KILL_LOAD,
    kill_supervisor(LIST),
    KILL_LOADS_SUPERVISOR,
    KILL_SCHEDULER,
    KILL_API_SERVER,
    KILL_SEARCH_SERVER,
    storage(StorageFaultKind.SLOW_DOWN, (2, 6)),
    storage(StorageFaultKind.INTERNAL_ERROR, (2, 6)),
    storage(StorageFaultKind.RESET, (2, 6)),
    storage(StorageFaultKind.SLOW_BODY, (2, 6)),
    storage(StorageFaultKind.TRUNCATED_BODY, (2, 6)),
    READ_ONLY_INDEX,
)
"""The faults of a trail's backfill; S3's hit the bucket of the trail."""
