"""The pages, with their user in the compose file, on a real OpenSearch with its security plugin."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.errors import AccessDeniedError
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader
from cloudtrail_elasticsearch.sinks.opensearch import OpenSearchServer
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.ui import server as pages_server
from cloudtrail_elasticsearch.ui.access import may_backfill, may_read
from cloudtrail_elasticsearch.ui.app import make_app
from devstack.compose.reading import ROOT, load
from tests.cells import cell as make_cell
from tests.cells import staged_at
from tests.ui.squares import read_squares

from .secured_opensearch import SECRETS, SecuredServer, missing_tool

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_tool() is not None, reason=str(missing_tool())),
    pytest.mark.xdist_group("secured-opensearch"),
]

PATTERN = "cloudtrail-%Y.%m"
ACCOUNT = "123456789012"
DAY = datetime(2026, 11, 20, tzinfo=UTC)
EVENT = {
    "eventVersion": "1.11",
    "eventID": "6a8d0d3e-4b0e-4c43-9f3b-3f1d5a0c9a02",
    "eventTime": "2026-11-20T10:00:00Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "CreateBucket",
    "awsRegion": "eu-west-1",
}


@pytest.fixture(scope="module")
def loaded(server: SecuredServer) -> str:
    """An event, a line in quarantine, and a cell of the ledger, written by the loader's own user."""
    password = SECRETS["OPENSEARCH_LOADER_PASSWORD"]
    loader_user = OpenSearchServer(
        SearchSettings(server.url, username="cloudtrail_loader", password=password, ca_certs=server.ca_certs)
    )
    loader = Loader(loader_user, IndexPattern(PATTERN), build_schema("typed", load_rules()))
    loader.prepare()
    report = loader.load([json.dumps(EVENT).encode(), b"not an event"])
    assert (report.indexed, report.quarantined) == (1, 1)
    cell = make_cell(Window(ACCOUNT, "eu-west-1", DAY, DAY + timedelta(days=1)), 2, 1, 1)
    Ledger(loader_user, PATTERN).record_verified(VerifiedCell(cell, staged_at(DAY), None, DAY))
    loader_user.request("POST", "/cloudtrail-coverage/_refresh")
    return PATTERN


@pytest.fixture
def connection(server: SecuredServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The API server's environment in the compose file; only the host and the CA's path are replaced."""
    environment = load(SECRETS)["services"]["airflow-apiserver"]["environment"]
    for name in ("AIRFLOW_CONN_ELASTICSEARCH_DEFAULT", "AIRFLOW_CONN_CLOUDTRAIL_PAGES"):
        monkeypatch.delenv(name, raising=False)
    name = "AIRFLOW_CONN_CLOUDTRAIL_PAGES"
    moved = json.loads(environment[name])
    moved["port"] = int(server.url.rpartition(":")[2])
    moved["host"] = "localhost"
    moved["extra"]["ca_certs"] = server.ca_certs
    monkeypatch.setenv(name, json.dumps(moved))
    pages_server._open_server.cache_clear()
    yield
    pages_server._open_server.cache_clear()


@pytest.fixture
def client(connection: None) -> Iterator[TestClient]:
    app = make_app()
    app.dependency_overrides = {may_read.dependency: lambda: None, may_backfill: lambda: True}
    with TestClient(app) as made:
        yield made


def test_the_pages_work_with_their_own_user(client: TestClient, loaded: str) -> None:
    """Coverage, a cell, the quarantine and one event of it."""
    days = {"first": "2026-11-20", "last": "2026-11-20", "pattern": loaded}
    answer = client.get("/api/coverage", params=days)
    assert answer.status_code == 200, answer.text
    ((region, _, _), (_, figures)) = next(iter(read_squares(answer.json()).items()))
    assert (region, figures["quarantined"]) == ("eu-west-1", 1)
    of_a_cell = {"day": "2026-11-20", "region": "eu-west-1", "account": ACCOUNT, "pattern": loaded}
    assert [cell["state"] for cell in client.get("/api/cells", params=of_a_cell).json()["cells"]] == [
        "quarantined"
    ]
    (group,) = client.get("/api/quarantine", params={"pattern": loaded}).json()["groups"]
    params = {"pattern": loaded, "id": group["ids"][0]}
    assert client.get("/api/quarantine/event", params=params).json()["event"] == "not an event"


def test_the_replay_is_a_run_of_the_dag(client: TestClient, loaded: str) -> None:
    """The worker's user loads the events. The page writes nothing, and its command contains no credentials."""
    answer = client.get("/api/quarantine", params={"pattern": loaded})
    content = answer.json()
    (replay,) = content["replays"]
    assert replay["request"]["path"].endswith("/dags/cloudtrail_to_elasticsearch/dagRuns")
    assert replay["request"]["body"]["conf"]["replay"] is True
    assert SECRETS["OPENSEARCH_PAGES_PASSWORD"] not in answer.text
    assert "cloudtrail_pages" not in content["command"]


@pytest.fixture
def user(connection: None) -> Any:
    return pages_server.find_search_server()


@pytest.mark.parametrize("index", ["cloudtrail-coverage", "cloudtrail-quarantine", "cloudtrail-rules"])
def test_the_user_reads_the_loaders_own_indices(user: Any, loaded: str, index: str) -> None:
    """Also one that does not exist yet."""
    assert "hits" in user.request("POST", f"/{index}/_search?ignore_unavailable=true")


@pytest.mark.promise("closed")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/cloudtrail-2026.11/_search", None),
        ("POST", "/cloudtrail-*/_search", None),
        ("POST", "/cloudtrail-2026.11/_count", None),
        ("POST", "/cloudtrail-coverage/_doc", b"{}"),
        ("PUT", "/cloudtrail-quarantine/_doc/one", b"{}"),
        ("POST", "/cloudtrail-coverage/_update/one", b'{"doc": {}}'),
        ("DELETE", "/cloudtrail-quarantine/_doc/one", None),
        ("DELETE", "/cloudtrail-coverage", None),
        ("PUT", "/cloudtrail-new", None),
        ("PUT", "/cloudtrail-coverage/_settings", b'{"index": {"refresh_interval": "1s"}}'),
        ("PUT", "/_index_template/cloudtrail-x", b'{"index_patterns": ["cloudtrail-x"]}'),
        ("GET", "/_cluster/settings", None),
        ("GET", "/_plugins/_security/api/internalusers", None),
    ],
)
def test_the_user_has_no_other_permissions(
    user: Any, loaded: str, method: str, path: str, body: bytes | None
) -> None:
    """It cannot read events, write anything, or see settings or users."""
    with pytest.raises(AccessDeniedError):
        user.request(method, path, body)


def test_the_user_cannot_write_in_bulk(user: Any, loaded: str) -> None:
    """Whatever index the body names."""
    body = b'{"index": {"_index": "cloudtrail-coverage", "_id": "x"}}\n{}\n'
    with pytest.raises(AccessDeniedError):
        user.request("POST", "/_bulk", body)


def test_an_older_volume_gets_the_user_by_the_documented_command(server: SecuredServer) -> None:
    """The command runs unchanged, except for the host, the certificate, and a name that does not exist yet."""
    text = (ROOT / "docs" / "deployment.md").read_text()
    found = re.search(
        r"^docker compose exec opensearch bash -euc '\n(.*?)^'$", text, flags=re.MULTILINE | re.DOTALL
    )
    assert found
    script = found[1].replace("https://localhost:9200", server.url).replace("config/tls/ca.pem", server.ca_certs)
    script = script.replace("cloudtrail_pages", "later_pages")
    names = ("OPENSEARCH_INITIAL_ADMIN_PASSWORD", "OPENSEARCH_PAGES_PASSWORD")
    environment = os.environ | {name: SECRETS[name] for name in names}
    subprocess.run(["bash", "-euc", script], check=True, env=environment)
    password = SECRETS["OPENSEARCH_PAGES_PASSWORD"]
    later = OpenSearchServer(
        SearchSettings(server.url, username="later_pages", password=password, ca_certs=server.ca_certs)
    )
    assert "hits" in later.request("POST", "/cloudtrail-coverage/_search?ignore_unavailable=true")
    with pytest.raises(AccessDeniedError):
        later.request("POST", "/cloudtrail-2026.11/_search")
