"""Answers that do not reject a document: the loader retries, and changes and quarantines nothing."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    LoaderError,
    TransientError,
    UnexpectedAnswerError,
)
from cloudtrail_elasticsearch.core.index.index_pattern import QUARANTINE_INDEX, RULES_INDEX, IndexPattern
from cloudtrail_elasticsearch.core.index.templates import read_template, read_templates
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.core.loading.report import LoadReport
from cloudtrail_elasticsearch.core.search import bulk
from cloudtrail_elasticsearch.core.search.bulk import BulkItem
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from tests.conftest import MAIN_SERVERS
from tests.search.faulty_proxy import Proxy, Reply, Request, proxied
from tests.templates import delete_templates
from tests.untimed import drop_times

SCHEMA = build_schema("flattened", load_rules())
PATIENT = LoadSettings(request_items=40, patience=60, longest_pause=0.05)
HASTY = LoadSettings(request_items=40, patience=0.1, longest_pause=0.05)

EVENTS = [
    {
        "eventID": f"40000000-0000-0000-0000-{number:012d}",
        "eventTime": "2026-11-20T01:02:03Z",
        "eventName": "RunInstances",
        "requestParameters": {"bucketName": f"b{number}", "undeclared": [number]},
    }
    for number in range(120)
]
LINES = [codec.encode(event) for event in EVENTS]
IDS = [str(event["eventID"]) for event in EVENTS]


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.xdist_group(f"server-faults-{name}")) for name in MAIN_SERVERS],
)
def search_url(request: pytest.FixtureRequest, service: Callable[[str], str]) -> str:
    """The URL of a main search server; one worker runs all of its tests here, because they share an index."""
    return service(request.param)


@pytest.fixture(scope="module")
def direct(search_url: str) -> Any:
    """Return the server without a proxy."""
    return connect(SearchSettings.from_url(search_url))


@pytest.fixture(scope="module")
def index(search_url: str, direct: Any) -> Iterator[str]:
    """Return an index that is set up and empty; the tests of this module share it, as it is costly to create."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    made = Loader(direct, IndexPattern(name), SCHEMA, PATIENT)
    made.prepare()
    assert total(made.load(LINES)) == (120, 120, 0)
    yield name
    direct.request("DELETE", f"/{name}")
    delete_templates(search_url, name)


@pytest.fixture(scope="module")
def faultless(direct: Any, index: str) -> dict[str, Any]:
    """Return the documents of a load without a fault."""
    return sources(direct, index)


@pytest.fixture
def proxy(search_url: str, direct: Any, index: str, faultless: dict[str, Any]) -> Iterator[Proxy]:
    """Run a proxy in front of the server, whose index is empty."""
    assert len(faultless) == 120
    direct.request("POST", "/_bulk", bulk.encode_bulk_body(BulkItem(name, index, None) for name in IDS))
    with proxied(search_url) as running:
        yield running


def loader(url: str, engine: Any, index: str, settings: LoadSettings = PATIENT, **identity: str) -> Loader:
    server = connect(SearchSettings.from_url(url, **identity), engine)
    return Loader(server, IndexPattern(index), SCHEMA, settings)


def sources(server: Any, index: str) -> dict[str, Any]:
    """Return the stored documents of an index without the times of sending, by id."""
    server.request("POST", f"/{index}/_refresh?ignore_unavailable=true")
    body = codec.encode({"query": {"match_all": {}}, "size": 1_000})
    hits = server.request("POST", f"/{index}/_search?ignore_unavailable=true", body)["hits"]["hits"]
    return drop_times({hit["_id"]: hit["_source"] for hit in hits})


def versions(server: Any, index: str) -> dict[str, int]:
    """Return the version of each document by id."""
    server.request("POST", f"/{index}/_refresh")
    body = codec.encode({"query": {"match_all": {}}, "size": 1_000, "version": True, "_source": False})
    return {
        hit["_id"]: hit["_version"] for hit in server.request("POST", f"/{index}/_search", body)["hits"]["hits"]
    }


def kept(server: Any, index: str, where: str) -> int:
    """Return how many documents of one of the loader's own indices belong to this pattern."""
    server.request("POST", f"/{where}/_refresh?ignore_unavailable=true")
    body = codec.encode({"query": {"term": {"pattern": index}}})
    count: int = server.request("POST", f"/{where}/_count?ignore_unavailable=true", body)["count"]
    return count


def total(report: LoadReport) -> tuple[int, int, int]:
    return report.read, report.indexed + report.duplicates, report.quarantined


def is_bulk(request: Request) -> bool:
    return request.path.startswith("/_bulk")


def item(**members: Any) -> Callable[[Proxy, Request], Reply]:
    """Let the server process the request, and change its answer for every third document."""

    def answer(proxy: Proxy, request: Request) -> Reply:
        given = json.loads(proxy.forward(request).body)
        for outcome in given["items"][::3]:
            (action,) = outcome
            outcome[action] = members
        return Reply(200, json.dumps(given).encode())

    return answer


def fixed(*arguments: Any) -> Callable[[Proxy, Request], Reply]:
    return lambda proxy, request: Reply(*arguments)


def changed(change: Callable[[list[Any]], Any]) -> Callable[[Proxy, Request], Reply]:
    """Let the server process the request, and change the items of its answer."""

    def answer(proxy: Proxy, request: Request) -> Reply:
        given = json.loads(proxy.forward(request).body)
        return Reply(200, json.dumps({"items": change(given["items"])}).encode())

    return answer


NO_SPACE = {"type": "i_o_exception", "reason": "No space left on device"}
MISLEADING = {"type": "mapper_parsing_exception", "reason": "failed to parse field [eventName] of type [long]"}
HTML = b"<html><body>Welcome to nginx</body></html>"

FAULTS: dict[str, Callable[[Proxy, Request], Reply]] = {
    "item 500 full disk": item(status=500, error=NO_SPACE),
    "item 500 that looks like a refusal": item(status=500, error=MISLEADING),
    "item 502": item(status=502, error=MISLEADING),
    "item 503": item(status=503, error={"type": "unavailable_shards_exception", "reason": "down"}),
    "item 408": item(status=408, error=MISLEADING),
    "item 409": item(status=409, error={"type": "another_exception", "reason": "x"}),
    "item 429": item(status=429, error=MISLEADING),
    "item 302": item(status=302, error=MISLEADING),
    "item without a status": item(error=MISLEADING),
    "item with a status that is text": item(status="400", error=MISLEADING),
    "item with an error of no kind": item(status=400, error="failed to parse field [eventName] of type [long]"),
    "item with an empty error": item(status=400, error=None),
    "item without a result": item(status=200),
    "item of unknown result": item(status=200, result="perhaps"),
    "item created, with an error": item(status=201, result="created", error=MISLEADING),
    "item taken, status 500": item(status=500, result="created"),
    "request 500": fixed(500, b'{"error": {"type": "x", "reason": "failed to parse"}, "status": 500}'),
    "request 500, HTML": fixed(500, HTML, "text/html"),
    "request 502": fixed(502, HTML, "text/html"),
    "request 504, nothing": fixed(504),
    "request 507": fixed(507, b"{}"),
    "request 408": fixed(408, HTML, "text/html"),
    "request 404 of a proxy": fixed(404, HTML, "text/html"),
    "request 404 of a gateway": fixed(404, b'{"message": "no Route matched with those values"}'),
    "request 400 of a proxy": fixed(400, HTML, "text/html"),
    "request 405 of a proxy": fixed(405, HTML, "text/html"),
    "request 429, HTML": fixed(429, HTML, "text/html"),
    "redirect": fixed(302, b"", "text/html", {"location": "/login"}),
    "redirect for good": fixed(308, b"{}", "application/json", {"location": "http://127.0.0.1:9/"}),
    "no content": fixed(204),
    "HTML": fixed(200, HTML, "text/html"),
    "HTML that claims to be JSON": fixed(200, HTML),
    "nothing": fixed(200),
    "null": fixed(200, b"null"),
    "false": fixed(200, b"false"),
    "a number": fixed(200, b"7"),
    "a list": fixed(200, b'[{"create": {"status": 201, "result": "created"}}]'),
    "not UTF-8": fixed(200, b"\xff\xfe{\x00}\x00"),
    "cut-off JSON": fixed(200, b'{"items": [{"create": {"status": 201, '),
    "an object": fixed(200, b"{}"),
    "an error with status 200": fixed(200, b'{"error": {"type": "x", "reason": "y"}, "items": []}'),
    "items that are an object": fixed(200, b'{"items": {}}'),
    "items that are null": fixed(200, b'{"items": null}'),
    "no items": changed(lambda items: []),
    "too few items": changed(lambda items: items[1:]),
    "too many items": changed(lambda items: [*items, items[0]]),
    "items that are null each": changed(lambda items: [None] * len(items)),
    "items that are lists": changed(lambda items: [[each] for each in items]),
    "items of another action": changed(lambda items: [{"update": each["create"]} for each in items]),
    "items that are empty": changed(lambda items: [{} for _ in items]),
}


@pytest.mark.promise("nothing-lost", "polite")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_server_changes_no_document(
    proxy: Proxy, direct: Any, index: str, faultless: dict[str, Any], name: str
) -> None:
    """After some such answers, the documents are as without them, and no path was learned from them."""
    made = loader(proxy.url, direct.engine, index)

    def fault(request: Request) -> Reply | None:
        return FAULTS[name](proxy, request) if is_bulk(request) and proxy.answered < 4 else None

    proxy.fault = fault
    assert total(made.load(LINES)) == (120, 120, 0)
    assert proxy.answered >= 4
    assert sources(direct, index) == faultless
    assert (kept(direct, index, QUARANTINE_INDEX), kept(direct, index, RULES_INDEX)) == (0, 0)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_stays_is_a_transient_error(proxy: Proxy, direct: Any, index: str, name: str) -> None:
    """Airflow retries it; the error names the server, and quotes no body."""
    made = loader(proxy.url, direct.engine, index, HASTY)
    proxy.fault = lambda request: FAULTS[name](proxy, request) if is_bulk(request) else None
    with pytest.raises(TransientError) as raised:
        made.load(LINES[:30])
    assert proxy.url in str(raised.value)
    assert "nginx" not in str(raised.value)
    assert kept(direct, index, QUARANTINE_INDEX) == 0


SHAPES: dict[str, bytes] = {
    "null": b"null",
    "false": b"false",
    "list": b"[]",
    "object": b"{}",
    "error": b'{"error": "x", "count": 9, "hits": {"hits": []}, "_shards": {"total": 1, "successful": 1}}',
    "HTML": HTML,
    "text for a count": b'{"count": "many", "hits": {"hits": "many"}, "_shards": {"failed": 1, "total": 1}}',
    "hits that are null": b'{"count": -1, "hits": {"hits": [null]}, "_shards": {"failed": 1, "total": 1}}',
    "failed shards": b'{"count": 9, "hits": {"hits": []}, "_shards": {"total": 2, "successful": 1, "failed": 1}}',
    "lacking shards": b'{"count": 9, "hits": {"hits": []}, "_shards": {"total": 2, "successful": 1, "failed": 0}}',
    "timed out": b'{"count": null, "timed_out": true, "hits": {"hits": []}}',
}


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("question", ["_count", "_search"])
@pytest.mark.parametrize("name", SHAPES)
def test_a_broken_answer_is_never_counted(proxy: Proxy, direct: Any, index: str, question: str, name: str) -> None:
    """The request is retried; if the fault stays, the error is a transient one."""
    made = loader(proxy.url, direct.engine, index, HASTY)
    made.load([*LINES[:30], b"no event"])

    def broken(request: Request) -> Reply | None:
        return Reply(200, SHAPES[name]) if f"/{question}" in request.path else None

    proxy.fault = broken
    with pytest.raises(UnexpectedAnswerError, match=re.escape(proxy.url)):
        made.count_held([*LINES[:30], b"no event"])
    proxy.fault = lambda request: broken(request) if proxy.answered < 4 else None
    held = loader(proxy.url, direct.engine, index).count_held([*LINES[:30], b"no event"])
    assert (held.indexed, held.quarantined) == (30, 1)


COMPARED: dict[str, bytes] = SHAPES | {
    "no documents": b'{"docs": []}',
    "an index that is down": b'{"docs": [{"_index": "x", "_id": "1", "error": {"type": "no_shard_available"}}]}',
}


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("name", COMPARED)
def test_a_broken_answer_to_a_comparison_changes_no_document(
    proxy: Proxy, direct: Any, index: str, name: str
) -> None:
    """The stored documents are read again; if the fault stays, the error is a transient one."""
    made = loader(proxy.url, direct.engine, index, HASTY)
    made.load(LINES[:30])
    before = versions(direct, index)

    def broken(request: Request) -> Reply | None:
        return Reply(200, COMPARED[name]) if request.path.startswith("/_mget") else None

    proxy.fault = broken
    with pytest.raises(UnexpectedAnswerError, match=re.escape(proxy.url)):
        made.load(LINES[:30])
    proxy.fault = lambda request: broken(request) if proxy.answered < 4 else None
    assert total(loader(proxy.url, direct.engine, index).load(LINES[:30])) == (30, 30, 0)
    assert versions(direct, index) == before


@pytest.mark.promise("nothing-lost")
def test_a_false_conflict_loses_nothing(proxy: Proxy, direct: Any, index: str, faultless: dict[str, Any]) -> None:
    """Some documents do not exist although the answer claims that they do."""
    error = {"type": "version_conflict_engine_exception", "reason": "x", "index": index}

    def fault(request: Request) -> Reply | None:
        if not is_bulk(request) or proxy.answered >= 2:
            return None
        items = [{"create": {"status": 409, "error": error}}] * (request.body.count(b"\n") // 2)
        return Reply(200, json.dumps({"items": items}).encode())

    proxy.fault = fault
    assert total(loader(proxy.url, direct.engine, index).load(LINES)) == (120, 120, 0)
    assert sources(direct, index) == faultless


def test_a_failed_refresh_is_retried(proxy: Proxy, direct: Any, index: str) -> None:
    """Documents that a failed shard does not show would be counted as missing."""
    failed = Reply(200, b'{"_shards": {"total": 1, "successful": 0, "failed": 1}}')
    made = loader(proxy.url, direct.engine, index)
    made.load(LINES[:30])
    proxy.fault = lambda request: failed if "/_refresh" in request.path and proxy.answered < 6 else None
    assert made.count(IDS) == 30
    assert proxy.answered >= 6


@pytest.mark.parametrize("status", [200, 302, 404, 500, 502])
def test_the_set_up_is_retried_while_a_proxy_restarts(proxy: Proxy, direct: Any, index: str, status: int) -> None:
    """Whatever the proxy answers meanwhile."""
    proxy.fault = lambda request: Reply(status, HTML, "text/html") if proxy.answered < 3 else None
    made = loader(proxy.url, direct.engine, index)
    made.prepare()
    assert total(made.load(LINES[:5])) == (5, 5, 0)


NO_ROUTE = Reply(404, HTML, "text/html")


def is_template_read(request: Request) -> bool:
    return request.method == "GET" and request.path.startswith("/_index_template")


@pytest.mark.parametrize("reply", [NO_ROUTE, Reply(404, b"{}")], ids=["HTML", "an empty object"])
def test_a_proxys_404_does_not_mean_that_there_is_no_template(
    proxy: Proxy, direct: Any, index: str, reply: Reply
) -> None:
    """A template that seems missing would be written again, without the names that other workers added."""
    before = read_template(direct, IndexPattern(index).template)
    proxy.fault = lambda request: reply if is_template_read(request) else None
    with pytest.raises(TransientError, match="answered 404 to GET /_index_template"):
        loader(proxy.url, direct.engine, index, HASTY).prepare()
    assert read_template(direct, IndexPattern(index).template) == before


def test_an_error_with_status_200_does_not_mean_that_there_is_no_template(
    proxy: Proxy, direct: Any, index: str
) -> None:
    proxy.fault = lambda request: Reply(200, b'{"error": "x"}') if is_template_read(request) else None
    with pytest.raises(TransientError, match="answered 200 to GET /_index_template"):
        loader(proxy.url, direct.engine, index, HASTY).prepare()


def test_a_server_without_such_templates_has_none(direct: Any) -> None:
    assert read_templates(direct, "no-template-begins-so") == {}
    assert read_template(direct, "no-template-has-this-name") is None


@pytest.mark.promise("no-duplicates")
def test_a_lost_answer_changes_nothing(proxy: Proxy, direct: Any, index: str, faultless: dict[str, Any]) -> None:
    """The server has processed the request; the repeated one writes the same documents."""

    def applied(request: Request) -> Reply | None:
        if not is_bulk(request) or proxy.answered >= 3:
            return None
        proxy.forward(request)
        return Reply(502, HTML, "text/html")

    made = loader(proxy.url, direct.engine, index)
    proxy.fault = applied
    assert total(made.load(LINES)) == (120, 120, 0)
    assert sources(direct, index) == faultless


SECRET = "s3cr3t:pässword"
ANSI = "\x1b[31mred\x1b[0m\nsecond line\u2028\u202eright to left\x9b"


def echo(request: Request) -> str:
    return "\n".join(f"{name}: {value}" for name, value in request.headers.items()) + f"\n{SECRET}{ANSI}"


def echoing(status: int, shape: str) -> Callable[[Request], Reply | None]:
    """Answer with the request's text, as a debugging proxy does."""

    def fault(request: Request) -> Reply | None:
        if not is_bulk(request):
            return None
        words = echo(request)
        if shape == "text":
            return Reply(status, words.encode(), "text/plain")
        if shape == "item":
            documents = request.body.count(b"\n") // 2
            error = {"type": f"x{ANSI}", "reason": words}
            items = [{"create": {"status": status, "error": error}}] * documents
            return Reply(200, json.dumps({"items": items}).encode())
        members: dict[str, Any] = {"error": {"type": "x", "reason": words}, "message": words, "Message": words}
        return Reply(status, json.dumps({shape: members[shape], "status": status}).encode())

    return fault


@pytest.mark.promise("closed")
@pytest.mark.parametrize(
    "identity", [{"username": "ada", "password": SECRET}, {"api_key": "aWQ6dGhlLWtleS1pdHNlbGY="}]
)
@pytest.mark.parametrize("shape", ["text", "error", "message", "Message", "item"])
@pytest.mark.parametrize("status", [200, 400, 403, 500])
def test_an_echoed_request_shows_no_secret(
    proxy: Proxy,
    direct: Any,
    index: str,
    caplog: pytest.LogCaptureFixture,
    identity: dict[str, str],
    shape: str,
    status: int,
) -> None:
    """Neither the error, nor its causes, nor any log, down to the clients' own."""
    if direct.engine == "opensearch" and "api_key" in identity:
        identity = {"username": "ada", "password": "another password"}
    settings = SearchSettings.from_url(proxy.url, **identity)
    made = loader(proxy.url, direct.engine, index, HASTY, **identity)
    proxy.fault = echoing(status, shape)
    with caplog.at_level("DEBUG"), pytest.raises(LoaderError) as raised:
        made.load(LINES[:30])
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("cloudtrail")]
    for text in (*texts(raised.value), *logged):
        for secret in (*settings.secrets, *settings.authorization.values()):
            assert secret not in text
        assert not re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e]", text)
    assert not any(secret in caplog.text for secret in settings.secrets)


def texts(error: BaseException | None) -> list[str]:
    """Return the texts of an error and of all errors that a traceback would show with it."""
    return [str(error), *texts(error.__cause__ or error.__context__)] if error is not None else []


def test_a_missing_permission_is_not_retried(proxy: Proxy, direct: Any, index: str) -> None:
    """403 is final, whatever its body."""
    made = loader(proxy.url, direct.engine, index, HASTY)
    proxy.fault = lambda request: Reply(403, HTML, "text/html") if is_bulk(request) else None
    with pytest.raises(AccessDeniedError):
        made.load(LINES[:5])
