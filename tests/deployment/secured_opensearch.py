"""A real OpenSearch with its security plugin, set up from docker-compose.yaml's own configuration.

The plugin is published for 2.19 only, and its configuration files are the same for 3.
"""

import os
import shutil
import ssl
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from jgo.maven import MavenContext

from devstack.airflow import free_port
from devstack.compose.reading import load, required_variables
from devstack.java import java_home
from devstack.search_server import OPENSEARCH_2, fetch
from devstack.search_server.configuration import adapt_java_options, unprivileged

CONFIG = PurePosixPath("/usr/share/opensearch/config")
SECRETS = {name: f"{name.title().replace('_', '')}0123456789" for name in required_variables()}
START_SECONDS = 300


@dataclass(frozen=True)
class SecuredServer:
    """A running server: its address, and the certificate of its authority."""

    url: str
    ca_certs: str


def missing_tool() -> str | None:
    """Return the name of a missing program: openssl makes the certificates."""
    return "openssl is not installed" if shutil.which("openssl") is None else None


def _install(folder: Path) -> Path:
    home = folder / OPENSEARCH_2.folder
    shutil.copytree(fetch(OPENSEARCH_2), home)
    release = MavenContext().project("org.opensearch.plugin", "opensearch-security")
    archive = release.at_version(f"{OPENSEARCH_2.version}.0").artifact(packaging="zip").resolve()
    plugin = home / "plugins" / "opensearch-security"
    with zipfile.ZipFile(archive) as content:
        content.extractall(plugin)
    shutil.copytree(plugin / "config", home / "config" / "opensearch-security")
    adapt_java_options(home / "config" / "jvm.options")
    return home


def _configure(home: Path, project: dict[str, Any]) -> None:
    for config in project["services"]["opensearch"]["configs"]:
        target = home / "config" / PurePosixPath(config["target"]).relative_to(CONFIG)
        target.write_text(project["configs"][config["source"]]["content"])


def _make_certificates(home: Path, project: dict[str, Any]) -> Path:
    tls, ca = home / "config" / "tls", home / "ca"
    tls.mkdir()
    ca.mkdir()
    script = project["services"]["opensearch-certificates"]["command"][0]
    script = script.replace("/tls/", f"{tls}/").replace("/ca/", f"{ca}/")
    script = script.replace("--owner 1000 --group 1000", "")
    subprocess.run(["bash", "-euc", script], check=True, capture_output=True)
    return ca / "ca.pem"


def _start(home: Path, port: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    settings = {
        "http.port": port,
        "transport.port": free_port(0),
        "network.host": "127.0.0.1",
        "bootstrap.memory_lock": "false",
    }
    with (home / "output.txt").open("wb") as output:
        return subprocess.Popen(
            [
                *unprivileged(),
                home / "bin" / "opensearch",
                *(f"-E{name}={value}" for name, value in settings.items()),
            ],
            env={
                "PATH": os.environ["PATH"],
                "OPENSEARCH_JAVA_HOME": str(java_home(OPENSEARCH_2.java)),
                "OPENSEARCH_JAVA_OPTS": "-Xms512m -Xmx512m",
                **environment,
            },
            cwd=home,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _wait(process: subprocess.Popen[bytes], health: str, trusted: ssl.SSLContext, output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(health, context=trusted, timeout=10):
                return
        except (HTTPError, URLError, OSError):
            time.sleep(0.5)
    raise RuntimeError(f"OpenSearch did not become healthy: {output.read_text()[-2000:]}")


@contextmanager
def secured_opensearch() -> Iterator[SecuredServer]:
    """Run the server until the block ends. It is healthy by the compose file's own health check."""
    project = load(SECRETS)
    service = project["services"]["opensearch"]
    passwords = {name: value for name, value in service["environment"].items() if name.endswith("PASSWORD")}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        home = _install(Path(folder))
        _configure(home, project)
        ca_certs = _make_certificates(home, project)
        port = free_port(0)
        process = _start(home, port, passwords)
        try:
            health = service["healthcheck"]["test"][-1].replace(":9200", f":{port}")
            trusted = ssl.create_default_context(cafile=str(ca_certs))
            _wait(process, health, trusted, home / "output.txt")
            yield SecuredServer(f"https://localhost:{port}", str(ca_certs))
        finally:
            process.terminate()
            process.wait(60)
