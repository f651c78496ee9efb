"""A small HTTP proxy in front of a real search server: it answers chosen requests itself, and forwards others."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the proxy received."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the proxy."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


Fault = Callable[[Request], Reply | None]
"""Answers a request in place of the server; None passes it on."""


class Proxy:
    """Forwards requests to a server unless its `fault` answers; counts the answers of the fault."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self.fault: Fault = lambda request: None
        self.answered = 0
        self._lock = threading.Lock()
        self.url = ""

    def reply(self, request: Request) -> Reply:
        """Return the fault's answer, or the server's."""
        with self._lock:
            mine = self.fault(request)
            self.answered += mine is not None
        return self.forward(request) if mine is None else mine

    def forward(self, request: Request) -> Reply:
        """Return the server's answer."""
        connection = http.client.HTTPConnection(self._target.hostname or "", self._target.port, timeout=60)
        kept = {name: value for name, value in request.headers.items() if name in {"content-type", "accept"}}
        connection.request(request.method, request.path, request.body or None, kept)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return Reply(answer.status, body, answer.headers.get("content-type") or "application/json")


@contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    """Run a proxy in front of a server."""
    proxy = Proxy(url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = proxy.reply(Request(self.command, self.path, headers, body))
            self.send_response(reply.status)
            for name, value in ({"content-type": reply.content_type} | reply.headers).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer  # noqa: N815 - the names that the server calls

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield proxy
        server.shutdown()
        thread.join()
