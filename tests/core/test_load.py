"""The loader, tested with a fake server: requests, retries, halved requests, and the quarantine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from cloudtrail_elasticsearch.core.documents.declared_fields import Kind, envelope_fields
from cloudtrail_elasticsearch.core.documents.displace import standing
from cloudtrail_elasticsearch.core.documents.events import line_place
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules, read_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import (
    MappingError,
    RejectedRequestError,
    ThrottledError,
    TooLargeError,
    TransientError,
)
from cloudtrail_elasticsearch.core.index.index_pattern import QUARANTINE_INDEX, RULES_INDEX, IndexPattern
from cloudtrail_elasticsearch.core.loading.adapter import MAX_BLAMED
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.core.loading.quarantine import KeptEvent
from cloudtrail_elasticsearch.core.loading.report import LoadReport
from cloudtrail_elasticsearch.core.search.server import Engine

SCHEMA = build_schema("flattened", load_rules())
QUICK = LoadSettings(patience=0.2, longest_pause=0.01, request_items=10)


class Server:
    """Keeps documents in a dictionary; `fault` can answer for a document instead."""

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
            if target == "/_mget":
                return {
                    "docs": [
                        self._get(wanted["_index"], wanted["_id"]) for wanted in json.loads(body or b"")["docs"]
                    ]
                }
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

    def _get(self, index: str, identifier: str) -> dict[str, Any]:
        found = self.documents.get((index, identifier))
        return {"_index": index, "_id": identifier, "found": bool(found), **({"_source": found} if found else {})}

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
            outcome = self.fault(*key, document)
            if outcome is None and action == "create" and key in self.documents:
                outcome = {"status": 409, "error": {"type": "version_conflict_engine_exception", "index": key[0]}}
            elif outcome is None:
                outcome = {"status": 200, "result": "updated" if key in self.documents else "created"}
                self.documents[key] = document
            items.append({action: outcome})
        return items

    def of(self, index: str) -> dict[str, Any]:
        return {identifier: document for (name, identifier), document in self.documents.items() if name == index}


def loader(server: Any) -> Loader:
    return Loader(server, IndexPattern("one"), SCHEMA, QUICK)


def lines(count: int) -> list[bytes]:
    return [json.dumps({"eventID": event_id(number)}).encode() for number in range(count)]


def event_id(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012d}"


def figures(report: LoadReport) -> tuple[int, int, int, int]:
    return report.read, report.indexed, report.duplicates, report.quarantined


@pytest.mark.promise("no-duplicates")
def test_every_event_is_indexed_once_under_its_id() -> None:
    """A second load of the same events writes the same documents."""
    server = Server()
    assert figures(loader(server).load(lines(95))) == (95, 95, 0, 0)
    before = dict(server.documents)
    assert figures(loader(server).load(lines(95))) == (95, 0, 95, 0)
    assert server.documents == before


@pytest.mark.promise("polite")
def test_only_failed_items_are_resent() -> None:
    """A partial failure repeats the failed items, not the whole request."""
    seen: dict[str, int] = {}

    def every_third_once(_: str, identifier: str, __: Any) -> dict[str, Any] | None:
        seen[identifier] = seen.get(identifier, 0) + 1
        if int(identifier[-1]) % 3 == 0 and seen[identifier] == 1:
            return {"status": 429, "error": {"type": "rejected", "reason": "full"}}
        return None

    assert figures(loader(Server(every_third_once)).load(lines(10))) == (10, 10, 0, 0)
    assert seen == {event_id(number): 2 if number % 3 == 0 else 1 for number in range(10)}


def test_a_server_that_stays_busy_fails_the_load() -> None:
    """The error names a rejected document and the reason, and says that nothing is lost."""
    server = Server(
        lambda *_: {"status": 403, "error": {"type": "cluster_block_exception", "reason": "read-only"}}
    )
    with pytest.raises(ThrottledError, match=r"did not accept 10 documents for one .*read-only.*Nothing is lost"):
        loader(server).load(lines(10))


REFUSAL = {"status": 400, "error": {"type": "document_parsing_exception", "reason": "no such luck"}}


def rejecting(path: str, reason: str = "failed to parse field [{path}] of type [long]") -> Server:
    """Return a server that rejects documents of the index ``one`` that have a value at the path."""

    def fault(index: str, _: str, document: Any) -> dict[str, Any] | None:
        if index != "one" or standing(document, path) != path:
            return None
        return {"status": 400, "error": {"type": "document_parsing_exception", "reason": reason.format(path=path)}}

    return Server(fault)


@pytest.mark.promise("nothing-lost")
def test_an_event_that_is_always_rejected_is_quarantined_whole() -> None:
    """The entry has the event's text, the reason and the time, and the load continues."""
    server = Server(lambda index, name, _: REFUSAL if (index, name) == ("one", event_id(7)) else None)
    assert figures(loader(server).load(lines(10))) == (10, 9, 0, 1)
    (kept,) = server.of(QUARANTINE_INDEX).values()
    assert json.loads(kept["event"]) == {"eventID": event_id(7)}
    assert (kept["index"], kept["pattern"], kept["reason"]) == ("one", "one", "no such luck")
    assert kept["quarantinedAt"]


def test_an_event_with_a_duplicate_name_is_indexed() -> None:
    """The servers reject its text, which is sent first; they accept the document that Python makes of it."""

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


def test_a_rejected_path_is_displaced_in_all_documents() -> None:
    """All rejected documents are resent in one request; a second loader gets no rejection."""
    server = rejecting("eventID")
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


def test_a_path_rejected_in_overflow_too_is_not_indexed() -> None:
    """The value stays in the document, and the event can be restored."""
    server = rejecting("overflow.mine.a")
    assert figures(loader(server).load([b'{"eventID": "x", "mine": {"a": 1, "b": 2}}'])) == (1, 1, 0, 0)
    (document,) = server.of("one").values()
    assert document["overflow"] == {"mine": {"b": 2}}
    assert restore(document) == {"eventID": "x", "mine": {"a": 1, "b": 2}}
    assert [rule["goesTo"] for rule in server.of(RULES_INDEX).values()] == ["unindexed"]


def test_a_rejected_field_of_the_loader_is_dropped() -> None:
    """Its value is elsewhere in the document."""
    server = rejecting("source.ip")
    assert figures(loader(server).load([b'{"eventID": "x", "sourceIPAddress": "::1"}'])) == (1, 1, 0, 0)
    (document,) = server.of("one").values()
    assert (document["source"], document["sourceIPAddress"]) == ({}, "::1")


@pytest.mark.parametrize("path", ["overflow", "requestParameters"])
def test_a_flat_field_is_displaced_only_in_the_rejected_document(path: str) -> None:
    """One rejected value in it does not move the values of other events."""
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
    stored = {
        codec.decode(codec.encode(restore(document)))["eventID"]: document
        for document in server.of("one").values()
    }
    assert {name: restore(document) for name, document in stored.items()} == {
        "odd": json.loads(odd),
        "fine": json.loads(fine),
    }
    assert stored["fine"]["requestParameters"] == {"a": 1}
    assert server.of(RULES_INDEX) == {}


def test_a_rejection_without_a_path_moves_the_whole_event() -> None:
    """First to `overflow`, then to `unindexed`; no path is stored as a rule."""
    limit = "Limit of total fields [1000] has been exceeded"
    server = rejecting("eventID", limit)
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


def test_the_number_of_displaced_paths_of_a_document_is_bounded() -> None:
    """If a server names another path each time, the requests are bounded, and the event is kept."""

    def first_name(index: str, _: str, document: Any) -> dict[str, Any] | None:
        name = next(iter(document))
        reason = f"failed to parse field [{name}] of type [long]"
        return {"status": 400, "error": {"type": "x", "reason": reason}} if index == "one" else None

    server = Server(first_name)
    texts = {path: "x" for path, kind in envelope_fields() if kind is Kind.KEYWORD}
    event = {f"field{number}": number for number in range(200)} | texts
    assert figures(loader(server).load([json.dumps(event).encode()])) == (1, 0, 0, 1)
    assert server.requests < 2 * MAX_BLAMED + 10
    (kept,) = server.of(QUARANTINE_INDEX).values()
    assert json.loads(kept["event"]) == event


@pytest.mark.promise("nothing-lost")
def test_lines_without_an_event_are_quarantined() -> None:
    """Unreadable lines are counted and stored, and do not stop the load."""
    server = Server()
    assert figures(loader(server).load([b"not json", *lines(3), b"", b"[1]"])) == (5, 3, 0, 2)
    kept = [value["event"] for (index, _), value in server.documents.items() if index == QUARANTINE_INDEX]
    assert sorted(kept) == ["[1]", "not json"]


def test_an_object_that_is_not_an_event_is_quarantined() -> None:
    """It is never indexed, and a presence check finds it in the quarantine."""
    server = Server()
    alien = b'{"detail":{"eventName":"PutObject"}}'
    assert figures(loader(server).load([alien])) == (1, 0, 0, 1)
    (((index, _), kept),) = server.documents.items()
    assert (index, kept["eventID"]) == (QUARANTINE_INDEX, line_place(alien)[0])
    assert (kept["kind"], kept["event"]) == ("unreadable", alien.decode())
    assert kept["reason"].startswith("not a CloudTrail event: it has none of eventID, ")


@pytest.mark.parametrize("line", [b'{"mine": "secret"}', b'{"lookup": {}, "event": {"mine": "secret", "b": 1}}'])
def test_an_object_that_is_not_an_event_is_masked_too(line: bytes) -> None:
    """The quarantine masks what a rule masks, even if the line is not an event."""
    rule = {"name": "mine", "path": "mine", "why": "a test", "change": {"do": "mask"}, "examples": []}
    rules = read_rules(json.dumps({"rules": [rule]}).encode(), "mine.yaml") + load_rules()
    server = Server()
    loader = Loader(server, IndexPattern("one"), build_schema("typed", rules), QUICK)
    assert figures(loader.load([line])) == (1, 0, 0, 1)
    (kept,) = server.of(QUARANTINE_INDEX).values()
    assert "secret" not in kept["event"]
    assert "***" in kept["event"]
    assert kept["eventID"] == line_place(line)[0]


@pytest.mark.promise("nothing-lost")
def test_a_quarantine_that_fails_stops_the_load() -> None:
    """An event that cannot be stored anywhere is never skipped."""
    server = Server(lambda *_: REFUSAL)
    with pytest.raises(RejectedRequestError, match="rejected the quarantine entry"):
        loader(server).load(lines(1))


@pytest.mark.promise("polite")
def test_a_request_that_is_too_large_is_halved() -> None:
    """Until the server accepts it; nothing is lost."""

    class Small(Server):
        def request(self, method: str, path: str, body: bytes | None = None) -> Any:
            if path.startswith("/_bulk") and (body or b"").count(b"\n") > 6:
                raise TooLargeError("413", 413)
            return super().request(method, path, body)

    server = Small()
    assert figures(loader(server).load(lines(40))) == (40, 40, 0, 0)
    assert len(server.documents) == 40


def test_a_request_is_retried_after_a_lost_connection() -> None:
    """Ids make the repeated request harmless."""

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


def test_documents_are_counted_on_the_server() -> None:
    """A document that the server has lost is not counted, although it was sent."""
    server = Server()
    loader(server).load(lines(30))
    del server.documents["one", event_id(3)]
    assert loader(server).count(event_id(number) for number in range(30)) == 29


def test_progress_is_reported_when_requests_are_acknowledged() -> None:
    """The figures only grow, and the last ones count all events."""
    reported: list[tuple[int, int]] = []
    loader(Server()).load(lines(95), lambda report, acknowledged: reported.append((acknowledged, report.read)))
    assert reported == sorted(reported)
    assert all(acknowledged <= read for acknowledged, read in reported)
    assert reported[-1] == (95, 95)


@pytest.mark.promise("bounded")
def test_requests_ahead_of_an_unacknowledged_one_are_bounded() -> None:
    """This bounds what a killed load resends, however long one request takes."""

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


@pytest.mark.promise("closed")
@pytest.mark.parametrize("do", ["mask", "drop"])
def test_the_quarantine_holds_no_secret(do: str) -> None:
    """Masked and dropped values are not in the stored text; a replay names the event as before."""
    rule = {"name": "mine", "path": "mine", "why": "a test", "change": {"do": do}, "examples": []}
    rules = read_rules(json.dumps({"rules": [rule]}).encode(), "mine.yaml") + load_rules()
    server = Server(lambda index, *_: REFUSAL if index == "one" else None)
    made = Loader(server, IndexPattern("one"), build_schema("typed", rules), QUICK)
    line = b'{"lookup": {"EventId": "x", "Username": "ada"}, "event": {"eventName": "y", "mine": "secret"}}'
    assert figures(made.load([line])) == (1, 0, 0, 1)
    (kept,) = server.of(QUARANTINE_INDEX).values()
    assert "secret" not in kept["event"]
    assert json.loads(kept["event"])["event"]["eventName"] == "y"
    assert kept["eventID"] == line_place(line)[0]


UNKNOWN = {"status": 400, "error": {"type": "new_exception", "reason": "failed in a new way"}}


def test_a_rejection_of_unknown_kind_changes_no_document() -> None:
    """The document is sent once and quarantined unchanged; the others are indexed."""
    sent: list[Any] = []

    def fault(index: str, identifier: str, document: Any) -> dict[str, Any] | None:
        if (index, identifier) != ("one", event_id(7)):
            return None
        sent.append(document)
        return UNKNOWN

    server = Server(fault)
    assert figures(loader(server).load(lines(10))) == (10, 9, 0, 1)
    assert len(sent) == 1
    assert server.of(RULES_INDEX) == {}


def test_an_index_that_rejects_everything_fails_the_load() -> None:
    """If it rejects every document of a request for an unknown reason, nothing is quarantined."""
    server = Server(lambda index, *_: UNKNOWN if index == "one" else None)
    with pytest.raises(
        MappingError, match=r"rejected all 10 documents .* one, .*new_exception.*: failed in a new way"
    ):
        loader(server).load(lines(10))
    assert server.documents == {}


@pytest.mark.parametrize("kept_as", ["event", "eventGzip", None])
def test_a_document_that_is_too_large_is_quarantined(kept_as: str | None) -> None:
    """As text, compressed, or without the event; what the entry holds is replayed when it fits."""
    limits = {"event": 10_000, "eventGzip": 700, None: 420}
    limit = {"one": 5_000, QUARANTINE_INDEX: limits[kept_as]}

    class Small(Server):
        def request(self, method: str, path: str, body: bytes | None = None) -> Any:
            for line in (body or b"").splitlines() if path.startswith("/_bulk") else ():
                where = "one" if b'"one"' in (body or b"")[:30] else QUARANTINE_INDEX
                if len(line) > limit[where]:
                    raise TooLargeError("413", 413)
            return super().request(method, path, body)

    server = Small()
    large = json.dumps({"eventID": event_id(99), "mine": ["x" * 100] * 60}).encode()
    made = loader(server)
    assert figures(made.load([*lines(9), large])) == (10, 9, 0, 1)
    (kept,) = server.of(QUARANTINE_INDEX).values()
    assert (kept["eventID"], kept["kind"]) == (event_id(99), "document_too_large")
    assert [name for name in ("event", "eventGzip") if name in kept] == ([kept_as] if kept_as else [])
    limit["one"] = 10_000
    pages = iter([[msgspec.convert(kept, KeptEvent)]])
    made._quarantine.read_pages = lambda ids=None: pages  # type: ignore[method-assign]  # the server here cannot page
    assert figures(made.replay()) == ((1, 1, 0, 0) if kept_as else (1, 0, 0, 1))
    assert (event_id(99) in server.of("one")) == (kept_as is not None)
    assert bool(server.of(QUARANTINE_INDEX)) == (kept_as is None)
