"""The gate before a server, with real connections."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from devstack.gate import Gate


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gate() -> Iterator[Gate]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with Gate(f"http://127.0.0.1:{server.server_address[1]}") as gate:
            yield gate
        server.shutdown()


def connect(gate: Gate) -> http.client.HTTPConnection:
    address = urlsplit(gate.url)
    return http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)


def send(connection: http.client.HTTPConnection, body: bytes) -> bytes:
    connection.request("POST", "/", body)
    return connection.getresponse().read()


def test_an_open_gate_passes_everything_on(gate: Gate) -> None:
    """Also large bodies, over one connection."""
    connection = connect(gate)
    for body in (b"", b"small", b"large" * 200_000):
        assert send(connection, body) == body
    connection.close()


def test_a_shut_gate_refuses_and_breaks_connections_until_it_opens(gate: Gate) -> None:
    """At the same address."""
    before, url = connect(gate), gate.url
    assert send(before, b"first") == b"first"
    for _ in range(2):
        gate.shut()
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        send(before, b"second")
    before.close()
    with pytest.raises(ConnectionRefusedError):
        send(connect(gate), b"third")
    for _ in range(2):
        gate.open()
    assert gate.url == url
    again = connect(gate)
    assert send(again, b"fourth") == b"fourth"
    again.close()
