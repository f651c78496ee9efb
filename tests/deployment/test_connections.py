"""The hook can open the connections in the compose file and in the guide."""

import re
from pathlib import Path
from typing import Any

import certifi
import pytest
import yaml

from cloudtrail_elasticsearch.hooks.search import SearchHook
from cloudtrail_elasticsearch.sinks.opensearch import OpenSearchServer
from devstack.compose.reading import ROOT, load, required_variables

NAME = "AIRFLOW_CONN_ELASTICSEARCH_DEFAULT"
VALUES = {name: f"value-of-{name.lower()}" for name in required_variables()}


def guide_override() -> dict[str, Any]:
    """The override file in the guide for Amazon OpenSearch Service."""
    guide = (ROOT / "docs" / "deployment.md").read_text()
    example = re.search(r"^```yaml\n(.*?)^```", guide, flags=re.MULTILINE | re.DOTALL)
    assert example is not None
    override: dict[str, Any] = yaml.safe_load(example[1])
    return override


def open_connection(text: str, monkeypatch: pytest.MonkeyPatch) -> OpenSearchServer:
    monkeypatch.setenv(NAME, text)
    server = SearchHook().get_conn()
    assert isinstance(server, OpenSearchServer)
    return server


def test_the_compose_connection_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook reads the compose file's connection as its OpenSearch, over TLS."""
    text = load(VALUES)["services"]["airflow-worker"]["environment"][NAME]
    here = text.replace("/opt/airflow/search-ca/ca.pem", certifi.where())
    assert here != text
    assert open_connection(here, monkeypatch).name == "https://opensearch:9200"


def test_the_guides_connection_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook reads the guide's connection as Amazon's service, signed with an AWS connection."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", '{"conn_type": "aws", "login": "key", "password": "secret"}')
    text = guide_override()["services"]["airflow-worker"]["environment"][NAME]
    server = open_connection(text, monkeypatch)
    assert server.name == "https://search-cloudtrail-abc123.eu-west-1.es.amazonaws.com:443"


def test_the_guides_override_disables_the_local_search_server() -> None:
    """It disables every service of the local search server and no other."""
    override = guide_override()["services"]
    aside = {name for name, service in override.items() if "profiles" in service}
    assert aside == {name for name in load(VALUES)["services"] if name.startswith("opensearch")}


def test_every_link_in_the_guide_works() -> None:
    """Its relative links name files of the repository."""
    guide = ROOT / "docs" / "deployment.md"
    targets = re.findall(r"\]\(([^)#:]+)\)", guide.read_text())
    assert targets
    assert [target for target in targets if not Path(guide.parent, target).exists()] == []
