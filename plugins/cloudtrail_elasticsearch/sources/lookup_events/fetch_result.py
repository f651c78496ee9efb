"""The result of a fetch: a manifest of the parts of its slices."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from cloudtrail_elasticsearch.core.errors import TransientError
from cloudtrail_elasticsearch.sources.lookup_events.fetch_state import FetchState
from cloudtrail_elasticsearch.sources.lookup_events.part_ids import PartIds, find_missing, stage_missing
from cloudtrail_elasticsearch.staging import Manifest, Staging
from cloudtrail_elasticsearch.staging.records import Standing

log = logging.getLogger(__name__)


def make_manifest(state: FetchState, ids: PartIds, staging: Staging) -> Manifest:
    """Stage the events that only other slices' queries returned, and return the manifest of a finished fetch.

    :raises StagingError: a part is missing, truncated or altered
    """
    records = state.records
    parts = [part for record in records for part in record.parts]
    # Other slices' queries returned these events; most of their own slices have them too (ADR-0015).
    missing = find_missing((part for record in records for part in record.asides), parts, ids, staging)
    asides = list(stage_missing(missing, state.window, state.id, "aside", staging))
    manifest = Manifest(
        window=state.window,
        fetch=state.id,
        # In a fixed order, although the slices ended in any order.
        parts=tuple(sorted(parts + asides, key=lambda part: (part.last, part.first), reverse=True)),
        # Slices count only events of their own time, so the staged asides are added.
        looked_up=sum(record.looked_up for record in records) + sum(part.events for part in asides),
        duplicates=sum(record.duplicates for record in records),
        calls=state.calls,
        throttled=state.throttled,
        attempts=state.attempts,
        staged_at=datetime.now(UTC),
        strays=state.strays.count,
        misplaced=sum(record.misplaced for record in records),
    )
    _log_odd_events(state, manifest)
    return manifest


def publish_manifest(manifest: Manifest, standing: Standing[Manifest], staging: Staging) -> Manifest:
    """Write a window's manifest and return it; if another run wrote one meanwhile, return that one instead.

    :raises TransientError: another run deleted the manifest that this one replaces
    """
    if staging.publish(manifest, standing):
        return manifest
    other = staging.manifest(manifest.window)
    # The object under the key changed, but no manifest is there: somebody deleted it.
    if other is None:
        raise TransientError(
            f"The manifest of {manifest.window.name} was deleted while the window was looked up. The next attempt "
            f"writes it again."
        )
    log.warning("Another run staged %s at the same time. Its manifest is used.", manifest.window.name)
    return other


def _log_odd_events(state: FetchState, manifest: Manifest) -> None:
    """Log strays and misplaced events."""
    if manifest.strays:
        log.warning(
            "%s: AWS returned %d events outside the window (for example %s). They are counted, but not staged.",
            state.window.name,
            manifest.strays,
            # Only counts are saved, so the example is unknown if an earlier attempt found the events.
            state.strays.example or "one of an earlier attempt",
        )
    if manifest.misplaced:
        log.warning(
            "%s: %d staged events name another account or region in their record (for example %s).",
            state.window.name,
            manifest.misplaced,
            state.misplaced_example or "one of an earlier attempt",
        )
