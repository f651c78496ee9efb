"""Late events: events that CloudTrail delivered after a window was staged.

CloudTrail documents no limit of the delay, and does not mark late events. So a sweep looks up the whole window
again, compares its events with the staged ones by id, and stages the new ones as further parts.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import replace
from typing import Final

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.progress import StateStore
from cloudtrail_elasticsearch.core.side_by_side import HoldMemory
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.fetch import FetchAttempt, fetch
from cloudtrail_elasticsearch.sources.lookup_events.fetch_result import publish_manifest
from cloudtrail_elasticsearch.sources.lookup_events.part_ids import PartIds, find_missing, stage_missing
from cloudtrail_elasticsearch.staging import Manifest, Staging

log = logging.getLogger(__name__)

# Not the key of `fetch`, whose progress for this window has the same fingerprint.
STATE_KEY: Final = "late"


def fetch_late(
    window: Window,
    source: LookupEvents,
    staging: Staging,
    store: StateStore,
    hold_memory: HoldMemory = nullcontext,
) -> Manifest:
    """Look up a window again and stage its new events; a window that is not staged yet is fetched.

    :param hold_memory: as of `fetch`
    :raises AccessDeniedError: a permission is missing
    :raises StagingError: a staged part differs from its entry in the manifest
    :raises TransientError: AWS throttles or fails for longer than the source's patience
    """
    standing = staging.standing(window)
    if standing.manifest is None:
        return fetch(window, source, staging, store, hold_memory)
    before = standing.manifest
    attempt = FetchAttempt(window, source, staging, store, hold_memory, STATE_KEY)
    # An earlier attempt of this sweep published its manifest, and then ended.
    if before.fetch == attempt.id:
        return attempt.clean_up(before)
    again = attempt.run()
    missing = find_missing(again.parts, before.parts, PartIds(staging), staging)
    parts = tuple(stage_missing(missing, window, attempt.id, "late", staging))
    late = sum(part.events for part in parts)
    if not late:
        log.info("%s has no late events (%d events looked up again).", window.name, again.staged)
        return attempt.clean_up(before)
    log.info("%s has %d late events.", window.name, late)
    manifest = replace(
        before,
        # The sweep's id, by which a retry finds that the manifest is already published.
        fetch=attempt.id,
        parts=before.parts + parts,
        looked_up=before.looked_up + late,
        late=before.late + late,
        calls=before.calls + again.calls,
        throttled=before.throttled + again.throttled,
        attempts=before.attempts + again.attempts,
        staged_at=again.staged_at,
        # Both lookups counted the same strays and misplaced events, so a sum would count them twice.
        strays=max(before.strays, again.strays),
        misplaced=max(before.misplaced, again.misplaced),
    )
    return attempt.clean_up(publish_manifest(manifest, standing, staging))
