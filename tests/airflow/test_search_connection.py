"""What a search connection's fields come to, before any server is asked."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from cloudtrail_elasticsearch.core.errors import ConfigurationError
from cloudtrail_elasticsearch.get_provider_info import FIELDS
from cloudtrail_elasticsearch.hooks.search import SearchHook
from cloudtrail_elasticsearch.sinks.answers import refusal
from cloudtrail_elasticsearch.sinks.connection import ENGINES, Extra, SearchConnection, read_extra
from devstack.processes import ROOT

SECRET = "do-not-tell-me"
CLOUD_ID = "name:" + base64.b64encode(b"eu-west-1.aws.found.io$abc123$def456").decode()
AIRFLOWS_OWN = {"http_scheme", "use_ssl"}
"""What the extra of Airflow's own types of connection has, and ours needs not."""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make the hook of a connection with these fields."""

    def make(**fields: Any) -> SearchHook:
        connection = {"conn_type": "cloudtrail_search"} | fields
        monkeypatch.setenv("AIRFLOW_CONN_SEARCH", json.dumps(connection))
        return SearchHook("search")

    return make


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"host": "search"}, "http://search:9200"),
        ({"host": "search", "schema": "https"}, "https://search:443"),
        ({"host": "search", "port": 9243, "schema": "https"}, "https://search:9243"),
        ({"host": "search:9243"}, "http://search:9243"),
        ({"host": "https://search"}, "https://search:443"),
        ({"host": "https://search", "port": 9243}, "https://search:9243"),
        ({"host": "https://search:9243", "port": 9243, "schema": "https"}, "https://search:9243"),
        ({"host": " https://search:9243/path/ "}, "https://search:9243/path"),
        ({"host": "https://[::1]:9243"}, "https://[::1]:9243"),
        ({"host": f"https://ada:{SECRET}@search:9243"}, "https://search:9243"),
        ({"extra": {"cloud_id": CLOUD_ID}}, "https://abc123.eu-west-1.aws.found.io:443"),
        ({"port": 443, "extra": {"cloud_id": CLOUD_ID}}, "https://abc123.eu-west-1.aws.found.io:443"),
        ({"conn_type": "elasticsearch", "host": "search", "port": 9200}, "http://search:9200"),
        (
            {"conn_type": "elasticsearch", "host": "search", "extra": {"http_scheme": "https"}},
            "https://search:443",
        ),
        ({"conn_type": "opensearch", "host": "search", "extra": {"use_ssl": True}}, "https://search:443"),
        ({"conn_type": "opensearch", "host": "http://search", "schema": "https"}, "http://search:9200"),
    ],
)
def test_the_address_is_read(hook: Any, fields: dict[str, Any], address: str) -> None:
    """A name, a URL with or without scheme and port, a cloud id; and Airflow's own types of connection."""
    extra = fields.get("extra", {})
    engine = {} if "conn_type" in fields or extra else {"engine": "opensearch"}
    assert hook(**fields | {"extra": engine | extra}).get_conn().name == address


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "has no host: give the server's name or URL, or a cloud_id"),
        ({"host": "https://search:1", "port": 2}, "has port 1 in its host and port 2 beside it: remove one"),
        ({"host": "https://search", "schema": "http"}, "has a URL as its host, and another scheme"),
        ({"host": "https://[search", "port": 1}, "has a host that is not a name or URL like https://"),
        ({"extra": {"cloud_id": "name:none"}}, "has a cloud_id that cannot be decoded: copy it whole"),
        ({"extra": {"cloud_id": "name:Zm9v"}}, "has a cloud_id that cannot be decoded: copy it whole"),
        ({"host": "search", "extra": {"cloud_id": CLOUD_ID}}, "has a host and a cloud_id.*: remove one"),
        ({"extra": {"cloud_id": CLOUD_ID, "engine": "opensearch"}}, "has a cloud_id.*but engine opensearch"),
        ({"host": "search", "extra": {"engine": "solr"}}, "has engine 'solr': it is elasticsearch or opensearch"),
        ({"host": "search", "extra": {"timeout": "long"}}, r"cannot be used: .*float.*\$\.timeout"),
        ({"host": "search", "extra": {"timeout": 0}}, r"cannot be used: .*> 0.*\$\.timeout"),
        ({"host": "search", "extra": {"verify_certs": "perhaps"}}, r"cannot be used: .*bool.*\$\.verify_certs"),
        ({"host": "search", "extra": {"api_key": f"{SECRET} {SECRET}"}}, "has an api_key that is none"),
        ({"host": "search", "extra": {"api_key": {"key": SECRET}}}, r"cannot be used: .*\$\.api_key"),
        ({"host": "search", "extra": {"region_name": "eu-west-1"}}, "has a region_name but no aws_conn_id"),
        (
            {"host": "search", "extra": {"aws_conn_id": "aws", "engine": "elasticsearch"}},
            "has an aws_conn_id.*but engine elasticsearch",
        ),
        ({"host": "search", "extra": {"aws_conn_id": "aws", "api_key": SECRET}}, "an aws_conn_id and an api_key"),
    ],
)
def test_what_is_wrong_is_said(hook: Any, fields: dict[str, Any], said: str) -> None:
    """The connection's name, what is wrong with it and what to do, before any server is asked; no secret."""
    made = hook(**fields | {"password": SECRET, "login": "ada"})
    with pytest.raises(ConfigurationError, match=rf"^The connection search .*{said}") as told:
        made.get_conn()
    tested, message = made.test_connection()
    assert not tested
    assert message == str(told.value).replace("The connection search", "This connection")
    assert SECRET not in message


def test_a_url_that_is_none_is_said(hook: Any) -> None:
    """Nothing of it is quoted: it may hold a password."""
    with pytest.raises(ConfigurationError, match="is not a URL like") as told:
        hook(host=f"https://ada:{SECRET}@[search").get_conn()
    assert SECRET not in str(told.value)


def test_a_missing_authority_is_said(hook: Any, tmp_path: Path) -> None:
    """By the path that was given, since each node needs the file."""
    missing = tmp_path / "ca.pem"
    with pytest.raises(ConfigurationError, match=f"file {missing} is not on this machine"):
        hook(host="search", extra={"ca_certs": str(missing)}).get_conn()


def test_an_api_key_is_elasticsearchs(hook: Any) -> None:
    """OpenSearch is not asked with it."""
    with pytest.raises(ConfigurationError, match="is OpenSearch, which has no such API keys") as told:
        hook(host="search", extra={"engine": "opensearch", "api_key": SECRET}).get_conn()
    assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    ("credentials", "said"),
    [
        ({}, "which gives no credentials"),
        ({"login": "key", "password": SECRET}, "which gives no region: set region_name"),
    ],
)
def test_signing_says_what_it_lacks(
    hook: Any, credentials: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The AWS connection's credentials, or the region."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AIRFLOW_CONN_AWS", json.dumps({"conn_type": "aws"} | credentials))
    tested, message = hook(host="search", extra={"aws_conn_id": "aws"}).test_connection()
    assert not tested
    assert re.search(f"^This connection is to be signed with aws, {said}", message)


@pytest.mark.parametrize("given", ["id:key", ["id", "key"], "aWQ6a2V5", " aWQ6a2V5\n"])
def test_an_api_key_is_taken_in_each_form(hook: Any, given: Any) -> None:
    """Encoded, as id and key with a colon, or as a pair."""
    made = hook(host="search", extra={"engine": "elasticsearch", "api_key": given})
    assert made.get_conn()._headers["authorization"] == "ApiKey aWQ6a2V5"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_login_is_sent_as_utf_8(hook: Any, engine: str) -> None:
    """As both servers read it, from the fields or from the URL, where it is percent-encoded."""
    expected = "Basic " + base64.b64encode("ada:€/@".encode()).decode()
    fields = {"host": "search", "login": "ada", "password": "€/@"}
    for given in (fields, {"host": "http://ada:%E2%82%AC%2F%40@search"}):
        server = hook(**given, extra={"engine": engine}).get_conn()
        sent = server._headers if engine == "elasticsearch" else server._client.transport.get_connection().headers
        assert sent["authorization"] == expected


def test_an_extra_of_texts_is_read() -> None:
    """A connection given as a URI has texts alone; what is empty in a form counts as not said."""
    said = {"verify_certs": "false", "timeout": "5", "compress": "True", "api_key": "", "cloud_id": None}
    assert read_extra("x", said) == Extra(verify_certs=False, timeout=5, compress=True)


def test_no_repr_has_a_secret(hook: Any) -> None:
    """Of the settings, the fields, the extra, the server, the hook."""
    extra = read_extra("x", {"api_key": SECRET, "engine": "elasticsearch"})
    fields = {"host": f"https://ada:{SECRET}@search", "login": "ada", "password": SECRET}
    connection = SearchConnection(name="x", kind="cloudtrail_search", port=1, scheme=None, extra=extra, **fields)
    made = hook(**fields, extra={"engine": "elasticsearch", "api_key": SECRET})
    server = made.get_conn()
    for each in (extra, connection, connection.settings({}), server, server._client, made):
        assert SECRET not in repr(each) + str(each)


@pytest.mark.parametrize("field", ["message", "Message", "error"])
def test_what_amazon_quotes_is_not_told(field: str) -> None:
    """Where a signature is wrong it answers with the request that was signed, the session token included."""
    body = {field: f"The signature does not match.\n\nThe Canonical String should have been\n'x:{SECRET}'"}
    said = str(refusal("https://search", "GET /", 403, body))
    assert "signature does not match" in said
    assert SECRET not in said


def test_the_form_has_what_the_hook_reads() -> None:
    """Under the same names, with the same choices and the same defaults."""
    assert set(FIELDS) == set(Extra.__struct_fields__) - AIRFLOWS_OWN
    defaults = dict(zip(Extra.__struct_fields__, Extra.__struct_defaults__, strict=True))
    for name, field in FIELDS.items():
        if "default" in field["schema"]:
            assert field["schema"]["default"] == defaults[name]
    assert FIELDS["engine"]["schema"]["enum"] == list(ENGINES)
    assert FIELDS["aws_service"]["schema"]["enum"] == list(get_args(get_type_hints(Extra)["aws_service"]))


def test_the_guide_has_the_form() -> None:
    """Each field is described in the guide's table."""
    guide = (ROOT / "docs" / "getting-started.md").read_text()
    rows = "".join(line.split("|")[1] for line in guide.splitlines() if line.lstrip().startswith("| `"))
    assert set(re.findall(r"`(\w+)`", rows)) >= set(FIELDS)
