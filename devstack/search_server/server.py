"""One search server as a child process."""

from __future__ import annotations

import base64
import contextlib
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from devstack.java import java_home
from devstack.processes import Child, folder_or_temporary
from devstack.search_server.configuration import unprivileged, write_configuration
from devstack.search_server.distributions import OPENSEARCH_3, Distribution
from devstack.search_server.fetch import fetch
from devstack.search_server.security import require_users, with_security_index

START_SECONDS: Final = 180


class SearchServer:
    """A single node on 127.0.0.1: a context manager that yields it when it answers.

    :param data: the folder of its indices, configuration and logs; None for a temporary folder
    :param heap: Java's heap, in the notation of ``-Xmx``
    :param java_options: more options for its Java
    :param settings: more settings of the node, such as limits
    :param passwords: of an Elasticsearch's users, by their names; without any it has no security
    """

    def __init__(
        self,
        distribution: Distribution = OPENSEARCH_3,
        data: Path | None = None,
        heap: str = "1g",
        java_options: Sequence[str] = (),
        passwords: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.distribution = distribution
        self._given = data
        self._java_options = [f"-Xms{heap}", f"-Xmx{heap}", "-XX:-UsePerfData", *java_options]
        self._passwords = dict(passwords or {})
        self._settings = dict(settings or {})
        self._port = 0
        self._child: Child | None = None

    def __enter__(self) -> Self:
        self._home = fetch(self.distribution)
        with contextlib.ExitStack() as stack:
            self._folder = stack.enter_context(folder_or_temporary(self._given))
            stack.callback(self.stop)
            if self._passwords:
                self._home = with_security_index(self.distribution, self._home, self._folder)
            self.start()
            self._leave = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.close()

    @property
    def url(self) -> str:
        """The address of the server; the same after a restart."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def process(self) -> Child:
        """The last started process."""
        assert self._child is not None, "the server was not started"
        return self._child

    @property
    def pid(self) -> int:
        """The process id, and the id of the group of all its processes."""
        return self.process.pid

    def start(self) -> None:
        """Start it and wait until it answers.

        :raises ServiceError: it ended, or it does not answer in time; the message quotes its log
        """
        write_configuration(self.distribution, self._home, self._folder, self._port, self._settings)
        if self._passwords:
            require_users(self._folder / "config", self._passwords)
        self._child = Child(
            self.distribution.folder,
            [*unprivileged(), str(self._home / "bin" / self.distribution.engine)],
            self._folder / "server.log",
            self._environment(),
            temporary=self._folder if self._given is None else None,
        )
        self._port = self._child.wait_until(self._listening_port, START_SECONDS)
        self._child.wait_until(self._health, START_SECONDS)

    def stop(self) -> None:
        """End it in an orderly way."""
        if self._child is not None:
            self._child.stop()

    def kill(self) -> None:
        """Kill it at once, like ``kill -9``; its data stays as it is at that moment."""
        self.process.kill()

    def restart(self) -> None:
        """Start it again on the same port and with the same data; if it runs, stop it first."""
        self.stop()
        self.start()

    def _environment(self) -> dict[str, str]:
        prefix = "OPENSEARCH" if self.distribution.engine == "opensearch" else "ES"
        return {
            f"{prefix}_JAVA_HOME": str(java_home(self.distribution.java)),
            f"{prefix}_JAVA_OPTS": " ".join(self._java_options),
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
            self._request("/_cluster/health?wait_for_status=yellow&timeout=1s")
            if self._passwords:
                # The first role makes the index .security-7, which does not answer at once.
                self._request("/_security/role/devstack", b'{"cluster":[]}', "PUT")
                self._request("/_security/user/_has_privileges", b'{"cluster":["monitor"]}')
        except OSError:  # not started yet, or 408 or 503: an index is still being recovered or made
            return None
        return True

    def _request(self, path: str, body: bytes | None = None, method: str | None = None) -> None:
        request = urllib.request.Request(
            f"{self.url}{path}", body, {"content-type": "application/json"}, method=method
        )
        for login in self._passwords.items():
            request.add_header("authorization", f"Basic {base64.b64encode(':'.join(login).encode()).decode()}")
        with urllib.request.urlopen(request, timeout=5):
            pass
