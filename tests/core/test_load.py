"""The loader, against a server that is a function: what it sends, sends again, halves and quarantines."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.adapt import MAX_BLAMED
from cloudtrail_elasticsearch.core.displace import standing
from cloudtrail_elasticsearch.core.errors import RefusedError, ThrottledError, TooLargeError, TransientError
from cloudtrail_elasticsearch.core.events import line_id
from cloudtrail_elasticsearch.core.load import Loader, LoadReport, LoadSettings
from cloudtrail_elasticsearch.core.mapping import QUARANTINE_INDEX, RULES_INDEX, Engine, IndexPattern
from cloudtrail_elasticsearch.core.normalize import restore
from cloudtrail_elasticsearch.core.rules import load_rules, read_rules
from cloudtrail_elasticsearch.core.shape import build, envelope

SHAPE = build("flattened", load_rules())
QUICK = LoadSettings(patience=0.2, longest_pause=0.01, request_items=10)


class Server:
    """Keeps documents in a dictionary; `fault` may answer for a document instead."""

    name = "http://server"
    engine: Engine = "opensearch"

    def __init__(
        self, fault: Callable[[str, str, Any], dict[str, Any] | None] = lambda index, identifier, document: None
    ) -> None:
        self.documents: dict[tuple[str, str], Any] = {}
        self.requests = 0
        self.fault = fault
        self._lock = threading.Lock()

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        with self._lock:
            target = path.partition("?")[0]
            if target == "/_bulk":
                self.requests += 1
                return {"items": self._bulk(iter((body or b"").splitlines()))}
            if target.endswith("/_count"):
                return {"count": len(self._found(path, json.loads(body or b"")))}
            if target.endswith("/_search"):
                return {"hits": {"hits": self._found(path, json.loads(body or b""))}}
            return {"index_templates": []} if target.startswith("/_index_template") else {}

    def _found(self, path: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        index = path.split("/")[1]
        ids = request["query"].get("ids", {"values": None})["values"]
        term = request["query"].get("term", {})
        held = {key: document for key, document in self.documents.items() if key[0] == index}
        return [
            {"_id": identifier, "_source": document}
            for (_, identifier), document in held.items()
            if (ids is None or identifier in ids) and term.items() <= document.items()
        ]

    def _bulk(self, lines: Iterator[bytes]) -> list[dict[str, Any]]:
        items = []
        for line in lines:
            ((action, target),) = json.loads(line).items()
            key = (target["_index"], target["_id"])
            if action == "delete":
                gone = self.documents.pop(key, None)
                items.append({action: {"status": 200, "result": "deleted" if gone else "not_found"}})
                continue
            document = json.loads(next(lines))
            said = self.fault(*key, document)
            if said is None:
                said = {"status": 200, "result": "updated" if key in self.documents else "created"}
                self.documents[key] = document
            items.append({action: said})
        return items

    def of(self, index: str) -> dict[str, Any]:
        return {identifier: document for (name, identifier), document in self.documents.items() if name == index}


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

    def every_third_once(_: str, identifier: str, __: Any) -> dict[str, Any] | None:
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


REFUSAL = {"status": 400, "error": {"type": "document_parsing_exception", "reason": "no such luck"}}


def refusing(path: str, reason: str = "failed to parse field [{path}] of type [long]") -> Server:
    """A server that refuses documents of the index ``one`` that have something at the path."""

    def fault(index: str, _: str, document: Any) -> dict[str, Any] | None:
        if index != "one" or standing(document, path) != path:
            return None
        return {"status": 400, "error": {"type": "document_parsing_exception", "reason": reason.format(path=path)}}

    return Server(fault)


def test_what_the_server_refuses_whatever_is_done_is_quarantined_whole() -> None:
    """The event's own text, the reason and the time are kept, and the load goes on."""
    server = Server(lambda index, name, _: REFUSAL if (index, name) == ("one", event_id(7)) else None)
    assert figures(loader(server).load(lines(10))) == (10, 9, 0, 1)
    (kept,) = server.of(QUARANTINE_INDEX).values()
    assert json.loads(kept["event"]) == {"eventID": event_id(7)}
    assert (kept["index"], kept["pattern"], kept["reason"]) == ("one", "one", "no such luck")
    assert kept["quarantinedAt"]


def test_an_event_in_which_a_name_stands_twice_is_indexed() -> None:
    """The servers refuse such a text, which was sent as it is; the event that Python reads from it they take."""

    class Strict(Server):
        def request(self, method: str, path: str, body: bytes | None = None) -> Any:
            doubled = (body or b"").count(b"awsRegion") == 2
            self.fault = lambda index, *_: REFUSAL if doubled and index == "one" else None
            return super().request(method, path, body)

    server = Strict()
    named = codec.encode({"eventID": event_id(7), "eventTime": "2026-11-20T01:02:03Z", "awsRegion": "eu-west-1"})
    line = named[:-1] + b',"awsRegion":"us-east-1"}'
    assert figures(loader(server).load([line])) == (1, 1, 0, 0)
    (document,) = server.of("one").values()
    assert document["awsRegion"] == "us-east-1"
    assert "overflow" not in document


def test_a_refused_path_is_learned_for_all() -> None:
    """One more request for all that were refused together; a second loader is refused nothing."""
    server = refusing("eventID")
    assert figures(loader(server).load(lines(10))) == (10, 10, 0, 0)
    assert all(document["overflow"] == {"eventID": name} for name, document in server.of("one").items())
    (rule,) = server.of(RULES_INDEX).values()
    assert (rule["pattern"], rule["path"], rule["goesTo"]) == ("one", "eventID", "overflow.eventID")
    assert server.requests == 3

    second = loader(server)
    second.prepare()
    assert figures(second.load(lines(10))) == (10, 0, 10, 0)
    assert server.requests == 4
    assert len(server.of(RULES_INDEX)) == 1


def test_a_path_refused_in_overflow_too_is_not_indexed() -> None:
    """The value stays in the document, and the event comes back from it."""
    server = refusing("overflow.mine.a")
    assert figures(loader(server).load([b'{"eventID": "x", "mine": {"a": 1, "b": 2}}'])) == (1, 1, 0, 0)
    (document,) = server.of("one").values()
    assert document["overflow"] == {"mine": {"b": 2}}
    assert restore(document) == {"eventID": "x", "mine": {"a": 1, "b": 2}}
    assert [rule["goesTo"] for rule in server.of(RULES_INDEX).values()] == ["unindexed"]


def test_a_field_that_the_loader_adds_is_left_out() -> None:
    """Its value stands elsewhere in the document."""
    server = refusing("source.ip")
    assert figures(loader(server).load([b'{"eventID": "x", "sourceIPAddress": "::1"}'])) == (1, 1, 0, 0)
    (document,) = server.of("one").values()
    assert (document["source"], document["sourceIPAddress"]) == ({}, "::1")


@pytest.mark.parametrize("path", ["overflow", "requestParameters"])
def test_a_flat_field_is_not_given_up_for_all_because_of_one_event(path: str) -> None:
    """One odd value in it costs that event its place, not all events theirs."""
    odd = b'{"eventID": "odd", "requestParameters": {"odd": 1}, "mine": {"odd": 1}}'
    fine = b'{"eventID": "fine", "requestParameters": {"a": 1}, "mine": {"a": 1}}'

    def fault(index: str, _: str, document: Any) -> dict[str, Any] | None:
        if index == "one" and "odd" in json.dumps(document.get(path, "")):
            return {
                "status": 400,
                "error": {"type": "x", "reason": f"failed to parse field [{path}] of type [flat]"},
            }
        return None

    server = Server(fault)
    assert figures(loader(server).load([odd, fine])) == (2, 2, 0, 0)
    stored = {restore(document)["eventID"]: document for document in server.of("one").values()}
    assert {name: restore(document) for name, document in stored.items()} == {
        "odd": json.loads(odd),
        "fine": json.loads(fine),
    }
    assert stored["fine"]["requestParameters"] == {"a": 1}
    assert server.of(RULES_INDEX) == {}


def test_a_refusal_that_blames_no_path_moves_the_whole_event() -> None:
    """First to `overflow`, then out of the index's sight; no rule is made of it."""
    limit = "Limit of total fields [1000] has been exceeded"
    server = refusing("eventID", limit)
    assert figures(loader(server).load(lines(3))) == (3, 3, 0, 0)
    stored = server.of("one")
    assert {name: document["overflow"] for name, document in stored.items()} == {
        name: {"eventID": name} for name in stored
    }
    assert [document for document in stored.values() if "eventID" in document] == []
    server = Server(
        lambda index, _, document: (
            {"status": 400, "error": {"type": "x", "reason": limit}}
            if index == "one" and document.keys() - {"unindexed"}
            else None
        )
    )
    assert figures(loader(server).load(lines(3))) == (3, 3, 0, 0)
    assert all(document.keys() == {"unindexed"} for document in server.of("one").values())
    assert server.of(RULES_INDEX) == {}


def test_a_server_that_blames_ever_other_paths_is_given_up_in_the_end() -> None:
    """Refusing costs a bounded number of requests, and the event is kept."""

    def first_name(index: str, _: str, document: Any) -> dict[str, Any] | None:
        name = next(iter(document))
        reason = f"failed to parse field [{name}] of type [long]"
        return {"status": 400, "error": {"type": "x", "reason": reason}} if index == "one" else None

    server = Server(first_name)
    event = {f"field{number}": number for number in range(200)} | dict.fromkeys(envelope().keyword, "x")
    assert figures(loader(server).load([json.dumps(event).encode()])) == (1, 0, 0, 1)
    assert server.requests < 2 * MAX_BLAMED + 10
    (kept,) = server.of(QUARANTINE_INDEX).values()
    assert json.loads(kept["event"]) == event


def test_lines_without_an_event_are_quarantined() -> None:
    """Bad input is counted and kept, and stops nothing."""
    server = Server()
    assert figures(loader(server).load([b"not json", *lines(3), b"", b"[1]"])) == (5, 3, 0, 2)
    kept = [value["event"] for (index, _), value in server.documents.items() if index == QUARANTINE_INDEX]
    assert sorted(kept) == ["[1]", "not json"]


def test_a_quarantine_that_fails_stops_the_load() -> None:
    """An event that can be put nowhere is never passed over."""
    server = Server(lambda *_: REFUSAL)
    with pytest.raises(RefusedError, match="refuses even the quarantine"):
        loader(server).load(lines(1))


def test_a_request_that_is_too_large_is_halved() -> None:
    """Down to what the server takes; nothing is lost on the way."""

    class Small(Server):
        def request(self, method: str, path: str, body: bytes | None = None) -> Any:
            if path.startswith("/_bulk") and (body or b"").count(b"\n") > 6:
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
            if path.startswith("/_bulk") and self.requests % 2:
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
    told: list[tuple[int, int]] = []
    loader(Server()).load(lines(95), lambda report, acknowledged: told.append((acknowledged, report.read)))
    assert told == sorted(told)
    assert all(acknowledged <= read for acknowledged, read in told)
    assert told[-1] == (95, 95)


def test_no_request_runs_far_ahead_of_one_without_an_answer() -> None:
    """What a killed load sends again is bounded, however long one request takes."""

    class Stuck(Server):
        before_the_first = 0

        def request(self, method: str, path: str, body: bytes | None = None) -> Any:
            if path.startswith("/_bulk") and event_id(0).encode() in (body or b""):
                threading.Event().wait(1)
                self.before_the_first = self.requests
            return super().request(method, path, body)

    server = Stuck()
    assert figures(loader(server).load(lines(95))) == (95, 95, 0, 0)
    assert server.before_the_first <= 2 * QUICK.senders - 1


@pytest.mark.parametrize("do", ["mask", "drop"])
def test_the_quarantine_holds_no_secret(do: str) -> None:
    """What a rule masks or drops is not in the text that is kept; a replay names the event as before."""
    rule = {"name": "mine", "path": "mine", "why": "a test", "change": {"do": do}, "examples": []}
    rules = read_rules(json.dumps({"rules": [rule]}).encode(), "mine.yaml") + load_rules()
    server = Server(lambda index, *_: REFUSAL if index == "one" else None)
    made = Loader(server, IndexPattern("one"), build("typed", rules), QUICK)
    line = b'{"lookup": {"EventId": "x", "Username": "ada"}, "event": {"eventName": "y", "mine": "secret"}}'
    assert figures(made.load([line])) == (1, 0, 0, 1)
    (kept,) = server.of(QUARANTINE_INDEX).values()
    assert "secret" not in kept["event"]
    assert json.loads(kept["event"])["event"]["eventName"] == "y"
    assert kept["eventID"] == line_id(line)
