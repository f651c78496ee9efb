"""Services that the worker processes of one test run share. Each starts when a test first needs it."""

from __future__ import annotations

import contextlib
import threading
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from socketserver import ThreadingMixIn
from typing import Final
from xmlrpc.server import SimpleXMLRPCServer

from devstack.aws import AwsServices
from devstack.search_server import DISTRIBUTIONS, ELASTICSEARCH_9, Distribution, SearchServer

# Only the quick compiler: the server answers after a third less work, and tests are too short for the other one.
QUICK_START: Final = "-XX:TieredStopAtLevel=1"

PASSWORDS: Final = {"admin": "pass:wörd/€@%41"}
"""The users of the Elasticsearch with security: a password that is easy to send in the wrong encoding."""

Start = Callable[[], AbstractContextManager[str]]


class SharedServices:
    """Starts services by name and returns their addresses. A service that failed to start is not tried again."""

    def __init__(self, starts: Mapping[str, Start]) -> None:
        self._starts = starts
        self._urls: dict[str, Future[str]] = {}
        self._lock = threading.Lock()
        self._running = contextlib.ExitStack()

    def url(self, name: str) -> str:
        """Return a service's URL when the service answers.

        :raises Exception: the reason why the service did not start
        """
        with self._lock:
            is_first = name not in self._urls
            answer = self._urls.setdefault(name, Future())
        if is_first:
            try:
                answer.set_result(self._running.enter_context(self._starts[name]()))
            except Exception as error:  # noqa: BLE001 - raised again for every caller
                answer.set_exception(error)
        return answer.result()

    def close(self) -> None:
        """Stop the started services."""
        self._running.close()


def services(heap: str = "768m") -> dict[str, Start]:
    """Return the start functions of all services for tests: ``aws``, and each search server by its name.

    ``elasticsearch-9-secured`` has security, and `PASSWORDS`.
    """
    starts: dict[str, Start] = {
        "aws": _aws,
        "elasticsearch-9-secured": _search_server(ELASTICSEARCH_9, heap, PASSWORDS),
    }
    for name, distribution in DISTRIBUTIONS.items():
        starts[name] = _search_server(distribution, heap)
    return starts


@contextlib.contextmanager
def served(shared: SharedServices) -> Iterator[str]:
    """Serve other processes at the yielded address; they call `ask`."""
    with _Server(("127.0.0.1", 0), logRequests=False) as server:
        server.register_function(lambda name: shared.url(str(name)), "url")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def ask(address: str, name: str) -> str:
    """Return the URL of a service that another process shares.

    :raises xmlrpc.client.Fault: it did not start; the message has the reason
    """
    with xmlrpc.client.ServerProxy(address) as proxy:
        return str(proxy.url(name))


class _Server(ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True


@contextlib.contextmanager
def _aws() -> Iterator[str]:
    with AwsServices() as aws:
        yield aws.endpoint_url


def _search_server(distribution: Distribution, heap: str, passwords: Mapping[str, str] | None = None) -> Start:
    @contextlib.contextmanager
    def start() -> Iterator[str]:
        with SearchServer(distribution, heap=heap, java_options=[QUICK_START], passwords=passwords) as server:
            yield server.url

    return start
