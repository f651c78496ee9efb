"""The command line with files, on the real servers: documents, exit status, and the report of each file."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch.cli import main
from cloudtrail_elasticsearch.core.errors import RejectedRequestError
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from tests.sources.spellings import SPELLINGS, STAGED_SPELLINGS, compact, ndjson, records

Capture = pytest.CaptureFixture[bytes]


def event(number: int) -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "eventID": str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))),
        "eventTime": "2026-11-20T10:00:00Z",
        "eventName": "RunInstances",
        "eventSource": "ec2.amazonaws.com",
    }


@pytest.fixture
def index(search_url: str, unique_index_prefix: str) -> Iterator[str]:
    yield unique_index_prefix
    server = connect(SearchSettings.from_url(search_url))
    with contextlib.suppress(RejectedRequestError):
        server.request("DELETE", f"/{unique_index_prefix}")


def load(search_url: str, index: str, capture: Capture, *arguments: Path | str) -> tuple[int, dict[str, Any]]:
    capture.readouterr()
    status = main(["load", *map(str, arguments), "--url", search_url, "--index", index])
    printed = capture.readouterr().out
    report: dict[str, Any] = json.loads(printed) if printed else {}
    return status, report


def held(search_url: str, index: str) -> set[str]:
    server = connect(SearchSettings.from_url(search_url))
    body = compact({"query": {"match_all": {}}, "size": 1000})
    return {hit["_id"] for hit in server.request("POST", f"/{index}/_search", body)["hits"]["hits"]}


def test_a_broken_file_does_not_stop_the_others(
    search_url: str, index: str, tmp_path: Path, capfdbinary: Capture
) -> None:
    """The others and its readable part are loaded; the status is 1; the report has the counts of each."""
    events = [event(number) for number in range(6)]
    names = [tmp_path / name for name in ("a.json.gz", "b.json.gz", "c.json.gz")]
    for number, name in enumerate(names):
        name.write_bytes(gzip.compress(records(events[2 * number : 2 * number + 2])))
    names[1].write_bytes(names[1].read_bytes()[:-30])
    status, report = load(search_url, index, capfdbinary, *names)
    assert status == 1
    wanted = {one["eventID"] for one in events} - {events[3]["eventID"]}
    assert held(search_url, index) == wanted
    assert [file["file"] for file in report["files"]] == [str(name) for name in names]
    assert [file["error"] is None for file in report["files"]] == [True, False, True]
    assert "cut short" in report["files"][1]["error"]
    assert [(file["read"], file["unreadable"]) for file in report["files"]] == [(2, 0), (2, 1), (2, 0)]
    assert [(file["indexed"], file["quarantined"]) for file in report["files"]] == [(2, 0), (1, 1), (2, 0)]
    assert (report["read"], report["indexed"], report["quarantined"], report["unreadable"]) == (6, 5, 1, 1)


def test_the_report_has_the_outcomes_of_each_file(
    search_url: str, index: str, tmp_path: Path, capfdbinary: Capture
) -> None:
    """An event that an earlier file or load had is a duplicate in the file that has it again."""
    (tmp_path / "1.ndjson").write_bytes(ndjson([event(1), event(2)]))
    (tmp_path / "2.ndjson").write_bytes(ndjson([event(2), event(3)]) + compact({"digestStartTime": 1}))
    (tmp_path / "3.ndjson").write_bytes(b"")
    (tmp_path / "4.ndjson").write_bytes(b"not json\n" + ndjson([event(4)]))
    status, report = load(search_url, index, capfdbinary, tmp_path)
    names = ("read", "indexed", "duplicates", "quarantined")
    assert [tuple(file[name] for name in names) for file in report["files"]] == [
        (2, 2, 0, 0),
        (2, 1, 1, 0),
        (0, 0, 0, 0),
        (2, 1, 0, 1),
    ]
    assert (status, report["skipped"], report["unreadable"]) == (1, {"digest files": 1}, 1)
    (tmp_path / "4.ndjson").unlink()
    status, report = load(search_url, index, capfdbinary, f"{tmp_path}/*.ndjson")
    assert status == 0
    assert [file["duplicates"] for file in report["files"]] == [2, 2, 0]
    assert [file["error"] for file in report["files"]] == [None] * 3


@pytest.mark.promise("nothing-lost")
def test_the_report_has_the_events_that_each_rule_leaves_out(
    search_url: str, index: str, tmp_path: Path, capfdbinary: Capture
) -> None:
    """In all, by rule and by file: read = indexed + duplicates + quarantined + left out."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{name: reads, why: a test, do: leave-out, events: {name: 'Describe*'}}]")
    reads = [event(number) | {"eventName": "DescribeX"} for number in (3, 4)]
    (tmp_path / "1.ndjson").write_bytes(ndjson([event(1), reads[0]]))
    (tmp_path / "2.ndjson").write_bytes(ndjson([event(1), event(2), reads[1]]))
    status, report = load(search_url, index, capfdbinary, f"{tmp_path}/*.ndjson", "--rules", rules)
    assert (status, report["read"], report["left_out"], report["left_out_by"]) == (0, 5, 2, {"reads": 2})
    names = ("read", "indexed", "duplicates", "quarantined", "left_out")
    assert [tuple(file[name] for name in names) for file in report["files"]] == [(2, 1, 0, 0, 1), (3, 1, 1, 0, 1)]
    assert held(search_url, index) == {event(number)["eventID"] for number in (1, 2)}


def test_every_file_format_is_loaded(search_url: str, index: str, tmp_path: Path, capfdbinary: Capture) -> None:
    """One file of each format, in one load: a document for each event."""
    wanted = set()
    for number, (name, spelling) in enumerate((SPELLINGS | STAGED_SPELLINGS).items()):
        events = [event(number * 10 + one) for one in range(2)]
        wanted |= {one["eventID"] for one in events}
        (tmp_path / f"{number:03d}").write_bytes(spelling(events))
        assert name
    status, report = load(search_url, index, capfdbinary, tmp_path)
    assert [file for file in report["files"] if file["error"] or file["indexed"] != 2] == []
    assert (status, report["indexed"], report["quarantined"]) == (0, len(wanted), 0)
    assert held(search_url, index) == wanted


def test_records_that_are_not_events_are_not_indexed(
    search_url: str, index: str, tmp_path: Path, capfdbinary: Capture
) -> None:
    """A digest file is skipped; for OCSF rows, the error names the format."""
    (tmp_path / "digest").write_bytes(compact({"digestStartTime": "x", "logFiles": []}))
    status, report = load(search_url, index, capfdbinary, tmp_path / "digest")
    assert (status, report["read"], report["skipped"]) == (0, 0, {"digest files": 1})
    (tmp_path / "ocsf").write_bytes(compact({"class_uid": 6003, "metadata": {"product": {}}}))
    status, report = load(search_url, index, capfdbinary, tmp_path / "ocsf")
    assert (status, report["read"]) == (1, 0)
    assert "OCSF" in report["files"][0]["error"]


def test_a_name_without_a_file_stops_the_load(
    search_url: str, index: str, tmp_path: Path, capfdbinary: Capture
) -> None:
    """Nothing is sent, and the error has the name."""
    (tmp_path / "a").write_bytes(ndjson([event(1)]))
    status = main(["load", str(tmp_path / "a"), str(tmp_path / "missing"), "--url", search_url, "--index", index])
    printed = capfdbinary.readouterr()
    assert (status, printed.out) == (2, b"")
    assert str(tmp_path / "missing").encode() in printed.err


def test_standard_input_and_the_report_file(
    search_url: str, index: str, tmp_path: Path, capfdbinary: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-` is one of the files; the report is also written to the file of --report."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(records([event(1)])))))
    path = tmp_path / "report.json"
    assert main(["load", "-", "--url", search_url, "--index", index, "--report", str(path)]) == 0
    assert json.loads(path.read_text()) == json.loads(capfdbinary.readouterr().out)
    assert json.loads(path.read_text())["files"][0] | {"shapes": 0} == {
        "file": "-",
        "read": 1,
        "indexed": 1,
        "duplicates": 0,
        "quarantined": 0,
        "left_out": 0,
        "unreadable": 0,
        "skipped": {},
        "shapes": 0,
        "error": None,
    }
