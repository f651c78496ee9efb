"""The log files of an account and region: which events are delivered in which file, and when.

A log file has the events of five minutes, and a busy five minutes have several log files. It is delivered up to
five minutes later, so an event is in the bucket about five minutes after it happened, as AWS documents:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
"""

from __future__ import annotations

import gzip
import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from devstack.simulator.draw import Draw, digest, uniform
from devstack.simulator.store import Entry, EventStore, Span
from devstack.simulator.trails.plan import HOUR, Plan, Stop
from devstack.simulator.trails.trail import Kind

_SLOT: Final = 300
_SLOWEST: Final = 24
"""Slots after its own in which a slow event or a duplicate is delivered."""

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log file: its events, the time in its name, and the time at which it is in the bucket (epoch seconds).

    `is_listed` is whether a digest lists it.
    """

    account: str
    region: str
    kind: Kind
    key: str
    delivered: int
    arrives: int
    is_listed: bool
    entries: tuple[Entry, ...]

    @property
    def is_late(self) -> bool:
        """Whether it arrives after the digest of its hour."""
        return self.arrives != self.delivered

    def content(self) -> bytes:
        """Return the uncompressed content: one line without a line end."""
        return b'{"Records":[' + b",".join(entry.read().text.encode() for entry in self.entries) + b"]}"


def compress(content: bytes) -> bytes:
    """Return the same gzip data for the same content."""
    return gzip.compress(content, 6, mtime=0)


def sha256(content: bytes) -> str:
    """Return the hash of a content as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def list_log_files(plan: Plan, account: str, region: str) -> Iterator[LogFile]:
    """Yield the log files of all kinds, in the order of the times in their names."""
    kinds = dict.fromkeys(source.kind for source in plan.sources)
    streams = [_of_kind(plan, kind, account, region) for kind in kinds]
    return heapq.merge(*streams, key=lambda file: (file.delivered, file.key))


def _of_kind(plan: Plan, kind: Kind, account: str, region: str) -> Iterator[LogFile]:
    for slot, entries in _slots(plan, kind, account, region):
        files = [_file(plan, kind, account, region, slot, part) for part in _split(entries, plan.most)]
        files.sort(key=lambda file: (file.delivered, file.key))
        yield from (file for file in files if plan.start <= file.delivered < plan.end)


def _slots(plan: Plan, kind: Kind, account: str, region: str) -> Iterator[tuple[int, list[Entry]]]:
    """Yield each slot of five minutes, by its number, with the events that are delivered after it."""
    waiting: defaultdict[int, list[Entry]] = defaultdict(list)
    stores = [source.events for source in plan.sources if source.kind is kind]
    before = plan.start - (_SLOWEST + 2) * _SLOT
    streams = [_oldest_first(store, Span(account, region, before, plan.end - 1)) for store in stores]
    for entry in heapq.merge(*streams, key=lambda entry: entry.position):
        if any(stop.start <= entry.time < stop.end for stop in plan.switches.stops):
            continue
        own = entry.time // _SLOT
        for slot in sorted(slot for slot in waiting if slot < own):
            yield slot, waiting.pop(slot)
        for slot in _slots_of(plan, entry, own):
            waiting[slot].append(entry)
    yield from sorted(waiting.items())


def _slots_of(plan: Plan, entry: Entry, own: int) -> Iterator[int]:
    switches = plan.switches
    is_slow = uniform("slow", entry.id) < switches.slow
    slot = own + (int(uniform("slower", entry.id) * _SLOWEST) if is_slow else 0)
    yield slot
    if uniform("duplicate", entry.id) < switches.duplicates:
        yield slot + 1 + int(uniform("again", entry.id) * 12)


def _oldest_first(store: EventStore, span: Span) -> Iterator[Entry]:
    """Yield the events of a span from the earliest to the latest, an hour in memory at a time."""
    for hour in range(span.start // HOUR * HOUR, span.end + 1, HOUR):
        part = Span(span.account, span.region, max(span.start, hour), min(span.end, hour + HOUR - 1))
        yield from reversed(list(store.newest_first(part)))


def _split(entries: list[Entry], most: int) -> list[tuple[Entry, ...]]:
    """Divide the events of a slot among files so that each has events of the whole slot, as several writers do."""
    parts = -(-len(entries) // most)
    return [tuple(entries[part::parts]) for part in range(parts)]


def _file(plan: Plan, kind: Kind, account: str, region: str, slot: int, entries: tuple[Entry, ...]) -> LogFile:
    seed = digest("file", account, region, kind, slot, entries[0].id, len(entries))
    draw = Draw(int.from_bytes(seed, "big"))
    random = "".join(draw.pick(_LETTERS) for _ in range(16))
    delivered = _before_stop(plan.switches.stops, (slot + 1) * _SLOT + draw.between(20, _SLOT - 1))
    key = plan.trail.log_file_key(account, kind, region, delivered, random)
    is_late = draw.chance(plan.switches.late)
    arrives = delivered + draw.between(*plan.switches.late_by) if is_late else delivered
    is_listed = not draw.chance(plan.switches.unlisted)
    return LogFile(account, region, kind, key, delivered, arrives, is_listed, entries)


def _before_stop(stops: tuple[Stop, ...], delivered: int) -> int:
    """Return the time of delivery: what happened before a stop is delivered with it, for the last digest."""
    return next((stop.start - 1 for stop in stops if stop.start <= delivered < stop.end), delivered)
