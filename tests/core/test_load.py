"""The loader, against a server that is a function: what it sends, sends again, halves and quarantines."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.errors import RefusedError, ThrottledError, TooLargeError, TransientError
from cloudtrail_elasticsearch.core.load import Loader, LoadReport, LoadSettings
from cloudtrail_elasticsearch.core.mapping import QUARANTINE_INDEX, Engine, IndexPattern
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.shape import build

SHAPE = build("flattened", load_rules())
QUICK = LoadSettings(patience=0.2, longest_pause=0.01, request_items=10)


class Server:
    """Keeps documents in a dictionary; `fault` may answer for an item instead."""

    name = "http://server"
    engine: Engine = "opensearch"

    def __init__(
        self, fault: Callable[[str, str], dict[str, Any] | None] = lambda index, identifier: None
    ) -> None:
        self.documents: dict[tuple[str, str], Any] = {}
        self.requests = 0
        self.fault = fault
        self._lock = threading.Lock()

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        with self._lock:
            if path == "/_bulk":
                self.requests += 1
                return {"items": self._bulk((body or b"").splitlines())}
            if "/_count" in path:
                ids = json.loads(body or b"")["query"]["ids"]["values"]
                return {"count": sum(("one", identifier) in self.documents for identifier in ids)}
            return {}

    def _bulk(self, lines: list[bytes]) -> list[dict[str, Any]]:
        items = []
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            target = json.loads(action)["index"]
            key = (target["_index"], target["_id"])
            said = self.fault(*key)
            if said is None:
                said = {"status": 200, "result": "updated" if key in self.documents else "created"}
                self.documents[key] = json.loads(document)
            items.append({"index": said})
        return items


def loader(server: Any) -> Loader:
    return Loader(server, IndexPattern("one"), SHAPE, QUICK)


def lines(count: int) -> list[bytes]:
    return [json.dumps({"eventID": event_id(number)}).encode() for number in range(count)]


def event_id(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012d}"


def figures(report: LoadReport) -> tuple[int, int, int, int]:
    return report.read, report.indexed, report.duplicates, report.quarantined


def test_every_event_is_indexed_once_under_its_id() -> None:
    """Loading the same events again writes the same documents."""
    server = Server()
    assert figures(loader(server).load(lines(95))) == (95, 95, 0, 0)
    before = dict(server.documents)
    assert figures(loader(server).load(lines(95))) == (95, 0, 95, 0)
    assert server.documents == before


def test_only_the_items_that_failed_are_sent_again() -> None:
    """A partial failure costs the items it hit, not the whole request."""
    seen: dict[str, int] = {}

    def every_third_once(_: str, identifier: str) -> dict[str, Any] | None:
        seen[identifier] = seen.get(identifier, 0) + 1
        if int(identifier[-1]) % 3 == 0 and seen[identifier] == 1:
            return {"status": 429, "error": {"type": "rejected", "reason": "full"}}
        return None

    assert figures(loader(Server(every_third_once)).load(lines(10))) == (10, 10, 0, 0)
    assert seen == {event_id(number): 2 if number % 3 == 0 else 1 for number in range(10)}


def test_a_server_that_stays_busy_is_named_in_the_end() -> None:
    """After its patience the loader says which documents are not taken, why, and that nothing is lost."""
    server = Server(
        lambda *_: {"status": 403, "error": {"type": "cluster_block_exception", "reason": "read-only"}}
    )
    with pytest.raises(ThrottledError, match=r"did not take 10 documents for one .*read-only.*Nothing is lost"):
        loader(server).load(lines(10))


def test_what_the_server_refuses_is_quarantined_whole() -> None:
    """The event's own text, the reason and the time are kept, and the load goes on."""
    refusal = {"status": 400, "error": {"type": "document_parsing_exception", "reason": "no such luck"}}
    server = Server(lambda index, identifier: refusal if (index, identifier) == ("one", event_id(7)) else None)
    assert figures(loader(server).load(lines(10))) == (10, 9, 0, 1)
    kept = server.documents[QUARANTINE_INDEX, event_id(7)]
    assert json.loads(kept["event"]) == {"eventID": event_id(7)}
    assert (kept["index"], kept["reason"]) == ("one", "no such luck")
    assert kept["quarantinedAt"]


def test_lines_without_an_event_are_quarantined() -> None:
    """Bad input is counted and kept, and stops nothing."""
    server = Server()
    assert figures(loader(server).load([b"not json", *lines(3), b"", b"[1]"])) == (5, 3, 0, 2)
    kept = [value["event"] for (index, _), value in server.documents.items() if index == QUARANTINE_INDEX]
    assert sorted(kept) == ["[1]", "not json"]


def test_a_quarantine_that_fails_stops_the_load() -> None:
    """An event that can be put nowhere is never passed over."""
    server = Server(lambda *_: {"status": 400, "error": {"type": "x", "reason": "never"}})
    with pytest.raises(RefusedError, match="refuses even the quarantine"):
        loader(server).load(lines(1))


def test_a_request_that_is_too_large_is_halved() -> None:
    """Down to what the server takes; nothing is lost on the way."""

    class Small(Server):
        def request(self, method: str, path: str, body: bytes | None = None) -> Any:
            if path == "/_bulk" and (body or b"").count(b"\n") > 6:
                raise TooLargeError("413", 413)
            return super().request(method, path, body)

    server = Small()
    assert figures(loader(server).load(lines(40))) == (40, 40, 0, 0)
    assert len(server.documents) == 40


def test_a_lost_connection_is_tried_again() -> None:
    """A request that got no answer is sent again; ids make that harmless."""

    class Flaky(Server):
        def request(self, method: str, path: str, body: bytes | None = None) -> Any:
            answer = super().request(method, path, body)
            if path == "/_bulk" and self.requests % 2:
                raise TransientError("reset")
            return answer

    server = Flaky()
    report = loader(server).load(lines(40))
    assert report.indexed + report.duplicates == 40
    assert len(server.documents) == 40


def test_the_count_asks_the_server() -> None:
    """What is gone from the server is not counted, whatever was sent."""
    server = Server()
    loader(server).load(lines(30))
    del server.documents["one", event_id(3)]
    assert loader(server).count(event_id(number) for number in range(30)) == 29


def test_progress_is_told_as_requests_are_acknowledged() -> None:
    """The figures only grow, and end with all events."""
    told: list[int] = []
    loader(Server()).load(lines(95), lambda report: told.append(report.read))
    assert told == sorted(told)
    assert told[-1] == 95
