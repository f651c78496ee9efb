"""`normalize`, `explain` and `restore` on files of every form: their output and exit status."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from cloudtrail_elasticsearch.cli import main
from cloudtrail_elasticsearch.cli_progress import LoadProgress
from tests.sources.spellings import SPELLINGS, STAGED_SPELLINGS, Spelling, compact, documents, hit, ndjson, pretty
from tests.sources.test_broken import DAMAGED_DOCUMENTS
from tests.sources.test_spellings import EVENTS

ALL = SPELLINGS | STAGED_SPELLINGS
Capture = pytest.CaptureFixture[bytes]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events"


@pytest.mark.slow
@pytest.mark.parametrize("spelling", ALL.values(), ids=ALL)
def test_normalize_and_explain_accept_every_form(spelling: Spelling, file: Path, capfdbinary: Capture) -> None:
    """They print one line per event and nothing else; status 0."""
    file.write_bytes(spelling(EVENTS))
    assert main(["normalize", str(file)]) == 0
    printed = capfdbinary.readouterr()
    assert [json.loads(line)["eventID"] for line in printed.out.splitlines()] == [e["eventID"] for e in EVENTS]
    assert printed.err == b""
    assert main(["explain", str(file)]) == 0
    assert len(capfdbinary.readouterr().out.splitlines()) == len(EVENTS)


def test_events_that_a_rule_leaves_out_are_named_and_counted(file: Path, capfdbinary: Capture) -> None:
    """`normalize` prints no document of them, and `explain` the rule; the number of each rule is printed."""
    rules = file.with_name("rules.yaml")
    name = EVENTS[0]["eventName"]
    left_out = [event["eventID"] for event in EVENTS if event["eventName"] == name]
    rules.write_text(f"rules: [{{name: mine, why: a test, do: leave-out, events: {{name: {name}}}}}]")
    file.write_bytes(ndjson(EVENTS))
    counted = f"cloudtrail-elasticsearch: {len(left_out)} events were left out by rule mine.\n".encode()
    assert main(["normalize", str(file), "--rules", str(rules)]) == 0
    printed = capfdbinary.readouterr()
    ids = [json.loads(line)["eventID"] for line in printed.out.splitlines()]
    assert ids == [event["eventID"] for event in EVENTS if event["eventID"] not in left_out]
    assert printed.err == counted
    assert main(["explain", str(file), "--rules", str(rules)]) == 0
    printed = capfdbinary.readouterr()
    found = [json.loads(line) for line in printed.out.splitlines()]
    assert [each for each in found if "left_out_by" in each] == [
        {"id": identifier, "left_out_by": "mine"} for identifier in left_out
    ]
    assert len(found) == len(EVENTS)
    assert printed.err == counted


@pytest.mark.parametrize("command", ["normalize", "explain", "restore"])
def test_an_unreadable_event_gives_status_1(command: str, file: Path, capfdbinary: Capture) -> None:
    """The events before and after it are printed. The error has the file and the reason, not the content."""
    file.write_bytes(ndjson(EVENTS[:1]) + b"s3cret\n" + ndjson(EVENTS[1:]))
    assert main([command, str(file)]) == 1
    printed = capfdbinary.readouterr()
    assert len(printed.out.splitlines()) == len(EVENTS)
    assert b"event 2 of %b is unreadable" % str(file).encode() in printed.err
    assert b"s3cret" not in printed.err


@pytest.mark.parametrize("command", ["normalize", "explain", "restore"])
def test_a_file_that_is_cut_short_is_status_1(command: str, file: Path, capfdbinary: Capture) -> None:
    file.write_bytes(b"[" + compact(EVENTS[0]) + b",")
    assert main([command, str(file), str(file)]) == 1
    printed = capfdbinary.readouterr()
    assert len(printed.out.splitlines()) == 1
    assert b"cut short" in printed.err


@pytest.mark.parametrize("command", ["normalize", "explain", "restore"])
def test_a_file_that_is_not_there_is_status_2(command: str, file: Path, capfdbinary: Capture) -> None:
    assert main([command, str(file)]) == 2
    assert str(file).encode() in capfdbinary.readouterr().err


RESTORED = {
    "lines": lambda found: b"\n".join(map(compact, found)),
    "joined": lambda found: b"".join(map(compact, found)),
    "list": compact,
    "pretty": lambda found: b"\n".join(map(pretty, found)),
    "dump": lambda found: b"\n".join(compact(hit(document, 1)) for document in found),
    "search's answer": lambda found: compact({"hits": {"hits": [hit(document, 1) for document in found]}}),
    "bulk request": lambda found: b"".join(b'{"index":{}}\n%b\n' % compact(document) for document in found),
}


@pytest.mark.parametrize("spelling", RESTORED.values(), ids=RESTORED)
def test_restore_accepts_documents_in_every_form(spelling: Spelling, file: Path, capfdbinary: Capture) -> None:
    """The events are restored exactly."""
    file.write_bytes(spelling(documents(EVENTS)))
    assert main(["restore", str(file)]) == 0
    assert [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()] == EVENTS


def test_restore_removes_no_wrapper(file: Path, capfdbinary: Capture) -> None:
    """A document with the names of a wrapper is one document."""
    found = [{"eventID": "x", "Records": [{"eventID": "y"}]}, {"detail-type": "x", "detail": {"eventID": "z"}}]
    file.write_bytes(b"\n".join(map(compact, found)))
    assert main(["restore", str(file)]) == 0
    assert [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()] == found


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_only_on_a_terminal() -> None:
    """The share of the bytes, the events and their rate; the line is cleared at the end."""
    for stream, is_shown in ((Terminal(), True), (io.StringIO(), False)):
        with LoadProgress(stream, 4_000_000) as progress:
            progress.show(1_234, 1_000_000)
        text = stream.getvalue()
        assert (" 25% of 4.0 MB, 1,234 events" in text) == is_shown
        assert text.endswith("\r\x1b[K") == is_shown
    stream = Terminal()
    with LoadProgress(stream, None) as progress:
        progress.show(5, 2_500_000)
    assert "2.5 MB, 5 events" in stream.getvalue()


@pytest.mark.parametrize("document", DAMAGED_DOCUMENTS.values(), ids=DAMAGED_DOCUMENTS)
def test_restore_leaves_out_a_damaged_document(document: bytes, file: Path, capfdbinary: Capture) -> None:
    file.write_bytes(document + b'\n{"eventName": "A"}\n')
    assert main(["restore", str(file)]) == 1
    printed = capfdbinary.readouterr()
    assert json.loads(printed.out) == {"eventName": "A"}
    assert b"event 1 of" in printed.err
