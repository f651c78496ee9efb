"""Compares a day of LookupEvents with a trail: the events that one has and the other lacks, by id.

Both sources write the same documents (ADR-0019), so the index does not show which source an event came from. The
comparison reads the staged lines of one LookupEvents window, and the records of the log files that the trail
delivered from the day on: a trail delivers an event minutes later, sometimes days. A trail also has kinds of event
that LookupEvents never returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.coverage.sorted_ids import IDS_IN_MEMORY, SortedIds
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import DAY, Window, midnight
from cloudtrail_elasticsearch.core.documents.events import (
    Event,
    document_id,
    event_account,
    event_time,
    parse_line,
)
from cloudtrail_elasticsearch.core.errors import PlanError

IDS_KEPT: Final = 20
"""The most ids of missing events that a comparison keeps for each side; it has the number of all of them."""

DELIVERY_DAYS: Final = 2
"""The days of delivery to read by default: the day of the events, and the day after it."""


@dataclass(frozen=True, slots=True)
class MissingEvents:
    """The events that one source has and the other lacks."""

    events: int
    ids: tuple[str, ...]
    """The first ids, in order, at most `IDS_KEPT`."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The management events of one account, region and day that each source has."""

    first_delivery: datetime
    """The time from which on the trail's log files were delivered that were read."""
    last_delivery: datetime
    """The time before which they were delivered. Later files can have further events of the day."""
    compared_at: datetime
    both: int
    only_lookup_events: MissingEvents
    """The events that no log file of these times has."""
    only_trail: MissingEvents
    """The events that the trail has and LookupEvents did not return."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as the ledger stores them."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


def choose_deliveries(day: Window, days: int = DELIVERY_DAYS) -> list[Window]:
    """Return the trail's windows to compare a LookupEvents window with: the days of delivery from its start on.

    :param days: the number of days of delivery; more find events that were delivered later
    :raises PlanError: the window is not of LookupEvents, or no day is to be read
    """
    if day.source is not Source.LOOKUP_EVENTS or days < 1:
        raise PlanError(
            f"Compare a LookupEvents window with at least 1 day of delivery, not {day.name} with {days}."
        )
    first = midnight(day.start.date())
    # A window can end on a later day than it begins.
    last = max(first + DAY * days, day.end)
    found = []
    while first < last:
        found.append(Window(day.account, day.region, first, first + DAY, Source.TRAIL))
        first += DAY
    return found


def compare_sources(
    day: Window,
    looked_up: Iterable[bytes],
    delivered: Iterable[bytes],
    deliveries: Iterable[Window],
    in_memory: int = IDS_IN_MEMORY,
) -> Comparison:
    """Compare the staged lines of a LookupEvents window with the records of a trail's log files.

    The comparison is exact: every id is compared, however the lines are ordered or repeated. Lines without an
    event are skipped, because they have no id. Memory is bounded; ids beyond it are sorted on disk.

    :param day: the LookupEvents window
    :param looked_up: all staged lines of the window
    :param delivered: all records of the log files of `deliveries`, of the window's account and region
    :param deliveries: the trail's windows that were read, as `choose_deliveries` returns them
    :param in_memory: the most ids in memory, for each source
    :raises PlanError: a delivery is of another account, region or source, or there is none
    """
    times = _check_deliveries(day, list(deliveries))
    with SortedIds(in_memory) as own, SortedIds(in_memory) as other:
        for event in _read_events(looked_up):
            own.add(document_id(event), mark=True)
        for event in _read_events(delivered):
            # An event outside the day, or of another kind, is not missing from LookupEvents. It can still be one
            # that LookupEvents returned.
            other.add(document_id(event), mark=_belongs_to(event, day))
        return _count(own.read(), other.read(), times)


def _check_deliveries(day: Window, deliveries: list[Window]) -> tuple[datetime, datetime]:
    """Return the first and the last time of the deliveries."""
    wrong = [
        each.name
        for each in deliveries
        if (each.account, each.region, each.source) != (day.account, day.region, Source.TRAIL)
    ]
    if wrong or not deliveries:
        raise PlanError(
            f"{day.name} of account {day.account} must be compared with a trail's windows of the same account and "
            f"region, not with {', '.join(wrong) or 'none'}."
        )
    return min(each.start for each in deliveries), max(each.end for each in deliveries)


def _read_events(lines: Iterable[bytes]) -> Iterator[Event]:
    for line in lines:
        if line.strip():
            event = parse_line(line)
            if isinstance(event, Event):
                yield event


def _belongs_to(event: Event, day: Window) -> bool:
    """Return whether LookupEvents should have returned a trail's event for a window."""
    time = event_time(event)
    if time is None or not day.start <= time < day.end or not is_management_event(event.record):
        return False
    # An organization's trail can deliver an event of another account to the folder of its caller.
    return event_account(event.record) in {None, day.account} and event.record.get("awsRegion") in {
        None,
        day.region,
    }


def is_management_event(record: dict[str, Any]) -> bool:
    """Return whether a record is a management event: the kind that LookupEvents returns by default.

    Records before version 1.07 have no eventCategory, and before 1.06 no managementEvent.
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    """
    category = record.get("eventCategory")
    if isinstance(category, str):
        return category == "Management"
    is_insight = record.get("eventType") == "AwsCloudTrailInsight" or "insightDetails" in record
    return record.get("managementEvent") is not False and not is_insight


def _count(
    own: Iterator[tuple[str, bool]], other: Iterator[tuple[str, bool]], times: tuple[datetime, datetime]
) -> Comparison:
    """Count the ids of two sorted streams; both are read once, side by side."""
    both = 0
    missing: tuple[list[str], list[str]] = ([], [])
    counts = [0, 0]

    def add_missing(side: int, identifier: str) -> None:
        counts[side] += 1
        if len(missing[side]) < IDS_KEPT:
            missing[side].append(identifier)

    mine, theirs = next(own, None), next(other, None)
    while mine is not None or theirs is not None:
        if theirs is None or (mine is not None and mine[0] < theirs[0]):
            assert mine is not None  # noqa: S101 - the loop's condition
            add_missing(0, mine[0])
            mine = next(own, None)
        elif mine is None or theirs[0] < mine[0]:
            if theirs[1]:
                add_missing(1, theirs[0])
            theirs = next(other, None)
        else:
            both += 1
            mine, theirs = next(own, None), next(other, None)
    first, last = (MissingEvents(count, tuple(ids)) for count, ids in zip(counts, missing, strict=True))
    return Comparison(*times, datetime.now(UTC), both, first, last)
