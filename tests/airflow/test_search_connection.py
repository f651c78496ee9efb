"""The settings that result from a search connection's fields, without a server."""

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
from cloudtrail_elasticsearch.sinks.answers import make_rejection
from cloudtrail_elasticsearch.sinks.connection import ENGINES, Extra, SearchConnection, read_extra
from devstack.processes import ROOT

SECRET = "do-not-tell-me"
CLOUD_ID = "name:" + base64.b64encode(b"eu-west-1.aws.found.io$abc123$def456").decode()
AIRFLOWS_OWN = {"http_scheme", "use_ssl"}
"""What the extra of Airflow's own types of connection has, and ours needs not."""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the hook of a connection with these fields."""

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
    """A name, a URL with or without scheme and port, a cloud id, and Airflow's own connection types."""
    extra = fields.get("extra", {})
    engine = {} if "conn_type" in fields or extra else {"engine": "opensearch"}
    assert hook(**fields | {"extra": engine | extra}).get_conn().name == address


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "has no host: enter the server's name or URL, or a cloud_id"),
        ({"host": "https://search:1", "port": 2}, "has port 1 in its host, but 2 as its port: remove one"),
        ({"host": "https://search", "schema": "http"}, "has a URL as its host, and another scheme"),
        ({"host": "https://[search", "port": 1}, "has a host that is not a name or URL like https://"),
        ({"extra": {"cloud_id": "name:none"}}, "has a cloud_id that cannot be decoded: copy all of it"),
        ({"extra": {"cloud_id": "name:Zm9v"}}, "has a cloud_id that cannot be decoded: copy all of it"),
        ({"host": "search", "extra": {"cloud_id": CLOUD_ID}}, "has a host and a cloud_id.*: remove one"),
        ({"extra": {"cloud_id": CLOUD_ID, "engine": "opensearch"}}, "has a cloud_id.*but engine opensearch"),
        ({"host": "search", "extra": {"engine": "solr"}}, "has engine 'solr': choose elasticsearch or opensearch"),
        ({"host": "search", "extra": {"timeout": "long"}}, r"invalid value in its extra: .*float.*\$\.timeout"),
        ({"host": "search", "extra": {"timeout": 0}}, r"invalid value in its extra: .*> 0.*\$\.timeout"),
        ({"host": "search", "extra": {"timeout": "inf"}}, r"invalid value in its extra: .*<= 86400.*\$\.timeout"),
        (
            {"host": "search", "extra": {"verify_certs": "perhaps"}},
            r"invalid value .*bool.*\$\.verify_certs",
        ),
        ({"host": "search", "extra": {"api_key": f"{SECRET} {SECRET}"}}, "has an api_key that is not valid"),
        ({"host": "search", "extra": {"api_key": {"key": SECRET}}}, r"invalid value in its extra: .*\$\.api_key"),
        ({"host": "search", "extra": {"region_name": "eu-west-1"}}, "has a region_name but no aws_conn_id"),
        (
            {"host": "search", "extra": {"aws_conn_id": "aws", "engine": "elasticsearch"}},
            "has an aws_conn_id.*but engine elasticsearch",
        ),
        ({"host": "search", "extra": {"aws_conn_id": "aws", "api_key": SECRET}}, "an aws_conn_id and an api_key"),
    ],
)
def test_an_error_names_the_wrong_field_of_a_connection(hook: Any, fields: dict[str, Any], said: str) -> None:
    """With the connection's name and the remedy, before any request. It contains no secret."""
    made = hook(**fields | {"password": SECRET, "login": "ada"})
    with pytest.raises(ConfigurationError, match=rf"^The connection search .*{said}") as told:
        made.get_conn()
    tested, message = made.test_connection()
    assert not tested
    assert message == str(told.value).replace("The connection search", "This connection")
    assert SECRET not in message


@pytest.mark.parametrize("host", ["[search", "a search"])
def test_an_invalid_url_is_reported(hook: Any, host: str) -> None:
    """The error quotes no part of it, since it can contain a password."""
    with pytest.raises(ConfigurationError, match="is not a URL like") as told:
        hook(host=f"https://ada:{SECRET}@{host}").get_conn()
    assert SECRET not in str(told.value)


def test_a_missing_ca_file_is_reported(hook: Any, tmp_path: Path) -> None:
    """With its path, because each node needs the file."""
    missing = tmp_path / "ca.pem"
    with pytest.raises(ConfigurationError, match=f"file {missing} is not on this machine"):
        hook(host="search", extra={"ca_certs": str(missing)}).get_conn()


@pytest.mark.parametrize("content", ["", f"root:{SECRET}:0\n", f"-----BEGIN CERTIFICATE-----\n{SECRET}\n"])
def test_a_file_that_is_not_a_ca_bundle_is_reported(hook: Any, tmp_path: Path, content: str) -> None:
    """With its path but not its contents, before any request."""
    file = tmp_path / "ca.pem"
    file.write_text(content)
    with pytest.raises(
        ConfigurationError, match=f"file {file} cannot be used .* must name a file of cert"
    ) as told:
        hook(host="search", extra={"ca_certs": str(file)}).get_conn()
    assert SECRET not in str(told.value)


def test_an_api_key_is_for_elasticsearch_only(hook: Any) -> None:
    """OpenSearch does not get it."""
    with pytest.raises(ConfigurationError, match="is OpenSearch, which does not support these API keys") as told:
        hook(host="search", extra={"engine": "opensearch", "api_key": SECRET}).get_conn()
    assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    ("credentials", "said"),
    [
        ({}, "which has no credentials"),
        ({"login": "key", "password": SECRET}, "which has no region: set region_name"),
    ],
)
def test_missing_settings_for_signing_are_reported(
    hook: Any, credentials: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The AWS connection's credentials, or the region."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AIRFLOW_CONN_AWS", json.dumps({"conn_type": "aws"} | credentials))
    tested, message = hook(host="search", extra={"aws_conn_id": "aws"}).test_connection()
    assert not tested
    assert re.search(f"^This connection signs requests with aws, {said}", message)


@pytest.mark.parametrize("given", ["id:key", ["id", "key"], "aWQ6a2V5", " aWQ6a2V5\n"])
def test_an_api_key_is_accepted_in_each_form(hook: Any, given: Any) -> None:
    """Encoded, as id and key with a colon, or as a pair."""
    made = hook(host="search", extra={"engine": "elasticsearch", "api_key": given})
    assert made.get_conn()._headers["authorization"] == "ApiKey aWQ6a2V5"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_login_is_sent_as_utf_8(hook: Any, engine: str) -> None:
    """Both servers read it so. It comes from the fields or from the URL, which is percent-encoded."""
    expected = "Basic " + base64.b64encode("ada:€/@".encode()).decode()
    fields = {"host": "search", "login": "ada", "password": "€/@"}
    for given in (fields, {"host": "http://ada:%E2%82%AC%2F%40@search"}):
        server = hook(**given, extra={"engine": engine}).get_conn()
        sent = server._headers if engine == "elasticsearch" else server._client.transport.get_connection().headers
        assert sent["authorization"] == expected


def test_an_extra_of_texts_is_read() -> None:
    """A connection given as a URI has only texts. An empty field of the form counts as not set."""
    said = {"verify_certs": "false", "timeout": "5", "compress": "True", "api_key": "", "cloud_id": None}
    assert read_extra("x", said) == Extra(verify_certs=False, timeout=5, compress=True)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("verify_cert", "verify_certs"),
        ("ca_cert", "ca_certs"),
        ("apikey", "api_key"),
        ("api-key", "api_key"),
        ("timeouts", "timeout"),
        ("usessl", "use_ssl"),
        ("http_schema", "http_scheme"),
    ],
)
@pytest.mark.parametrize("kind", ["cloudtrail_search", *ENGINES, "http"])
def test_an_error_names_a_misspelt_field(hook: Any, kind: str, given: str, meant: str) -> None:
    """With the right name, and never with its value."""
    with pytest.raises(
        ConfigurationError, match=f"search has '{given}' in its extra.* Did you mean {meant}"
    ) as told:
        hook(conn_type=kind, host="search", extra={given: SECRET}).get_conn()
    assert SECRET not in str(told.value)


def test_our_own_connection_type_accepts_only_our_fields(hook: Any) -> None:
    """An unknown field is rejected. If no field is similar, the error lists the valid ones."""
    with pytest.raises(
        ConfigurationError, match=r"'xyzzy' in its extra.* The fields are engine, cloud_id, api_key"
    ):
        hook(host="search", extra={"xyzzy": SECRET}).get_conn()
    with pytest.raises(ConfigurationError, match="Did you mean region_name"):
        hook(host="search", extra={"region": "eu-west-1"}).get_conn()


CLIENTS_OWN = """
    http_compress request_timeout client_cert client_key ssl_show_warn ssl_version ssl_assert_hostname
    ssl_assert_fingerprint max_retries retry_on_timeout bearer_auth basic_auth http_auth headers url_prefix
    fetch_size field_multi_value_leniency opaque_id node_class pool_maxsize connection_class
"""


@pytest.mark.parametrize("given", CLIENTS_OWN.split())
@pytest.mark.parametrize("kind", ENGINES)
def test_the_stock_types_keep_their_clients_options(hook: Any, kind: str, given: str) -> None:
    """Airflow's own hooks pass the extra on to the client, so both can use one connection."""
    assert hook(conn_type=kind, host="search", extra={given: "x"}).get_conn().name == "http://search:9200"


@pytest.mark.promise("closed")
def test_no_repr_has_a_secret(hook: Any) -> None:
    """Neither of the settings, the fields, the extra, the server, nor the hook."""
    extra = read_extra("x", {"api_key": SECRET, "engine": "elasticsearch"})
    fields = {"host": f"https://ada:{SECRET}@search", "login": "ada", "password": SECRET}
    connection = SearchConnection(name="x", kind="cloudtrail_search", port=1, scheme=None, extra=extra, **fields)
    made = hook(**fields, extra={"engine": "elasticsearch", "api_key": SECRET})
    server = made.get_conn()
    for each in (extra, connection, connection.settings({}), server, server._client, made):
        assert SECRET not in repr(each) + str(each)


@pytest.mark.parametrize("field", ["message", "Message", "error"])
def test_a_quoted_request_is_not_repeated_in_an_error(field: str) -> None:
    """If a signature is wrong, Amazon's answer has the signed request with the session token."""
    body = {field: f"The signature does not match.\n\nThe Canonical String should have been\n'x:{SECRET}'"}
    said = str(make_rejection("https://search", "GET /", 403, body))
    assert "signature does not match" in said
    assert SECRET not in said


def test_the_form_has_the_fields_that_the_hook_reads() -> None:
    """With the same names, choices and defaults."""
    assert set(FIELDS) == set(Extra.__struct_fields__) - AIRFLOWS_OWN
    defaults = dict(zip(Extra.__struct_fields__, Extra.__struct_defaults__, strict=True))
    for name, field in FIELDS.items():
        if "default" in field["schema"]:
            assert field["schema"]["default"] == defaults[name]
    assert FIELDS["engine"]["schema"]["enum"] == list(ENGINES)
    assert FIELDS["aws_service"]["schema"]["enum"] == list(get_args(get_type_hints(Extra)["aws_service"]))


def test_the_guide_describes_every_field_of_the_form() -> None:
    """In its table."""
    guide = (ROOT / "docs" / "getting-started.md").read_text()
    rows = "".join(line.split("|")[1] for line in guide.splitlines() if line.lstrip().startswith("| `"))
    assert set(re.findall(r"`(\w+)`", rows)) >= set(FIELDS)
