"""Test a search connection against the compose file's OpenSearch: certificates, users and their permissions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudtrail_elasticsearch.hooks.search import SearchHook

from .secured_opensearch import SECRETS, SecuredServer, missing_tool

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_tool() is not None, reason=str(missing_tool())),
    pytest.mark.xdist_group("secured-opensearch"),
]

LOADER = {"login": "cloudtrail_loader", "password": SECRETS["OPENSEARCH_LOADER_PASSWORD"]}


@pytest.fixture
def tested(server: SecuredServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Any:
    """Test a connection to the server. Neither the answer nor the log contains its password."""

    def test(**fields: Any) -> tuple[bool, str]:
        extra = {"ca_certs": server.ca_certs} | fields.pop("extra", {})
        connection = {"conn_type": "cloudtrail_search", "host": server.url} | fields
        monkeypatch.setenv("AIRFLOW_CONN_SEARCH", json.dumps(connection | {"extra": extra}))
        with caplog.at_level("DEBUG"):
            works, message = SearchHook("search").test_connection()
        assert not fields.get("password") or fields["password"] not in message + caplog.text
        return works, message

    return test


@pytest.mark.parametrize("engine", ["opensearch", None])
def test_the_loaders_user_is_accepted(tested: Any, server: SecuredServer, engine: str | None) -> None:
    """The answer has the server's name and version."""
    works, message = tested(**LOADER, extra={"engine": engine})
    assert works, message
    assert message.startswith(f"OpenSearch 2.19.4 answers at {server.url}, and this user may read")


@pytest.mark.parametrize("engine", ["elasticsearch", "opensearch", None])
def test_an_untrusted_certificate_is_reported(tested: Any, engine: str | None) -> None:
    """If its authority is unknown. Without verification it is not checked."""
    works, message = tested(**LOADER, extra={"engine": engine, "ca_certs": None})
    assert not works
    assert "is not trusted" in message
    assert "Set the connection's ca_certs to the path of the CA's certificate" in message
    works, message = tested(**LOADER, extra={"engine": engine, "ca_certs": None, "verify_certs": False})
    assert works is (engine != "elasticsearch"), message


@pytest.mark.parametrize("engine", ["opensearch", None])
def test_a_wrong_password_is_reported(tested: Any, engine: str | None) -> None:
    """With the place to correct it."""
    works, message = tested(login="cloudtrail_loader", password="a-wrong-password", extra={"engine": engine})
    assert not works
    assert "does not know the connection's user (it answered 401 to GET /). Check login and password" in message


def test_a_missing_permission_is_reported(tested: Any) -> None:
    """In the server's words, which name it."""
    dashboards = {"login": "kibanaserver", "password": SECRETS["OPENSEARCH_DASHBOARDS_PASSWORD"]}
    works, message = tested(**dashboards, extra={"engine": "opensearch"})
    assert not works
    assert "answered 403 to GET /_component_template/" in message
    assert "no permissions for [cluster:admin/component_template/get" in message


def test_http_instead_of_https_is_reported(tested: Any, server: SecuredServer) -> None:
    """A server with TLS closes the connection of a client without."""
    works, message = tested(**LOADER, host=server.url.replace("https:", "http:"), extra={"engine": "opensearch"})
    assert not works
    assert "Check host, port, http or https, and that the server is running" in message
