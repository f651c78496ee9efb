"""Late events: what CloudTrail delivered after a window was staged.

CloudTrail says neither how late an event can be nor which one was; so a sweep looks at the whole window again,
holds what it finds against what is staged, and stages what is new as further parts.
"""

from __future__ import annotations

import heapq
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import Final

from cloudtrail_elasticsearch.core.state import StateStore
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.pipeline.fetch import Lookup, fetch
from cloudtrail_elasticsearch.sources.lookup_events import LookedUpEvent, LookupEvents, staged_event
from cloudtrail_elasticsearch.staging import Manifest, Part, Staging
from cloudtrail_elasticsearch.staging.parts import PartBuilder

log = logging.getLogger(__name__)

STATE_KEY: Final = "late"
EVENTS_PER_PART: Final = 5_000
DISORDER: Final = timedelta(seconds=60)
"""Events are held against those staged within this time of theirs: newest first is not always to the second."""


def fetch_late(window: Window, source: LookupEvents, staging: Staging, store: StateStore) -> Manifest:
    """Look at a window again and stage what is new; a window that is not staged yet is fetched.

    :raises AccessDeniedError: a permission is missing
    :raises StagingError: a staged part is not what the manifest says
    :raises TransientError: AWS throttles or fails for longer than the source's patience
    """
    standing = staging.standing(window)
    if standing.manifest is None:
        return fetch(window, source, staging, store)
    before = standing.manifest
    lookup = Lookup(window, source, staging, store, STATE_KEY)
    if before.fetch == lookup.id:
        return lookup.settle(before)
    again = lookup.run()
    parts = tuple(_stage(_missing(again, before, staging), window, lookup.id, staging))
    late = sum(part.events for part in parts)
    if not late:
        log.info("%s has no late events: %d looked up again.", window.name, again.staged)
        return lookup.settle(before)
    log.info("%s has %d late events.", window.name, late)
    manifest = replace(
        before,
        fetch=lookup.id,
        parts=before.parts + parts,
        looked_up=before.looked_up + late,
        late=before.late + late,
        calls=before.calls + again.calls,
        throttled=before.throttled + again.throttled,
        attempts=before.attempts + again.attempts,
        staged_at=again.staged_at,
    )
    if not staging.publish(manifest, standing):
        log.warning("%s was staged by another run meanwhile: its manifest stands.", window.name)
        manifest = staging.manifest(window) or manifest
    return lookup.settle(manifest)


def _missing(again: Manifest, before: Manifest, staging: Staging) -> Iterator[LookedUpEvent]:
    by_fetch = groupby(before.parts, key=lambda part: part.key.rpartition("/")[0])
    staged = [_events(list(parts), staging) for _, parts in by_fetch]
    known = heapq.merge(*staged, key=attrgetter("time"), reverse=True)
    return missing(_events(again.parts, staging), known)


def missing(events: Iterable[LookedUpEvent], known: Iterable[LookedUpEvent]) -> Iterator[LookedUpEvent]:
    """Yield the events that are not among the known ones; both come newest first, and are never held whole."""
    remaining = iter(known)
    near: deque[LookedUpEvent] = deque()
    ids: set[str] = set()
    for event in events:
        while not near or near[-1].time >= event.time - DISORDER:
            following = next(remaining, None)
            if following is None:
                break
            near.append(following)
            ids.add(following.id)
        while near and near[0].time > event.time + DISORDER:
            ids.discard(near.popleft().id)
        if event.id not in ids:
            yield event


def _events(parts: Iterable[Part], staging: Staging) -> Iterator[LookedUpEvent]:
    for part in parts:
        yield from map(staged_event, staging.lines(part))


def _stage(events: Iterable[LookedUpEvent], window: Window, fetch_id: str, staging: Staging) -> Iterator[Part]:
    builder = PartBuilder()
    number = 0
    for event in events:
        builder.add([event])
        if builder.events >= EVENTS_PER_PART:
            yield staging.write_part(window, fetch_id, f"late-{number:06d}", builder)
            builder, number = PartBuilder(), number + 1
    if builder.events:
        yield staging.write_part(window, fetch_id, f"late-{number:06d}", builder)
