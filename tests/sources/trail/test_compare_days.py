"""The comparison of a LookupEvents cell with the log files of a trail, and which cells are compared."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.coverage.windows import DAY as ONE_DAY
from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.core.errors import FileError, StagingError
from cloudtrail_elasticsearch.pipeline.compare import compare_window, find_windows_to_compare
from cloudtrail_elasticsearch.staging import Manifest, Staging
from cloudtrail_elasticsearch.staging.parts import pack_events
from devstack.simulator.trails import Kind, tampering
from tests.memory_s3 import MemoryS3
from tests.sources.trail.local_trail import DAY, LocalTrail, local_trail

ADDED = "00000000-0000-4000-8000-000000000001"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
ACCOUNT, REGION = "123456789012", "eu-west-1"


@pytest.fixture
def trail() -> Iterator[LocalTrail]:
    with local_trail() as served:
        yield served


def window_of(trail: LocalTrail) -> Window:
    region = trail.region()
    return Window(region.account, region.region, midnight(DAY), midnight(DAY) + ONE_DAY)


def management_events(trail: LocalTrail) -> dict[str, dict[str, Any]]:
    """Return the window's management events that the trail delivered on any day, by id."""
    window = window_of(trail)
    files = [
        file
        for file in trail.written.log_files
        if (file.account, file.region, file.kind) == (window.account, window.region, Kind.EVENTS)
    ]
    records = [
        record
        for file in files
        for record in json.loads(gzip.decompress(trail.objects.get(file.key).body))["Records"]
        if record["eventCategory"] == "Management" and record["eventTime"].startswith(str(DAY))
    ]
    return {record["eventID"]: record for record in records}


def stage(window: Window, records: dict[str, dict[str, Any]]) -> Staging:
    """Stage records as LookupEvents returned them."""
    staging = Staging(MemoryS3(), "staging")
    events = []
    for event_id, record in records.items():
        line = json.dumps({"lookup": {"EventId": event_id}, "event": record}).encode()
        events.append(LookedUpEvent(event_id, window.start, line))
    manifest = Manifest(
        fetch="1",
        late=0,
        throttled=0,
        attempts=1,
        window=window,
        parts=(staging.write_part(window, "1", "a", pack_events(events, window.start)),),
        looked_up=len(records),
        duplicates=0,
        calls=1,
        staged_at=NOON,
    )
    assert staging.publish(manifest, staging.standing(window))
    return staging


def test_the_comparison_finds_what_each_source_lacks(trail: LocalTrail) -> None:
    """By id, among the management events of the day; the events of its end are delivered on the next day."""
    window, events = window_of(trail), management_events(trail)
    assert len(events) > 20
    unknown_to_lookup_events = sorted(events)[0]
    record = events.pop(unknown_to_lookup_events)
    staging = stage(window, {**events, ADDED: {**record, "eventID": ADDED}})
    found = compare_window(window, staging, trail.bucket, trail.region())
    assert found.both == len(events)
    assert found.only_lookup_events.ids == (ADDED,)
    assert found.only_trail.ids == (unknown_to_lookup_events,)
    assert (found.first_delivery, found.last_delivery) == (window.start, window.start + 2 * ONE_DAY)


def test_only_log_files_with_management_events_are_read(trail: LocalTrail) -> None:
    """A damaged log file of Insights does not matter, and one that has management events stops the comparison."""
    window = window_of(trail)
    staging = stage(window, management_events(trail))
    files = trail.files()
    insights = [file for file in trail.written.log_files if file.kind is Kind.INSIGHTS]
    for file in insights:
        tampering.break_gzip(trail.objects, file.key)
    assert insights
    assert compare_window(window, staging, trail.bucket, trail.region()).only_lookup_events.events == 0
    damaged = next(file.key for file in files if file.kind is Kind.EVENTS)
    tampering.truncate(trail.objects, damaged)
    with pytest.raises(FileError, match=damaged):
        compare_window(window, staging, trail.bucket, trail.region())


def test_a_window_that_is_not_staged_is_not_compared(trail: LocalTrail) -> None:
    """Its events may have been removed by the bucket's lifecycle rule."""
    with pytest.raises(StagingError, match=r"[0-9]{12} eu-west-1 2026-11-20 is not staged"):
        compare_window(window_of(trail), Staging(MemoryS3(), "staging"), trail.bucket, trail.region())


class Cells:
    """The ledger's documents."""

    def __init__(self, *cells: dict[str, Any]) -> None:
        self._cells = cells
        self.searches = 0

    def read_cells(self, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        self.searches += 1
        days, accounts, source = query["bool"]["filter"]
        wanted = "trail" if "term" in source else None
        for cell in self._cells:
            is_wanted = cell["day"] in days["terms"]["day"] and cell["account"] in accounts["terms"]["account"]
            if is_wanted and cell.get("source") == wanted:
                yield cell


def cell(source: str | None, number: int, staged_at: datetime = NOON, **further: Any) -> dict[str, Any]:
    """Return a cell of the day with this number; version 0.1 named no source."""
    start = midnight(DAY) + number * ONE_DAY
    usual = {
        "account": ACCOUNT,
        "region": REGION,
        "day": str(start.date()),
        "start": start.isoformat(),
        "end": (start + ONE_DAY).isoformat(),
        "state": "complete",
        "staged_at": staged_at.isoformat().replace("+00:00", "Z"),
    }
    return {**usual, **({"source": source} if source else {}), **further}


def find(*cells: dict[str, Any], delivered: int = 1) -> list[str]:
    """Return the days to compare after a run of the day of delivery with this number."""
    ledger = cast("Ledger", Cells(*cells))
    found = find_windows_to_compare(ledger, [DAY + delivered * ONE_DAY], [ACCOUNT])
    return [str(window.start.date()) for window in found]


DAYS = [str(DAY + number * ONE_DAY) for number in range(3)]


def test_a_day_is_compared_when_both_of_its_deliveries_are_loaded() -> None:
    """In whichever order the days were loaded: a run concerns its own day and the day before it."""
    looked_up = [cell(None, number) for number in range(3)]
    assert find(*looked_up, cell("trail", 1)) == []
    assert find(*looked_up, cell("trail", 0), cell("trail", 1)) == [DAYS[0]]
    trail = [cell("trail", number) for number in range(3)]
    assert find(*looked_up, *trail) == DAYS[:2]
    assert find(*looked_up, *trail, delivered=2) == [DAYS[1]]
    assert find(*trail) == []


@pytest.mark.parametrize("state", ["failed", "missing", "loading"])
def test_a_day_that_is_not_loaded_is_not_compared(state: str) -> None:
    """Neither source may lack events of it."""
    looked_up, trail = cell(None, 0), [cell("trail", 0), cell("trail", 1)]
    assert find(looked_up, *trail) == [DAYS[0]]
    assert find({**looked_up, "state": state}, *trail) == []
    assert find(looked_up, trail[0], {**trail[1], "state": state}) == []


def test_a_day_is_compared_again_only_if_a_source_was_loaded_again() -> None:
    """Otherwise a second run of the same days would read all log files again."""
    compared: dict[str, Any] = {"comparison": {"compared_at": "2026-11-25T12:00:01Z"}}
    later = NOON + timedelta(hours=1)
    trail = [cell("trail", 0), cell("trail", 1)]
    assert find(cell(None, 0, **compared), *trail) == []
    assert find(cell(None, 0, later, **compared), *trail) == [DAYS[0]]
    assert find(cell(None, 0, **compared), trail[0], cell("trail", 1, later)) == [DAYS[0]]


def test_without_cells_of_lookup_events_one_search_is_enough() -> None:
    """An organization has thousands of cells a day, and LookupEvents usually those of one account."""
    ledger = Cells(cell("trail", 0), cell("trail", 1))
    assert find_windows_to_compare(cast("Ledger", ledger), [DAY], [ACCOUNT]) == []
    assert ledger.searches == 1
