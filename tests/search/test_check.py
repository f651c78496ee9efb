"""The test of a search connection, on real servers: which server it is, and what its user may do."""

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

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.load import Loader
from cloudtrail_elasticsearch.core.mapping import MANAGED_BY, IndexPattern
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.shape import build
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
    """Test a connection of these fields; no secret of it is in what is said or logged."""
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
    """The role for Elasticsearch that the page on security gives."""
    page = (ROOT / "docs" / "security.md").read_text()
    (example,) = re.findall(r"^```json\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    role: dict[str, Any] = json.loads(example)
    return role


def test_a_server_without_security_answers(tested: Any, search_url: str) -> None:
    """It is named, with the version that it tells; nobody has to be known to it."""
    works, message = tested(host=search_url)
    assert works, message
    assert re.match(
        rf"(OpenSearch 3\.8\.0|Elasticsearch) answers at {search_url}, and lets this user read", message
    )


@pytest.mark.parametrize(("named", "asked"), [("elasticsearch", "opensearch"), ("opensearch", "elasticsearch")])
def test_the_wrong_engine_is_said(tested: Any, named: str, asked: str, request: pytest.FixtureRequest) -> None:
    """With the right one."""
    works, message = tested(host=request.getfixturevalue(asked), extra={"engine": named})
    assert not works
    assert re.search(rf"and the connection says {named}: choose {asked} as its engine", message)


def test_signed_requests_are_answered(tested: Any, opensearch: str) -> None:
    """A server that does not check signatures takes them for what they are: headers."""
    works, message = tested(host=opensearch, extra=SIGNED)
    assert works, message


def test_nothing_answers(tested: Any) -> None:
    """The address is said, and what to check."""
    for engine in ("elasticsearch", "opensearch", None):
        works, message = tested(host="127.0.0.1", port=9, extra={"engine": engine}, password="a-password")
        assert not works
        assert re.match(
            r"The search server http://127\.0\.0\.1:9 cannot be reached .* Check the host and port", message
        )


def test_no_tls_is_said(tested: Any, opensearch: str, elasticsearch: str) -> None:
    """A server without TLS, asked by https: it is not its certificate that is wrong."""
    for host, engine in ((opensearch, "opensearch"), (elasticsearch, "elasticsearch")):
        works, message = tested(host=host.replace("http:", "https:"), extra={"engine": engine})
        assert not works
        assert "does not speak TLS" in message


@pytest.fixture
def web_page(tmp_path: Path) -> Iterator[str]:
    """The URL of a web server that is no search server."""
    (tmp_path / "index.html").write_text("<h1>Kibana</h1>")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("engine", ["elasticsearch", "opensearch", None])
def test_what_is_no_search_server_is_said(tested: Any, web_page: str, engine: str | None) -> None:
    """As where Kibana's address was given."""
    works, message = tested(host=web_page, extra={"engine": engine})
    assert not works
    assert "is no search server. Give the connection the address of Elasticsearch or OpenSearch itself" in message
    works, message = tested(host=f"{web_page}/elsewhere", extra={"engine": engine})
    assert not works


def test_a_user_is_let_in(tested: Any, secured_elasticsearch: str) -> None:
    """By name and password, in the fields; and not with another password, nor without."""
    login = {"host": secured_elasticsearch, "login": "admin"}
    works, message = tested(**login, password=PASSWORDS["admin"])
    assert works, message
    assert message == f"Elasticsearch answers at {secured_elasticsearch}, and this user may load."
    for wrong in ({"password": "another-password"}, {"password": None, "login": None}):
        works, message = tested(**login | wrong)
        assert not works
        assert "does not know the connection's user" in message
        assert "Check its login and password, or its api_key" in message


def test_a_key_is_let_in(tested: Any, key: Any, secured_elasticsearch: str) -> None:
    """Encoded, as id:key, and as a pair; and not a key that is none."""
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


def test_missing_rights_are_named(tested: Any, key: Any, secured_elasticsearch: str) -> None:
    """One by one: on the cluster, on the loader's own indices, and on the events' index, which may be another."""

    def told(role: dict[str, Any]) -> Any:
        return tested(
            host=secured_elasticsearch, extra={"api_key": key(role)["encoded"], "engine": "elasticsearch"}
        )

    role = documented_role()
    works, message = told({"cluster": ["monitor"], "indices": []})
    assert not works
    assert "lacks manage_index_templates on the cluster; create_index, index, maintenance, read, view" in message
    works, message = told({"cluster": role["cluster"], "indices": role["indices"][:1]})
    assert not works
    assert re.search(
        "user lacks delete on cloudtrail-quarantine. Give these to its role, or to the API key", message
    )
    own = [{"names": ["cloudtrail-[a-z]*", "cloudtrail-?o*", "cloudtrail-?u*"], "privileges": ["all"]}]
    works, message = told({"cluster": role["cluster"], "indices": own})
    assert works
    assert re.search(r"may load, but not into cloudtrail-\d{4}\.\d\d, where events go unless", message)


def test_the_documented_role_loads(admin: Any, key: Any, secured_elasticsearch: str) -> None:
    """It makes the templates, loads an event and a broken line, adds fields to an index, and replays."""
    settings = SearchSettings.from_url(secured_elasticsearch, api_key=key(documented_role())["encoded"])
    pattern = IndexPattern("cloudtrail-role-%Y.%m")
    old = {"mappings": {"_meta": {"managed_by": MANAGED_BY, "strategy": "typed"}, "dynamic": False}}
    admin.request("PUT", "/cloudtrail-role-2026.11", codec.encode(old))
    loader = Loader(connect(settings, "elasticsearch"), pattern, build("typed", load_rules()))
    loader.prepare()
    report = loader.load([json.dumps(EVENT).encode(), b"not an event"])
    assert (report.read, report.indexed, report.quarantined) == (2, 1, 1)
    assert loader.count([str(EVENT["eventID"])]) == 1
    assert loader.replay().quarantined == 1
    found = admin.request("GET", "/cloudtrail-role-2026.11/_mapping")["cloudtrail-role-2026.11"]["mappings"]
    assert "eventName" in found["properties"]
