"""The test of a search connection, on real servers: the kind of server, and its user's permissions."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import MANAGED_BY, IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader
from cloudtrail_elasticsearch.hooks.search import SearchHook
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.processes import ROOT
from devstack.shared import PASSWORDS

EVENT = {
    "eventVersion": "1.11",
    "eventID": "5f8d0d3e-4b0e-4c43-9f3b-3f1d5a0c9a11",
    "eventTime": "2026-11-20T10:00:00Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "CreateBucket",
    "awsRegion": "eu-west-1",
    "requestParameters": {"bucketName": "an-example"},
}
SIGNED = {"aws_conn_id": "aws", "region_name": "eu-west-1"}


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Any:
    """Test a connection with these fields; neither its message nor the log has a secret of it."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS", '{"conn_type": "aws", "login": "a-key", "password": "aws-secret"}')

    def test(**fields: Any) -> tuple[bool, str]:
        monkeypatch.setenv("AIRFLOW_CONN_SEARCH", json.dumps({"conn_type": "cloudtrail_search"} | fields))
        with caplog.at_level("DEBUG"):
            works, message = SearchHook("search").test_connection()
        for secret in (fields.get("password"), fields.get("extra", {}).get("api_key"), "aws-secret"):
            assert not secret or secret not in message + caplog.text
        return works, message

    return test


@pytest.fixture(scope="module")
def admin(secured_elasticsearch: str) -> Any:
    settings = SearchSettings.from_url(secured_elasticsearch, username="admin", password=PASSWORDS["admin"])
    return connect(settings, "elasticsearch")


@pytest.fixture
def key(admin: Any) -> Any:
    """Make an API key with this role."""

    def make(role: dict[str, Any]) -> dict[str, str]:
        body = codec.encode({"name": "test", "role_descriptors": {"test": role}})
        made: dict[str, str] = admin.request("POST", "/_security/api_key", body)
        return made

    return make


def documented_role() -> dict[str, Any]:
    """Return the role for Elasticsearch from the page on security."""
    page = (ROOT / "docs" / "security.md").read_text()
    (example,) = re.findall(r"^```json\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    role: dict[str, Any] = json.loads(example)
    return role


def test_a_server_without_security_answers(tested: Any, search_url: str) -> None:
    """The message has its name and version; no user is needed."""
    works, message = tested(host=search_url)
    assert works, message
    assert re.match(
        rf"(OpenSearch 3\.8\.0|Elasticsearch) answers at {search_url}, and this user may read", message
    )


@pytest.mark.slow
@pytest.mark.parametrize(("named", "asked"), [("elasticsearch", "opensearch"), ("opensearch", "elasticsearch")])
def test_the_wrong_engine_is_reported(tested: Any, named: str, asked: str, request: pytest.FixtureRequest) -> None:
    """With the right one."""
    works, message = tested(host=request.getfixturevalue(asked), extra={"engine": named})
    assert not works
    assert re.search(rf"but the connection.s engine is {named}: set the engine to {asked}", message)


def test_signed_requests_are_answered(tested: Any, opensearch: str) -> None:
    """A server that does not check signatures ignores these headers."""
    works, message = tested(host=opensearch, extra=SIGNED)
    assert works, message


def test_an_unreachable_server_is_reported(tested: Any) -> None:
    """The message has the address, and the settings to check."""
    for engine in ("elasticsearch", "opensearch", None):
        works, message = tested(host="127.0.0.1", port=9, extra={"engine": engine}, password="a-password")
        assert not works
        assert re.match(r"The search server http://127\.0\.0\.1:9 cannot be reached .* Check host, port", message)


def test_a_server_without_tls_is_reported(tested: Any, opensearch: str, elasticsearch: str) -> None:
    """A server without TLS, requested by https: the message is not about its certificate."""
    for host, engine in ((opensearch, "opensearch"), (elasticsearch, "elasticsearch")):
        works, message = tested(host=host.replace("http:", "https:"), extra={"engine": engine})
        assert not works
        assert "does not use TLS on this port" in message


@pytest.fixture
def web_page(tmp_path: Path) -> Iterator[str]:
    """Return the URL of a web server that is not a search server."""
    (tmp_path / "index.html").write_text("<h1>Kibana</h1>")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("engine", ["elasticsearch", "opensearch", None])
def test_another_kind_of_server_is_reported(tested: Any, web_page: str, engine: str | None) -> None:
    """For example, Kibana's address."""
    works, message = tested(host=web_page, extra={"engine": engine})
    assert not works
    assert "is not a search server: set the connection's host to Elasticsearch or OpenSearch itself" in message
    works, message = tested(host=f"{web_page}/elsewhere", extra={"engine": engine})
    assert not works


def test_a_user_is_authenticated(tested: Any, secured_elasticsearch: str) -> None:
    """By name and password, in the fields; not with another password, and not without one."""
    login = {"host": secured_elasticsearch, "login": "admin"}
    works, message = tested(**login, password=PASSWORDS["admin"])
    assert works, message
    assert message == f"Elasticsearch answers at {secured_elasticsearch}, and this user may load."
    for wrong in ({"password": "another-password"}, {"password": None, "login": None}):
        works, message = tested(**login | wrong)
        assert not works
        assert "does not know the connection's user" in message
        assert "Check login and password, or api_key" in message


def test_an_api_key_is_authenticated(tested: Any, key: Any, secured_elasticsearch: str) -> None:
    """Encoded, as id:key, and as a pair; an invalid key is rejected."""
    made = key(documented_role())
    pair = [made["id"], made["api_key"]]
    for given in (made["encoded"], ":".join(pair)):
        works, message = tested(host=secured_elasticsearch, extra={"api_key": given})
        assert works, message
        assert message.endswith("this user may load.")
    assert tested(host=secured_elasticsearch, extra={"api_key": f"{pair[0]}:wrong-wrong-wrong"})[0] is False
    works, message = tested(host=secured_elasticsearch, extra={"api_key": "none-at-all"})
    assert not works
    assert "does not know the connection's user" in message


def test_missing_permissions_are_named(tested: Any, key: Any, secured_elasticsearch: str) -> None:
    """One by one: on the cluster, on the loader's own indices, and on the events' index."""

    def test_role(role: dict[str, Any]) -> Any:
        return tested(
            host=secured_elasticsearch, extra={"api_key": key(role)["encoded"], "engine": "elasticsearch"}
        )

    role = documented_role()
    works, message = test_role({"cluster": ["monitor"], "indices": []})
    assert not works
    assert "lacks manage_index_templates on the cluster; create_index, index, maintenance, read, view" in message
    works, message = test_role({"cluster": role["cluster"], "indices": role["indices"][:1]})
    assert not works
    assert re.search(
        "user lacks delete on cloudtrail-quarantine. Add these privileges to the user's role or to the API key",
        message,
    )
    own = [{"names": ["cloudtrail-[a-z]*", "cloudtrail-?o*", "cloudtrail-?u*"], "privileges": ["all"]}]
    works, message = test_role({"cluster": role["cluster"], "indices": own})
    assert works
    assert re.search(r"may load, but not into cloudtrail-\d{4}\.\d\d, the default index", message)


@pytest.mark.promise("closed")
def test_no_role_may_change_aliases() -> None:
    """With that permission, Elasticsearch also deletes an index (``remove_index``)."""
    for privileges in (each["privileges"] for each in documented_role()["indices"]):
        assert not any("aliases" in name for name in privileges)
    assert "indices:admin/aliases" not in (ROOT / "docker-compose.yaml").read_text()


@pytest.mark.promise("closed")
def test_the_documented_role_is_sufficient(admin: Any, key: Any, secured_elasticsearch: str) -> None:
    """It creates the templates, loads an event and an unreadable line, adds fields to an index, and replays."""
    settings = SearchSettings.from_url(secured_elasticsearch, api_key=key(documented_role())["encoded"])
    pattern = IndexPattern("cloudtrail-role-%Y.%m")
    old = {"mappings": {"_meta": {"managed_by": MANAGED_BY, "strategy": "typed"}, "dynamic": False}}
    admin.request("PUT", "/cloudtrail-role-2026.11", codec.encode(old))
    loader = Loader(connect(settings, "elasticsearch"), pattern, build_schema("typed", load_rules()))
    loader.prepare()
    report = loader.load([json.dumps(EVENT).encode(), b"not an event"])
    assert (report.read, report.indexed, report.quarantined) == (2, 1, 1)
    assert loader.count([str(EVENT["eventID"])]) == 1
    assert loader.replay().quarantined == 1
    found = admin.request("GET", "/cloudtrail-role-2026.11/_mapping")["cloudtrail-role-2026.11"]["mappings"]
    assert "eventName" in found["properties"]
