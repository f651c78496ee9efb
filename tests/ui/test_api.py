"""The coverage page's data, from a real ledger; who may have it is tested with a real API server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloudtrail_elasticsearch.core import index_setup
from cloudtrail_elasticsearch.core.bulk import BulkItem, Refused
from cloudtrail_elasticsearch.core.coverage import Cell
from cloudtrail_elasticsearch.core.events import Event
from cloudtrail_elasticsearch.core.ledger import Ledger, Run, Staged, Verified
from cloudtrail_elasticsearch.core.mapping import COVERAGE_INDEX, IndexPattern
from cloudtrail_elasticsearch.core.normalize import Normalizer
from cloudtrail_elasticsearch.core.overview import known
from cloudtrail_elasticsearch.core.quarantine import Quarantine
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.send import LoadSettings, Sender
from cloudtrail_elasticsearch.core.shape import build
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.ui.access import may_backfill, may_read
from cloudtrail_elasticsearch.ui.app import make_app
from cloudtrail_elasticsearch.ui.server import search_server

ACCOUNT = "123456789012"
DAY = datetime(2026, 11, 1, tzinfo=UTC)
RUN = Run("cloudtrail_to_elasticsearch", "scheduled__2026-11-01", "cell.load", 4, 1)


def window(region: str, day: int = 0, hours: tuple[int, int] = (0, 24)) -> Window:
    start = DAY + timedelta(days=day)
    return Window(ACCOUNT, region, start + timedelta(hours=hours[0]), start + timedelta(hours=hours[1]))


def verified(of: Window, staged: int, indexed: int, quarantined: int = 0) -> Verified:
    cell = Cell(of, staged, staged, 0, indexed, quarantined)
    return Verified(cell, Staged(1, 1, 0, None, None, DAY), RUN, DAY)


@pytest.fixture
def server(search_url: str) -> Any:
    return connect(SearchSettings.from_url(search_url))


@pytest.fixture
def client(server: Any) -> Iterator[TestClient]:
    app = make_app()
    app.dependency_overrides = {
        may_read.dependency: lambda: None,
        may_backfill: lambda: True,
        search_server: lambda: server,
    }
    with TestClient(app) as made:
        yield made


@pytest.fixture
def pattern(server: Any, unique_index_prefix: str) -> str:
    """A ledger with cells of every state."""
    ledger = Ledger(server, unique_index_prefix)
    ledger.verified_all(
        [
            verified(window("us-east-1"), 10, 10),
            verified(window("us-east-1", 1), 10, 7, 3),
            verified(window("us-east-1", 2), 10, 9),
            verified(window("eu-west-1"), 0, 0),
            verified(window("eu-west-1", 1, (0, 12)), 5, 5),
            verified(window("eu-west-1", 1, (12, 24)), 6, 4),
        ]
    )
    ledger.missing(window("eu-west-1", 2), "It was not loaded.")
    ledger.loading(window("eu-central-1", 2), RUN)
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    return unique_index_prefix


def asked(client: TestClient, pattern: str, **more: str) -> dict[str, Any]:
    params = {"pattern": pattern, "account": ACCOUNT, "first": "2026-10-31", "last": "2026-11-03", **more}
    answer = client.get("/api/coverage", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_every_cell_is_told_with_its_state(client: TestClient, pattern: str) -> None:
    """Regions by days, in columns; days that nothing is known of have no cell."""
    answer = asked(client, pattern)
    table = answer["table"]
    states = {
        (table["regions"][region], table["days"][day]): answer["states"][state]
        for region, day, state in zip(table["region"], table["day"], table["state"], strict=True)
    }
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
    assert pattern in answer["patterns"]


def test_windows_of_one_day_are_one_cell(client: TestClient, pattern: str) -> None:
    """Their figures are added, and the state is that which needs most attention."""
    table = asked(client, pattern)["table"]
    regions, days = table["regions"], table["days"]
    (cell,) = (
        number
        for number, (region, day) in enumerate(zip(table["region"], table["day"], strict=True))
        if (regions[region], days[day]) == ("eu-west-1", "2026-11-02")
    )
    assert {name: column[cell] for name, column in table["figures"].items()} == {
        "looked_up": 11,
        "indexed": 9,
        "quarantined": 0,
    }


class Heard:
    """A server, and what it was asked."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.engine, self.name = server.engine, server.name
        self.asked: list[bytes] = []

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        self.asked.append(body or b"")
        return self._server.request(method, path, body)


def test_cells_are_read_again_only_after_a_change(client: TestClient, server: Any, pattern: str) -> None:
    """Who looks again has the same answer for one small question; a change of any cell is seen at once."""
    heard = Heard(server)
    app: Any = client.app
    app.dependency_overrides[search_server] = lambda: heard
    version = None
    while version != known(server).version:  # other tests write to this server's ledger, too
        version = known(server).version
        first = asked(client, pattern)
        heard.asked.clear()
        again = asked(client, pattern)
    assert first == again
    assert not any(b"composite" in body for body in heard.asked)
    Ledger(server, pattern).missing(window("us-east-1"), "It was not loaded.")
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    changed = asked(client, pattern)["table"]
    assert changed != first["table"]
    assert any(b"composite" in body for body in heard.asked)


def test_windows_that_say_the_same_are_counted_each(
    client: TestClient, server: Any, unique_index_prefix: str
) -> None:
    """Two halves of a day with equal figures are one cell with twice of them; one without figures adds nothing."""
    ledger = Ledger(server, unique_index_prefix)
    ledger.verified_all([verified(window("us-east-1", 0, hours), 5, 5) for hours in ((0, 8), (8, 16))])
    ledger.loading(window("us-east-1", 0, (16, 24)), RUN)
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    answer = asked(client, unique_index_prefix)
    table = answer["table"]
    assert [answer["states"][state] for state in table["state"]] == ["loading"]
    assert table["figures"] == {"looked_up": [10], "indexed": [10], "quarantined": [0]}


def test_a_cell_is_told_whole(client: TestClient, pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the task behind it, and where its documents are seen, if somebody said where."""
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


def test_a_selection_is_a_backfill(client: TestClient) -> None:
    """The command to copy, and the same for Airflow's API."""
    params = {
        "first": "2026-11-01",
        "last": "2026-11-02",
        "pattern": "cloudtrail-%Y.%m",
        "region": ["eu-west-1"],
        "state": ["missing", "none"],
    }
    answer = client.get("/api/backfill", params=params).json()
    assert "--from-date 2026-11-01 --to-date 2026-11-02 --reprocess-behavior failed" in answer["command"]
    assert answer["request"]["body"]["dag_run_conf"] == {"regions": ["eu-west-1"]}


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
def test_what_cannot_be_answered_is_refused(client: TestClient, path: str, status: int) -> None:
    """And nothing but the pages' own files is served."""
    assert client.get(path).status_code == status


def test_a_server_that_does_not_answer_is_one_sentence(client: TestClient) -> None:
    """And no stack trace, nor what the connection has of secrets."""
    url = "http://loader:swordfish@127.0.0.1:1"
    app: Any = client.app
    app.dependency_overrides[search_server] = lambda: connect(SearchSettings.from_url(url), "opensearch")
    answer = client.get("/api/coverage")
    assert answer.status_code == 503
    assert "cannot be reached" in answer.json()["detail"]
    assert "swordfish" not in answer.text


def test_answers_carry_the_headers_that_keep_others_out(client: TestClient) -> None:
    """No script but the page's own, and no frame but Airflow's."""
    headers = client.get("/coverage").headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'self'" in headers["content-security-policy"]


def test_the_plugin_brings_no_page_into_processes_that_serve_none() -> None:
    """Every task reads the plugins: FastAPI and the pages are imported by the first request."""
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
    """Events in quarantine: two at one path, one at another, and a line that is no JSON."""
    index_setup.prepare(server, IndexPattern(pattern), build("flattened", load_rules()))
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
        Refused(BulkItem(ids[name], f"{pattern}-i", None, b'{"eventName": "<b>x</b>"}'), "mapper", reasons[name])
        for name in ids
    )
    quarantine.refresh()
    return ids


def test_the_quarantine_is_told_by_its_causes(client: TestClient, pattern: str, refused: dict[str, str]) -> None:
    """What is refused at one path for one reason is one group, whatever the values; the most frequent first."""
    answer = client.get("/api/quarantine", params={"pattern": pattern}).json()
    assert answer["patterns"][pattern] == answer["looked_at"] == 4
    first, *others = answer["groups"]
    assert (first["path"], first["events"]) == ("requestParameters.when", 2)
    assert set(first["ids"]) == {refused["one"], refused["two"]}
    assert {(group["path"], group["events"]) for group in others} == {("eventName", 1), (None, 1)}
    assert all(f"{pattern}-i" in group["remedy"] for group in answer["groups"])


def test_the_rule_that_is_suggested_is_one(
    client: TestClient, pattern: str, refused: dict[str, str], tmp_path: Path
) -> None:
    """It is read as a rules file, and moves the value; the envelope's fields have none."""
    groups = client.get("/api/quarantine", params={"pattern": pattern}).json()["groups"]
    rules = {group["path"]: group["rule"] for group in groups}
    assert rules["eventName"] is rules[None] is None
    file = tmp_path / "rules.yaml"
    file.write_text(rules["requestParameters.when"])
    event = {"eventName": "Put", "requestParameters": {"when": "a"}}
    document = Normalizer(build("flattened", load_rules([file]))).document(Event(event, {})).source
    assert document["requestParameters"] == {"whenAsSent": "a"}


def test_an_event_in_quarantine_is_told_whole(client: TestClient, pattern: str, refused: dict[str, str]) -> None:
    """As text; once it is replayed it is no longer there."""
    params = {"pattern": pattern, "id": refused["other"]}
    entry = client.get("/api/quarantine/event", params=params).json()
    assert entry["event"] == '{"eventName": "<b>x</b>"}'
    assert "of type [long]" in entry["reason"]
    assert client.get("/api/quarantine/event", params=params | {"id": "no"}).status_code == 404


def test_a_replay_covers_the_cells_with_events_in_quarantine(client: TestClient, pattern: str) -> None:
    """Their days and regions, as params of the DAG; and the command that takes all of the pattern."""
    answer = client.get("/api/quarantine", params={"pattern": pattern}).json()
    assert answer["request"] == {
        "path": "/api/v2/dags/cloudtrail_to_elasticsearch/dagRuns",
        "body": {
            "logical_date": None,
            "conf": {
                "replay": True,
                "start": "2026-11-02",
                "end": "2026-11-03",
                "regions": ["us-east-1"],
                "index": pattern,
            },
        },
    }
    assert answer["command"].endswith(f"--index {pattern}")
