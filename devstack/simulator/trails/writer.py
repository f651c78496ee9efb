"""Write the deliveries of a trail into a bucket.

>>> trail = Trail(bucket="trail")
>>> written = write_trail(plan_organization(trail, date(2026, 11, 20)), S3Bucket(client, "trail"))
"""

from __future__ import annotations

import functools
import itertools
import multiprocessing
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Final, NamedTuple

from devstack.simulator.trails.digests import Digest, Listed, list_digests
from devstack.simulator.trails.log_files import LogFile, compress, list_log_files, sha256
from devstack.simulator.trails.plan import Plan
from devstack.simulator.trails.stores import Puts
from devstack.simulator.trails.truth import Written, WrittenDigest, WrittenFile

ALWAYS: Final = (0, 1 << 62)

_CELLS_AT_ONCE: Final = 8


class Delivered(NamedTuple):
    """An object, the time of its arrival in epoch seconds, and its entry in `Written`."""

    arrives: int
    key: str
    body: bytes
    metadata: Mapping[str, str]
    truth: WrittenFile | WrittenDigest


def write_trail(plan: Plan, bucket: Puts, arriving: tuple[int, int] = ALWAYS, *, processes: int = 1) -> Written:
    """Write the objects that arrive in a range of time, and return them.

    Late log files and the digests of the last hour arrive after the plan's end. A test that loads a day, then lets
    late files arrive, writes twice: `arriving` up to a time (excluded), then from that time on.

    :param arriving: from (included) and to (excluded), in epoch seconds
    :param processes: make the objects in this many processes; the caller's process writes them
    """
    return put_objects(list_objects(plan, arriving, processes=processes), bucket)


def list_objects(plan: Plan, arriving: tuple[int, int] = ALWAYS, *, processes: int = 1) -> Iterator[Delivered]:
    """Yield the objects that arrive in a range of time, those of each account and region in their order."""
    make = functools.partial(_list_cell, plan, arriving)
    if processes == 1:
        yield from itertools.chain.from_iterable(map(make, plan.cells()))
        return
    # A process that is forked from one with threads can hang.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        yield from itertools.chain.from_iterable(pool.map(make, plan.cells(), chunksize=_CELLS_AT_ONCE))


def put_objects(objects: Iterable[Delivered], bucket: Puts) -> Written:
    """Write these objects into a bucket, and return the log files and digests among them."""
    files: list[WrittenFile] = []
    digests: list[WrittenDigest] = []
    for item in objects:
        bucket.put(item.key, item.body, item.metadata)
        if isinstance(item.truth, WrittenFile):
            files.append(item.truth)
        else:
            digests.append(item.truth)
    return Written(tuple(files), tuple(digests))


def _list_cell(plan: Plan, arriving: tuple[int, int], cell: tuple[str, str]) -> list[Delivered]:
    """Return the objects of an account and region that arrive in a range of time, the first one first."""
    made: list[Delivered] = []
    listed: list[Listed] = []
    for file in list_log_files(plan, *cell):
        content = file.content()
        if file.is_listed:
            listed.append(_listed(file, sha256(content)))
        made.append(_log_file(file, content))
    if plan.trail.validation:
        made += map(_digest, list_digests(plan, *cell, listed))
    made.sort(key=lambda item: item.arrives)
    return [item for item in made if arriving[0] <= item.arrives < arriving[1]]


def _listed(file: LogFile, content_hash: str) -> Listed:
    times = [entry.time for entry in file.entries]
    return Listed(file.key, content_hash, file.delivered, file.arrives, min(times), max(times))


def _log_file(file: LogFile, content: bytes) -> Delivered:
    body = compress(content)
    truth = WrittenFile(
        account=file.account,
        region=file.region,
        kind=file.kind,
        key=file.key,
        delivered=file.delivered,
        is_late=file.is_late,
        is_listed=file.is_listed,
        size=len(body),
        sha256=sha256(content),
        event_ids=tuple(entry.id for entry in file.entries),
    )
    return Delivered(file.arrives, file.key, body, {}, truth)


def _digest(digest: Digest) -> Delivered:
    truth = WrittenDigest(
        account=digest.account,
        region=digest.region,
        key=digest.key,
        start=digest.start,
        end=digest.end,
        is_backfill=digest.is_backfill,
        begins_chain=digest.begins_chain,
        log_files=digest.log_files,
    )
    return Delivered(digest.arrives, digest.key, digest.body, digest.metadata, truth)
