"""The compose file's OpenSearch, started for real: its users, and the permissions of the loader's user."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, MissingCell
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    ConfigurationError,
    CredentialsError,
)
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader
from cloudtrail_elasticsearch.sinks.opensearch import OpenSearchServer
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

from .secured_opensearch import SECRETS, SecuredServer, missing_tool

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_tool() is not None, reason=str(missing_tool())),
    pytest.mark.xdist_group("secured-opensearch"),
]

EVENT = {
    "eventVersion": "1.11",
    "eventID": "5f8d0d3e-4b0e-4c43-9f3b-3f1d5a0c9a01",
    "eventTime": "2026-11-20T10:00:00Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "CreateBucket",
    "awsRegion": "eu-west-1",
    "requestParameters": {"bucketName": "an-example"},
}


def sign_in(server: SecuredServer, username: str | None, password: str | None) -> OpenSearchServer:
    return OpenSearchServer(
        SearchSettings(server.url, username=username, password=password, ca_certs=server.ca_certs)
    )


@pytest.fixture(scope="module")
def loader_user(server: SecuredServer) -> OpenSearchServer:
    return sign_in(server, "cloudtrail_loader", SECRETS["OPENSEARCH_LOADER_PASSWORD"])


def test_the_loader_loads(loader_user: OpenSearchServer) -> None:
    """Its user creates the templates, loads an event twice and a broken line, and counts the documents."""
    loader = Loader(loader_user, IndexPattern("cloudtrail-%Y.%m"), build_schema("typed", load_rules()))
    loader.prepare()
    report = loader.load([json.dumps(EVENT).encode(), b"not an event"])
    assert (report.read, report.indexed, report.quarantined) == (2, 1, 1)
    assert loader.load([json.dumps(EVENT).encode()]).duplicates == 1  # it reads the existing document
    assert loader.count([str(EVENT["eventID"])]) == 1
    loader.prepare()  # this time it reads and updates the mapping of an existing index


def test_the_loader_learns_and_replays(server: SecuredServer, loader_user: OpenSearchServer) -> None:
    """Its user stores learned paths, reads them again, and deletes replayed events from the quarantine."""
    admin = sign_in(server, "admin", SECRETS["OPENSEARCH_INITIAL_ADMIN_PASSWORD"])
    long, date = {"type": "long"}, {"type": "date", "format": "epoch_millis"}
    foreign = {
        "mappings": {"properties": {"eventName": long, "overflow": long, "unindexed": long, "eventTime": date}}
    }
    admin.request("PUT", "/cloudtrail-replayed", json.dumps(foreign).encode())
    loader = Loader(loader_user, IndexPattern("cloudtrail-replayed"), build_schema("typed", load_rules()))
    loader.prepare()
    assert loader.load([json.dumps(EVENT).encode()]).quarantined == 1
    admin.request("DELETE", "/cloudtrail-replayed")
    loader.prepare()
    report = loader.replay()
    assert (report.read, report.indexed, report.quarantined) == (1, 1, 0)
    held = loader.count_held([json.dumps(EVENT).encode()])
    assert (held.indexed, held.quarantined) == (1, 0)


def test_the_loader_keeps_the_ledger(loader_user: OpenSearchServer) -> None:
    """Its user writes a cell, updates it, and reads it."""
    start = datetime(2026, 11, 20, tzinfo=UTC)
    window = Window("123456789012", "eu-west-1", start, start + timedelta(days=1))
    ledger = Ledger(loader_user, "cloudtrail-ledger")
    ledger.record_loading(window, None)
    ledger.record_missing([MissingCell(window, "a test")])
    assert [(cell["region"], cell["state"]) for cell in ledger.read_cells()] == [("eu-west-1", "missing")]


@pytest.mark.promise("closed")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/cloudtrail-2026.11", None),
        ("DELETE", f"/cloudtrail-2026.11/_doc/{EVENT['eventID']}", None),
        ("POST", "/_aliases", b'{"actions": [{"remove_index": {"index": "cloudtrail-2026.11"}}]}'),
        ("DELETE", "/cloudtrail-quarantine", None),
        ("DELETE", "/cloudtrail-rules", None),
        ("DELETE", "/cloudtrail-coverage", None),
        ("DELETE", "/cloudtrail-rules/_doc/any", None),
        ("PUT", "/another-index", None),
        ("POST", "/another-index/_doc", b"{}"),
        ("PUT", "/_cluster/settings", b'{"transient": {"indices.recovery.max_bytes_per_sec": "1mb"}}'),
        ("GET", "/_plugins/_security/api/internalusers", None),
    ],
)
def test_the_loader_has_no_other_permissions(
    loader_user: OpenSearchServer, method: str, path: str, body: bytes | None
) -> None:
    """Its user cannot delete an index, event or rule, write to another index, or list users."""
    with pytest.raises(AccessDeniedError):
        loader_user.request(method, path, body)


@pytest.mark.parametrize(
    "name", ["admin", "anomalyadmin", "kibanaro", "kibanaserver", "logstash", "readall", "snapshotrestore"]
)
def test_no_default_password_works(server: SecuredServer, name: str) -> None:
    """None of the demo users of OpenSearch can log in with its well-known password."""
    with pytest.raises(CredentialsError):
        sign_in(server, name, name).request("GET", "/")


@pytest.mark.promise("closed")
def test_a_request_without_a_user_is_rejected(server: SecuredServer) -> None:
    """The server asks for credentials."""
    with pytest.raises(CredentialsError):
        sign_in(server, None, None).request("GET", "/")


@pytest.mark.parametrize(
    ("name", "variable"),
    [("admin", "OPENSEARCH_INITIAL_ADMIN_PASSWORD"), ("kibanaserver", "OPENSEARCH_DASHBOARDS_PASSWORD")],
)
def test_the_configured_passwords_work(server: SecuredServer, name: str, variable: str) -> None:
    """The administrator and Dashboards log in with the passwords from .env."""
    assert sign_in(server, name, SECRETS[variable]).request("GET", "/_cluster/health")["status"] != "red"


def test_the_certificate_needs_its_own_authority(server: SecuredServer) -> None:
    """A client without the authority's certificate rejects the server, and the error names the setting."""
    stranger = OpenSearchServer(SearchSettings(server.url, username="admin", password="any"))
    with pytest.raises(ConfigurationError, match="ca_certs"):
        stranger.request("GET", "/")
