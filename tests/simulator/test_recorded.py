"""Recorded events from files, unchanged or spread over chosen days."""

from __future__ import annotations

import gzip
import json
import uuid
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from devstack.simulator import DEFAULT_ACCOUNT, REGIONS, Generator, ManualClock, Recorded, Simulator, Span
from devstack.simulator.recorded import RecordedEvents
from tests.simulator.lookups import DAY, FIRST, LAST, REGION, client, ids, look_up, quick

_ALWAYS = Span(DEFAULT_ACCOUNT, REGION, 0, 1 << 40)
_ID = "11111111-2222-4333-8444-555555555555"


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def served(path: Path, records: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    store = RecordedEvents(Recorded((write(path, records),), **options), DEFAULT_ACCOUNT, REGIONS)
    return [dict(entry.read().fields) for entry in store.newest_first(_ALWAYS)]


def a_record(**changes: Any) -> dict[str, Any]:
    return {"eventID": _ID, "eventTime": "2024-08-02T07:08:09Z", "awsRegion": REGION, "eventName": "X", **changes}


def test_a_record_is_served_unchanged(tmp_path: Path) -> None:
    """If it has a time and a UUID; odd keys, large numbers and blanks are kept."""
    record = a_record(requestParameters={"": "", "n": 12345678901234567890123, "f": 1.0, "é": [[], [None]]})
    assert served(tmp_path / "one.ndjson", [record]) == [record]


def test_records_are_spread_over_days(tmp_path: Path) -> None:
    """Each record keeps its time of day and moves to one of the days in turn."""
    records = [a_record(eventID=str(uuid.UUID(int=number))) for number in range(4)]
    days = (date(2026, 11, 18), date(2026, 11, 19))
    times = sorted(record["eventTime"] for record in served(tmp_path / "four.ndjson", records, days=days))
    assert times == ["2026-11-18T07:08:09Z"] * 2 + ["2026-11-19T07:08:09Z"] * 2


def test_repeated_missing_and_invalid_ids_are_replaced(tmp_path: Path) -> None:
    """By UUIDs that are always the same."""
    records = [a_record(), a_record(), a_record(eventID="XXXXXXX"), a_record(eventID=None)]
    runs = [{record["eventID"] for record in served(tmp_path / "ids.ndjson", records)} for _ in range(2)]
    assert runs[0] == runs[1]
    assert len(runs[0]) == 4
    assert _ID in runs[0]
    assert all(str(uuid.UUID(event_id)) == event_id for event_id in runs[0])


def test_a_missing_time_is_added(tmp_path: Path) -> None:
    """A record with only logstash's @timestamp gets its eventTime from there."""
    record = a_record(**{"@timestamp": "2020-09-14T00:50:17.123Z"})
    del record["eventTime"]
    assert served(tmp_path / "stash.ndjson", [record])[0]["eventTime"] == "2020-09-14T00:50:17Z"


def test_a_record_is_served_in_its_own_region_or_the_stray_region(tmp_path: Path) -> None:
    """The stray region, if there is one, has the records of regions that are not offered."""
    records = [a_record(awsRegion="xx-north-9"), a_record(eventID=str(uuid.UUID(int=5)), awsRegion="us-west-2")]
    path = tmp_path / "regions.ndjson"
    store = RecordedEvents(Recorded((write(path, records),)), DEFAULT_ACCOUNT, REGIONS)
    assert store.regions() == {"xx-north-9", "us-west-2"}
    (taken_in,) = served(path, records, stray_region=REGION)
    assert taken_in["awsRegion"] == "xx-north-9"


@pytest.mark.parametrize("line", ["nonsense", "[1]", '"text"'])
def test_an_error_names_a_line_that_is_not_a_record(tmp_path: Path, line: str) -> None:
    """With the file and the line's number."""
    path = tmp_path / "bad.ndjson"
    path.write_text(json.dumps(a_record()) + "\n" + line + "\n")
    with pytest.raises(ValueError, match=r"bad\.ndjson, line 2"):
        RecordedEvents(Recorded((path,)), DEFAULT_ACCOUNT, REGIONS)


def test_recorded_and_generated_events_are_one_list(tmp_path: Path, clock: ManualClock) -> None:
    """Both are paged together, newest first; recorded events are in the default account only."""
    records = [
        a_record(eventID=str(uuid.UUID(int=number << 64)), eventTime=f"2026-11-18T{number % 24:02}:00:00Z")
        for number in range(120)
    ]
    packed = tmp_path / "many.ndjson.gz"
    packed.write_bytes(gzip.compress(write(tmp_path / "many.ndjson", records).read_bytes()))
    settings = quick(recorded=Recorded((packed,)), accounts={"AKIAOTHER": "999999999999"})
    with Simulator(settings, clock) as simulator:
        found = look_up(client(simulator))
        generated = Generator(settings.seed, settings.volume)
        expected = {entry.id for entry in generated.newest_first(generated.day(DEFAULT_ACCOUNT, REGION, DAY))}
        assert set(ids(found)) == expected | {record["eventID"] for record in records}
        assert ids(found) == simulator.truth(REGION, FIRST, LAST)
        other = look_up(client(simulator, access_key="AKIAOTHER"))
        assert not set(ids(other)) & set(ids(found))


def test_the_recorded_corpus_is_served_whole(corpus: Path, clock: ManualClock) -> None:
    """Every recorded event is returned once; only its time and a missing id are changed."""
    files = tuple(sorted(corpus.glob("*.ndjson.gz")))
    originals = [json.loads(line) for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]
    days = tuple(DAY - timedelta(days=number) for number in range(3))
    settings = quick(volume=0, recorded=Recorded(files, days, stray_region=REGION))
    with Simulator(settings, clock) as simulator:
        found = [
            event
            for region in REGIONS
            for event in look_up(client(simulator, region), StartTime=FIRST - timedelta(days=2))
        ]
    assert len(set(ids(found))) == len(found) == len(originals)
    assert sorted(map(_content, (json.loads(event["CloudTrailEvent"]) for event in found))) == sorted(
        map(_content, originals)
    )


def _content(record: dict[str, Any]) -> str:
    changed = ("eventTime", "eventID")
    return json.dumps({name: value for name, value in record.items() if name not in changed}, sort_keys=True)
