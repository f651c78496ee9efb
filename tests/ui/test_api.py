"""The coverage page's data from a real ledger. Tests with a real API server check permissions."""

from __future__ import annotations

import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, MissingCell, Run, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.events import Event
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index import setup
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX, IndexPattern
from cloudtrail_elasticsearch.core.loading.quarantine import Quarantine
from cloudtrail_elasticsearch.core.search.bulk import BulkItem, Rejection
from cloudtrail_elasticsearch.core.search.sender import LoadSettings, Sender
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.ui.ledger_summary import summarize_ledger
from cloudtrail_elasticsearch.ui.server import find_search_server
from tests.cells import cell as make_cell
from tests.cells import staged_at

from .squares import read_squares

ACCOUNT = "123456789012"
DAY = datetime(2026, 11, 1, tzinfo=UTC)
RUN = Run("cloudtrail_to_elasticsearch", "scheduled__2026-11-01", "cell.load", 4, 1)


def window(region: str, day: int = 0, hours: tuple[int, int] = (0, 24)) -> Window:
    start = DAY + timedelta(days=day)
    return Window(ACCOUNT, region, start + timedelta(hours=hours[0]), start + timedelta(hours=hours[1]))


def verified(of: Window, staged: int, indexed: int, quarantined: int = 0) -> VerifiedCell:
    cell = make_cell(of, staged, indexed, quarantined)
    return VerifiedCell(cell, staged_at(DAY), RUN, DAY)


@pytest.fixture
def pattern(server: Any, unique_index_prefix: str) -> str:
    """A ledger with cells of every state."""
    ledger = Ledger(server, unique_index_prefix)
    ledger.record_verified_all(
        [
            verified(window("us-east-1"), 10, 10),
            verified(window("us-east-1", 1), 10, 7, 3),
            verified(window("us-east-1", 2), 10, 9),
            verified(window("eu-west-1"), 0, 0),
            verified(window("eu-west-1", 1, (0, 12)), 5, 5),
            verified(window("eu-west-1", 1, (12, 24)), 6, 4),
        ]
    )
    ledger.record_missing([MissingCell(window("eu-west-1", 2), "It was not loaded.")])
    ledger.record_loading(window("eu-central-1", 2), RUN)
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    return unique_index_prefix


def asked(client: TestClient, pattern: str, **more: str) -> dict[str, Any]:
    params = {"pattern": pattern, "account": ACCOUNT, "first": "2026-10-31", "last": "2026-11-03", **more}
    answer = client.get("/api/coverage", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_every_cell_has_its_state(client: TestClient, pattern: str) -> None:
    """Regions by days, in columns. A day without data has no cell."""
    answer = asked(client, pattern)
    table = answer["table"]
    states = {(name, day): state for (name, _, day), (state, _) in read_squares(answer).items()}
    assert table["days"] == ["2026-10-31", "2026-11-01", "2026-11-02", "2026-11-03"]
    assert states == {
        ("us-east-1", "2026-11-01"): "complete",
        ("us-east-1", "2026-11-02"): "quarantined",
        ("us-east-1", "2026-11-03"): "failed",
        ("eu-west-1", "2026-11-01"): "quiet",
        ("eu-west-1", "2026-11-02"): "failed",
        ("eu-west-1", "2026-11-03"): "missing",
        ("eu-central-1", "2026-11-03"): "loading",
    }
    assert answer["may_backfill"] is True
    assert answer["labels"] == {
        "lookup_events": {"looked_up": "looked up", "indexed": "indexed", "quarantined": "quarantined"},
        "lookup_insights": {"looked_up": "looked up", "indexed": "indexed", "quarantined": "quarantined"},
        "trail": {"looked_up": "listed", "indexed": "indexed", "quarantined": "quarantined"},
    }
    assert pattern in answer["patterns"]


def test_windows_of_one_day_are_one_cell(client: TestClient, pattern: str) -> None:
    """It has the sums of their figures, and the state that needs most attention."""
    square = read_squares(asked(client, pattern))["eu-west-1", "lookup_events", "2026-11-02"]
    assert square == ("failed", {"looked_up": 11, "indexed": 9, "quarantined": 0})


class Heard:
    """A server that records its requests."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.engine, self.name = server.engine, server.name
        self.asked: list[bytes] = []

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        self.asked.append(body or b"")
        return self._server.request(method, path, body)


def test_cells_are_read_again_only_after_a_change(client: TestClient, server: Any, pattern: str) -> None:
    """Another request costs one small query and gets the same answer. A change of any cell is seen at once."""
    heard = Heard(server)
    app: Any = client.app
    app.dependency_overrides[find_search_server] = lambda: heard
    summary = None
    while summary != summarize_ledger(server):  # other tests also write to this server's ledger
        summary = summarize_ledger(server)
        first = asked(client, pattern)
        heard.asked.clear()
        again = asked(client, pattern)
    assert first == again
    assert not any(b"composite" in body for body in heard.asked)
    Ledger(server, pattern).record_missing([MissingCell(window("us-east-1"), "It was not loaded.")])
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    changed = asked(client, pattern)["table"]
    assert changed != first["table"]
    assert any(b"composite" in body for body in heard.asked)


def delete_cells(server: Any, account: str) -> None:
    """Delete the ledger's documents of an account."""
    query = codec.encode({"query": {"term": {"account": account}}})
    for hit in server.request("POST", f"/{COVERAGE_INDEX}/_search", query)["hits"]["hits"]:
        server.request("DELETE", f"/{COVERAGE_INDEX}/_doc/{urllib.parse.quote(hit['_id'], safe='')}")


def test_a_summary_with_the_changes_is_that_of_the_whole_ledger(server: Any, unique_index_prefix: str) -> None:
    """After new accounts, after an update, and after deletions of cells.

    Only accounts, a day and a pattern of this test are compared, because other tests write to the same ledger.
    """
    ledger = Ledger(server, unique_index_prefix)
    day = (datetime(2001, 2, 3, tzinfo=UTC) - DAY).days
    kept, deleted = (replace(window("us-east-1", day), account=each) for each in ("999999999997", "999999999998"))

    def summarize(*known: Any) -> Any:
        summary = summarize_ledger(server, *known)
        names = {kept.account, deleted.account, unique_index_prefix} & {*summary.accounts, *summary.patterns}
        return summary, (names, summary.days.get("2001-02-03"))

    known, before = summarize()
    assert before == (set(), None)
    changes: list[tuple[Callable[[], Any], Any]] = [
        (
            lambda: ledger.record_verified_all([verified(kept, 5, 5), verified(deleted, 5, 5)]),
            ({kept.account, deleted.account, unique_index_prefix}, 2),
        ),
        (
            lambda: ledger.record_missing([MissingCell(deleted, "It was not loaded.")]),
            ({kept.account, deleted.account, unique_index_prefix}, 2),
        ),
        (lambda: delete_cells(server, deleted.account), ({kept.account, unique_index_prefix}, 1)),
        (lambda: delete_cells(server, kept.account), (set(), None)),
    ]
    for change, expected in changes:
        earlier = known
        change()
        server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
        known, figures = summarize(known)
        assert figures == summarize()[1] == expected
        assert known.versions.get("2001-02-03") != earlier.versions.get("2001-02-03", "none")


def test_windows_with_equal_figures_are_counted_each(
    client: TestClient, server: Any, unique_index_prefix: str
) -> None:
    """Two halves of a day with equal figures are one cell with twice of them. One without figures adds nothing."""
    ledger = Ledger(server, unique_index_prefix)
    ledger.record_verified_all([verified(window("us-east-1", 0, hours), 5, 5) for hours in ((0, 8), (8, 16))])
    ledger.record_loading(window("us-east-1", 0, (16, 24)), RUN)
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    answer = asked(client, unique_index_prefix)
    (square,) = read_squares(answer).values()
    assert square == ("loading", {"looked_up": 10, "indexed": 10, "quarantined": 0})


def test_a_cell_has_all_of_its_details(client: TestClient, pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its task and, if dashboards are configured, the address of its documents."""
    params = {"pattern": pattern, "account": ACCOUNT, "region": "us-east-1", "day": "2026-11-03"}
    (cell,) = client.get("/api/cells", params=params).json()["cells"]
    assert (cell["state"], cell["staged"], cell["indexed"]) == ("failed", 10, 9)
    assert cell["run"]["map_index"] == 4
    assert cell["task"] == (
        "/dags/cloudtrail_to_elasticsearch/runs/scheduled__2026-11-01/tasks/cell.load/mapped/4"
    )
    assert cell["documents"] is None
    monkeypatch.setenv("AIRFLOW_VAR_CLOUDTRAIL_DASHBOARDS_URL", "https://dashboards.example.com")
    (cell,) = client.get("/api/cells", params=params).json()["cells"]
    assert cell["documents"].startswith("https://dashboards.example.com/app/")


def test_a_selection_is_a_backfill(client: TestClient, pattern: str) -> None:
    """The command to copy, and the same request for Airflow's API."""
    params = {
        "first": "2026-11-02",
        "last": "2026-11-03",
        "pattern": pattern,
        "account": ACCOUNT,
        "row": "eu-west-1",
        "state": ["missing", "failed"],
    }
    answer = client.get("/api/backfill", params=params).json()
    (found,) = answer["backfills"]
    assert "--from-date 2026-11-02 --to-date 2026-11-03 --reprocess-behavior completed" in found["command"]
    conf = {"accounts": [ACCOUNT], "regions": ["eu-west-1"], "index": pattern}
    assert found["request"]["body"]["dag_run_conf"] == conf
    assert (answer["cells"], answer["further"], answer["dag_id"]) == (2, 0, "cloudtrail_to_elasticsearch")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/coverage?first=2026-11-02&last=2026-11-01", 400),
        ("/api/coverage?first=2020-11-02&last=2026-11-01", 400),
        ("/api/coverage?first=yesterday", 422),
        ("/static/..%2fapp.py", 404),
        ("/static/app.py", 404),
        ("/openapi.json", 404),
    ],
)
def test_invalid_requests_are_rejected(client: TestClient, path: str, status: int) -> None:
    """And no file but the pages' own is served."""
    assert client.get(path).status_code == status


def test_an_unreachable_server_is_reported_in_one_sentence(client: TestClient) -> None:
    """Without a stack trace, and without the secrets of the connection."""
    url = "http://loader:swordfish@127.0.0.1:1"
    app: Any = client.app
    app.dependency_overrides[find_search_server] = lambda: connect(SearchSettings.from_url(url), "opensearch")
    answer = client.get("/api/coverage")
    assert answer.status_code == 503
    assert "cannot be reached" in answer.json()["detail"]
    assert "swordfish" not in answer.text


@pytest.mark.promise("closed")
def test_answers_have_security_headers(client: TestClient) -> None:
    """Only the page's own scripts run, and only Airflow can frame it."""
    headers = client.get("/coverage").headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'self'" in headers["content-security-policy"]


@pytest.mark.slow
def test_the_plugin_imports_pages_only_in_processes_that_serve_them() -> None:
    """Every task loads the plugins: FastAPI and the pages are imported by the first request."""
    import subprocess
    import sys

    script = (
        "import airflow.plugins_manager, sys; before = set(sys.modules); import cloudtrail_elasticsearch.plugin; "
        "print([name for name in set(sys.modules) - before if name.split('.')[0] in ('fastapi', 'starlette')"
        " or name == 'cloudtrail_elasticsearch.ui.app'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.fixture
def refused(server: Any, pattern: str) -> dict[str, str]:
    """Events in quarantine: two with one path, one with another, and a line that is not JSON."""
    setup.prepare_indices(server, IndexPattern(pattern), build_schema("flattened", load_rules()))
    ids = {name: str(uuid.uuid4()) for name in ("one", "two", "other", "broken")}
    refused = "failed to parse field [{}] of type [long] in document with id '1'. Preview of field's value: '{}'"
    reasons = {
        "one": refused.format("requestParameters.when", "a"),
        "two": refused.format("requestParameters.when", "b"),
        "other": refused.format("eventName", "Put"),
        "broken": "line 1 is no JSON",
    }
    quarantine = Quarantine(Sender(server, LoadSettings()), pattern)
    quarantine.put(
        Rejection(BulkItem(ids[name], f"{pattern}-i", None, b'{"eventName": "<b>x</b>"}'), "mapper", reasons[name])
        for name in ids
    )
    quarantine.refresh()
    return ids


def test_the_quarantine_is_grouped_by_causes(client: TestClient, pattern: str, refused: dict[str, str]) -> None:
    """Events with the same path and reason are one group, whatever their values; the largest group is first."""
    answer = client.get("/api/quarantine", params={"pattern": pattern}).json()
    assert answer["patterns"][pattern] == answer["looked_at"] == 4
    first, *others = answer["groups"]
    assert (first["path"], first["events"]) == ("requestParameters.when", 2)
    assert set(first["ids"]) == {refused["one"], refused["two"]}
    assert {(group["path"], group["events"]) for group in others} == {("eventName", 1), (None, 1)}
    assert all(f"{pattern}-i" in group["remedy"] for group in answer["groups"])


def test_the_suggested_rule_is_valid(
    client: TestClient, pattern: str, refused: dict[str, str], tmp_path: Path
) -> None:
    """It is read as a rules file, and moves the value. Fields of the envelope have no suggestion."""
    groups = client.get("/api/quarantine", params={"pattern": pattern}).json()["groups"]
    rules = {group["path"]: group["rule"] for group in groups}
    assert rules["eventName"] is rules[None] is None
    file = tmp_path / "rules.yaml"
    file.write_text(rules["requestParameters.when"])
    event = {"eventName": "Put", "requestParameters": {"when": "a"}}
    document = Normalizer(build_schema("flattened", load_rules([file]))).document(Event(event, {})).source
    assert document["requestParameters"] == {"whenAsSent": "a"}


def test_a_quarantined_event_is_returned_whole(client: TestClient, pattern: str, refused: dict[str, str]) -> None:
    """As text. After a replay it no longer exists."""
    params = {"pattern": pattern, "id": refused["other"]}
    entry = client.get("/api/quarantine/event", params=params).json()
    assert entry["event"] == '{"eventName": "<b>x</b>"}'
    assert "of type [long]" in entry["reason"]
    assert client.get("/api/quarantine/event", params=params | {"id": "no"}).status_code == 404


def test_a_replay_covers_the_cells_with_events_in_quarantine(client: TestClient, pattern: str) -> None:
    """Their days and regions as params of the DAG, and the command for all events of the pattern."""
    answer = client.get("/api/quarantine", params={"pattern": pattern}).json()
    (replay,) = answer["replays"]
    assert replay["source"] == "lookup_events"
    assert replay["run_page"] == "/dags/cloudtrail_to_elasticsearch/runs/{}"
    assert replay["request"] == {
        "path": "/api/v2/dags/cloudtrail_to_elasticsearch/dagRuns",
        "body": {
            "logical_date": None,
            "conf": {
                "replay": True,
                "start": "2026-11-02",
                "end": "2026-11-03",
                "accounts": [ACCOUNT],
                "regions": ["us-east-1"],
                "index": pattern,
            },
        },
    }
    assert answer["command"].endswith(f"--index {pattern}")
