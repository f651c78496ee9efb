"""A search server that stores nothing: it counts the documents of bulk requests and answers that all were created.

It runs in a process of its own, so that its cost is not in the processor time of a client.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from cloudtrail_elasticsearch.core.search.server import Engine
from devstack.processes import Child, module

ENGINES: Final[tuple[Engine, ...]] = ("opensearch", "elasticsearch")

_VERSIONS: Final[dict[Engine, dict[str, str]]] = {
    "opensearch": {"distribution": "opensearch", "number": "3.8.0"},
    "elasticsearch": {"number": "9.2.0"},
}

_CREATED: Final[dict[str, Any]] = {"status": 201, "result": "created"}

# Without `filter_path`, a client gets the whole answer, as from a real server.
_WHOLE: Final[dict[str, Any]] = {
    "_index": "bench-steady",
    "_id": "86f3858e-4df0-4e40-9f05-38cfbe2a9c09",
    "_version": 1,
    "_shards": {"total": 1, "successful": 1, "failed": 0},
    "_seq_no": 1_000,
    "_primary_term": 1,
    **_CREATED,
}


@contextlib.contextmanager
def null_server(engine: Engine) -> Iterator[str]:
    """Start the server and yield its address."""
    with tempfile.TemporaryDirectory() as folder:
        child = Child("null server", module("bench.null_server", engine), Path(folder) / "null-server.log")
        try:
            yield child.announced_url()
        finally:
            child.stop()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, engine: Engine) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.greeting = {"version": _VERSIONS[engine]}
        self.documents = 0
        self.templates: dict[str, Any] = {}
        self.counting = threading.Lock()


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Answer the requests of one connection."""
        while request := self.rfile.readline():
            method, path, _ = request.decode().split(" ")
            length = 0
            while header := self.rfile.readline().strip():
                name, _, value = header.decode().partition(":")
                length = int(value) if name.lower() == "content-length" else length
            answer = self._answer(method, path, self.rfile.read(length))
            # Elasticsearch's client accepts only answers that have the product's name.
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nX-Elastic-Product: Elasticsearch\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer)
            )

    def _answer(self, method: str, path: str, body: bytes) -> bytes:
        server = self.server
        assert isinstance(server, _Server)
        target = path.partition("?")[0]
        if target == "/_bulk":
            # Each document is one line after its action.
            count = body.count(b"\n") // 2
            with server.counting:
                server.documents += count
            return _make_bulk_answer(count, body[2 : body.index(b'"', 2)].decode(), "filter_path" in path)
        if method == "DELETE":
            server.documents = 0
        if target.endswith("/_count"):
            return json.dumps({"count": server.documents}).encode()
        if target.startswith("/_index_template"):
            return _answer_templates(server.templates, method, target.rpartition("/")[2], body)
        if target == "/":
            return json.dumps(server.greeting).encode()
        if target.endswith("/_search"):
            return b'{"timed_out":false,"_shards":{"total":1,"successful":1,"failed":0},"hits":{"hits":[]}}'
        # It has no indices or documents.
        return b"{}" if method == "GET" else b'{"acknowledged":true}'


def _answer_templates(templates: dict[str, Any], method: str, name: str, body: bytes) -> bytes:
    """Store an index template, or return the stored one; the loader reads its template again after it wrote it."""
    if method == "PUT":
        templates[name] = json.loads(body)
        return b'{"acknowledged":true}'
    found = [{"name": name, "index_template": templates[name]}] if name in templates else []
    return json.dumps({"index_templates": found}).encode()


@lru_cache(maxsize=64)
def _make_bulk_answer(count: int, action: str, is_filtered: bool) -> bytes:
    outcome = {action: _CREATED if is_filtered else _WHOLE}
    around = {} if is_filtered else {"took": 1, "errors": False}
    return json.dumps({**around, "items": [outcome] * count}, separators=(",", ":")).encode()


def main() -> None:
    """Listen on a free port, print the address and answer until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m bench.null_server")
    parser.add_argument("engine", choices=ENGINES)
    with _Server(parser.parse_args().engine) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
