"""Restores the slices of an earlier attempt from their records and parts; a damaged slice is looked up again."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.encoding import typed
from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.sources.lookup_events.fetch_record import FetchRecord, Mark, SliceRecord
from cloudtrail_elasticsearch.sources.lookup_events.slices import Range
from cloudtrail_elasticsearch.staging import Staging

log = logging.getLogger(__name__)

READERS: Final = 8

_decode_slice: Final = typed.make_decode(SliceRecord)


@dataclass(slots=True)
class RestoredSlices:
    """The slices of an earlier attempt whose records and parts are undamaged; the others' ranges are in `pool`."""

    record: FetchRecord
    done: list[SliceRecord] = field(default_factory=list)
    open: list[SliceRecord] = field(default_factory=list)
    retired: list[SliceRecord] = field(default_factory=list)
    pool: list[Range] = field(default_factory=list)


def decode_record(kept: Any, window: Window) -> FetchRecord | None:
    """Return the record of a fetch from the state store; None if it is damaged, or does not cover the window."""
    try:
        record = typed.convert(kept, FetchRecord)
    except msgspec.ValidationError as error:
        log.warning("The saved progress of %s is damaged (%s). Starting from the beginning.", window.name, error)
        return None
    whole = Range.between(window.start, window.end)
    # Each second must be in exactly one range, or its events would be missing or looked up twice.
    ranges = sorted([*(Range(*each) for each in record.pool), *(each.range for each in record.open + record.done)])
    ends = [whole.floor, *(each.end for each in ranges)]
    is_whole = [each.floor for each in ranges] == ends[:-1] and ends[-1] == whole.end
    # A finished query without pages would make its range look like one without events.
    has_pages = all(mark.pages > 0 for mark in record.done + record.retired)
    if not (is_whole and has_pages and all(each.seconds > 0 for each in ranges)):
        log.warning("The saved progress of %s has gaps or overlaps. Starting from the beginning.", window.name)
        return None
    return record


def restore_slices(record: FetchRecord, window: Window, staging: Staging) -> RestoredSlices:
    """Read the records of a fetch's slices, and check the parts that they name."""
    with ThreadPoolExecutor(READERS, thread_name_prefix="restore") as pool:

        def read(marks: Iterable[Mark]) -> list[SliceRecord | None]:
            return list(pool.map(lambda mark: _read_record(mark, record.id, window, staging), marks))

        retired = read(record.retired)
        gone = [mark.range for mark, found in zip(record.retired, retired, strict=True) if found is None]
        restored = RestoredSlices(record, pool=[Range(*each) for each in record.pool])
        restored.retired = [each for each in retired if each is not None]
        for marks, kept in ((record.done, restored.done), (record.open, restored.open)):
            for mark, found in zip(marks, read(marks), strict=True):
                # A slice skips the events of retired queries of its range, so it is not usable if one is damaged.
                if found is None or any(_overlap(mark.range, each) for each in gone):
                    restored.pool.append(mark.range)
                else:
                    kept.append(found)
    return restored


def _read_record(mark: Mark, fetch: str, window: Window, staging: Staging) -> SliceRecord | None:
    try:
        return _check_record(mark, fetch, window, staging)
    except StagingError as error:
        log.warning("%s The slice %s of %s is looked up again.", error, mark.range.name, window.name)
        return None


def _check_record(mark: Mark, fetch: str, window: Window, staging: Staging) -> SliceRecord:
    record = staging.slice(window, fetch, mark.name, _decode_slice)
    # The mark has the record's checksum, so a record of a simultaneous attempt is not mistaken for this one.
    if record is None or record.mark != mark:
        raise StagingError(f"The record of the slice {mark.name} is missing, or belongs to another slice.")
    # The manifest will name these parts, so a missing one must be noticed now.
    for part in (*record.parts, *record.asides):
        staging.check_part(part)
    return record


def _overlap(one: Range, other: Range) -> bool:
    return one.floor < other.end and other.floor < one.end
