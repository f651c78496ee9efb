"""The compose file's OpenSearch, run for real: who gets in, and what the loader's user may do."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    ConfigurationError,
    CredentialsError,
)
from cloudtrail_elasticsearch.core.ledger import Ledger
from cloudtrail_elasticsearch.core.load import Loader
from cloudtrail_elasticsearch.core.mapping import IndexPattern
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.shape import build
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.sinks.opensearch import OpenSearchServer
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

from .secured_opensearch import SECRETS, SecuredServer, missing_tool

pytestmark = [
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
    """The loader's user makes the templates, loads an event and a broken line, and counts what is there."""
    loader = Loader(loader_user, IndexPattern("cloudtrail-%Y.%m"), build("typed", load_rules()))
    loader.prepare()
    report = loader.load([json.dumps(EVENT).encode(), b"not an event"])
    assert (report.read, report.indexed, report.quarantined) == (2, 1, 1)
    assert loader.count([str(EVENT["eventID"])]) == 1
    loader.prepare()  # which now reads and updates the mapping of an index that is there


def test_the_loader_learns_and_replays(server: SecuredServer, loader_user: OpenSearchServer) -> None:
    """Its user writes down what was learned, reads it again, and takes from the quarantine what it has loaded."""
    admin = sign_in(server, "admin", SECRETS["OPENSEARCH_INITIAL_ADMIN_PASSWORD"])
    long, date = {"type": "long"}, {"type": "date", "format": "epoch_millis"}
    foreign = {
        "mappings": {"properties": {"eventName": long, "overflow": long, "unindexed": long, "eventTime": date}}
    }
    admin.request("PUT", "/cloudtrail-replayed", json.dumps(foreign).encode())
    loader = Loader(loader_user, IndexPattern("cloudtrail-replayed"), build("typed", load_rules()))
    loader.prepare()
    assert loader.load([json.dumps(EVENT).encode()]).quarantined == 1
    admin.request("DELETE", "/cloudtrail-replayed")
    loader.prepare()
    report = loader.replay()
    assert (report.read, report.indexed, report.quarantined) == (1, 1, 0)
    holding = loader.holding([json.dumps(EVENT).encode()])
    assert (holding.indexed, holding.quarantined) == (1, 0)


def test_the_loader_keeps_the_ledger(loader_user: OpenSearchServer) -> None:
    """Its user notes a cell, notes it again, and reads what it has noted."""
    start = datetime(2026, 11, 20, tzinfo=UTC)
    window = Window("123456789012", "eu-west-1", start, start + timedelta(days=1))
    ledger = Ledger(loader_user, "cloudtrail-ledger")
    ledger.loading(window, None)
    ledger.missing(window, "a test")
    assert [(cell["region"], cell["state"]) for cell in ledger.cells()] == [("eu-west-1", "missing")]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/cloudtrail-2026.11", None),
        ("DELETE", f"/cloudtrail-2026.11/_doc/{EVENT['eventID']}", None),
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
def test_the_loader_can_do_no_more(
    loader_user: OpenSearchServer, method: str, path: str, body: bytes | None
) -> None:
    """The loader's user deletes no index, event or rule, writes to no other index, and sees no users."""
    with pytest.raises(AccessDeniedError):
        loader_user.request(method, path, body)


@pytest.mark.parametrize(
    "name", ["admin", "anomalyadmin", "kibanaro", "kibanaserver", "logstash", "readall", "snapshotrestore"]
)
def test_no_default_password_is_open(server: SecuredServer, name: str) -> None:
    """None of the users that OpenSearch's demo brings gets in with the password that everyone knows."""
    with pytest.raises(CredentialsError):
        sign_in(server, name, name).request("GET", "/")


def test_nobody_gets_in_without_a_password(server: SecuredServer) -> None:
    """A request without a user is refused."""
    with pytest.raises(CredentialsError):
        sign_in(server, None, None).request("GET", "/")


@pytest.mark.parametrize(
    ("name", "variable"),
    [("admin", "OPENSEARCH_INITIAL_ADMIN_PASSWORD"), ("kibanaserver", "OPENSEARCH_DASHBOARDS_PASSWORD")],
)
def test_the_configured_passwords_work(server: SecuredServer, name: str, variable: str) -> None:
    """The administrator and Dashboards get in with the passwords from .env."""
    assert sign_in(server, name, SECRETS[variable]).request("GET", "/_cluster/health")["status"] != "red"


def test_the_certificate_is_of_its_own_authority(server: SecuredServer) -> None:
    """Who does not have the authority's certificate does not trust the server, and is told what to give."""
    stranger = OpenSearchServer(SearchSettings(server.url, username="admin", password="any"))
    with pytest.raises(ConfigurationError, match="ca_certs"):
        stranger.request("GET", "/")
