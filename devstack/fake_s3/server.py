"""The server: a thread for each connection, which stays open."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qsl, unquote

import msgspec

from devstack.fake_s3.objects import Answer, Request, refuse, serve_request
from devstack.simulator.trails.stores import MemoryBucket
from devstack.storage_faults import CONTROL, ActiveFaults, StorageFault, StorageFaultKind, spoil

REQUESTS: Final = "/_control/requests"
"""Where the counts of requests are served: of each kind, and the most at once."""


class FakeS3:
    """Serves buckets in threads of this process, inside the ``with`` block.

    :param latency: seconds before each answer
    """

    def __init__(self, buckets: Mapping[str, MemoryBucket], latency: float = 0.0, port: int = 0) -> None:
        self.buckets = buckets
        self.latency = latency
        self.faults = ActiveFaults()
        self.requests = Requests()
        self._server = _Server(self, port)
        self.endpoint_url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Start serving."""
        threading.Thread(target=self.serve, name="fake-s3", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        """Serve until another thread leaves the block."""
        self._server.serve_forever(poll_interval=0.05)


class Requests:
    """The number of requests of each kind and of each access key, and the most at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kinds: Counter[str] = Counter()
        self.access_keys: Counter[str] = Counter()
        self._running = 0
        self._most = 0

    def begin(self, request: Request) -> None:
        """Count a request."""
        with self._lock:
            self._kinds[request.kind] += 1
            self.access_keys[request.access_key] += 1
            self._running += 1
            self._most = max(self._most, self._running)

    def end(self) -> None:
        """Count the end of a request."""
        with self._lock:
            self._running -= 1

    def as_json(self) -> dict[str, int]:
        """Return the counts by kind, such as ``get`` and ``list``, and ``most_at_once``."""
        with self._lock:
            return {**self._kinds, "most_at_once": self._most}


class _Handler(socketserver.StreamRequestHandler):
    """Answers the requests of a connection."""

    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        """Answer requests until the client closes the connection, or a fault does."""
        s3 = self.server.s3
        try:
            while (request := self._read()) is not None:
                if not self._answer(s3, request):
                    return
        except ConnectionError:
            return

    def _answer(self, s3: FakeS3, request: Request) -> bool:
        """Answer a request; return whether the connection stays open."""
        if request.path in (CONTROL, REQUESTS):
            return self._send(request, _control(s3, request))
        s3.requests.begin(request)
        try:
            if s3.latency:
                time.sleep(s3.latency)
            fault = s3.faults.strike(request.method, *request.place)
            if fault is not None and fault.kind is StorageFaultKind.RESET:
                return False
            if fault is not None and fault.kind.is_error:
                return self._send(request, refuse(fault.kind))
            return self._spoil(request, serve_request(s3.buckets, request), fault)
        finally:
            s3.requests.end()

    def _spoil(self, request: Request, answer: Answer, fault: StorageFault | None) -> bool:
        if fault is None or answer.status >= HTTPStatus.BAD_REQUEST:
            return self._send(request, answer)
        if fault.kind is StorageFaultKind.DECRYPTION_DENIED:
            return self._send(request, refuse(fault.kind))
        self.wfile.write(answer.head())
        for piece in spoil(fault, answer.body):
            self.wfile.write(piece)
        return fault.kind is not StorageFaultKind.TRUNCATED_BODY

    def _send(self, request: Request, answer: Answer) -> bool:
        self.wfile.write(answer.head() + (b"" if request.method == "HEAD" else answer.body))
        return True

    def _read(self) -> Request | None:
        """Return the next request; None at the end of the connection."""
        line = self.rfile.readline(65_537)
        if not line.strip():
            return None
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers: dict[str, str] = {}
        while (line := self.rfile.readline(65_537)) not in (b"\r\n", b"\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            # boto3 waits a second for this before it sends the body.
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self.rfile.read(int(headers.get("content-length", 0)))
        path, _, query = target.partition("?")
        return Request(method, unquote(path), dict(parse_qsl(query, keep_blank_values=True)), headers, body)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 512

    def __init__(self, s3: FakeS3, port: int) -> None:
        self.s3 = s3
        super().__init__(("127.0.0.1", port), _Handler)


def _control(s3: FakeS3, request: Request) -> Answer:
    if request.path == REQUESTS:
        body = json.dumps(s3.requests.as_json()).encode()
    else:
        try:
            body = s3.faults.control(request.method, request.body)
        except msgspec.MsgspecError as error:
            return Answer(HTTPStatus.BAD_REQUEST, {}, f"{error}\n".encode())
    return Answer(HTTPStatus.OK, {"Content-Type": "application/json"}, body)
