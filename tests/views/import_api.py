"""A small server with the documented API of both products for importing saved objects."""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from devstack.views.searches import parse_objects


class ImportApi(ThreadingHTTPServer):
    """Accepts imports like the product with that header, from one user only, and rejects objects of one type."""

    def __init__(self, header: str, user: str, refused: str | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.header = header
        self.authorization = f"Basic {base64.b64encode(user.encode()).decode()}"
        self.refused = refused
        self.taken: dict[str, Any] = {}

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


@contextlib.contextmanager
def import_api(header: str, user: str = "ada:s3:cret", refused: str | None = None) -> Iterator[ImportApi]:
    """Run the server below the path ``/base``."""
    with ImportApi(header, user, refused) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: ImportApi

    def do_GET(self) -> None:
        self._answer(200 if self.path == "/base/api/status" else 404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != self.server.authorization:
            return self._answer(401, {})
        is_asked = self.path == "/base/api/saved_objects/_import?overwrite=true"
        if not is_asked or not self.headers[f"{self.server.header}-xsrf"]:
            return self._answer(400, {})
        head = f"Content-Type: {self.headers['Content-Type']}\n\n".encode()
        (file,) = email.message_from_bytes(head + body, policy=email.policy.HTTP).iter_parts()
        if not str(file.get_filename()).endswith(".ndjson"):
            return self._answer(400, {})
        objects = parse_objects(file.get_content())
        errors = [{"id": each["id"]} for each in objects.values() if each["type"] == self.server.refused]
        self.server.taken |= objects
        return self._answer(200, {"successCount": len(objects), "success": not errors, "errors": errors})

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header(f"{self.server.header}-name", "any")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
