"""Keep the objects of an in-memory S3 over a restart: a journal of the requests that changed something.

Each request is written after it was carried out and before it is answered, in order. So after a kill at any moment
the restored state is one that a client could have seen. Multipart uploads are not kept.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from cloudtrail_elasticsearch.core.encoding import typed
from devstack.bulk_objects import CONTROL

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_CHANGING: Final = frozenset({"PUT", "POST", "DELETE"})


class Change(msgspec.Struct, frozen=True):
    """A request that changed a bucket or an object, as received."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes


class Journal:
    """WSGI middleware that writes the changes of S3 to a file, one per line, and replays them from it."""

    def __init__(self, application: WSGIApplication, file: Path) -> None:
        self._application = application
        self._file = file
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, and write it to the file if it changed something."""
        if environ["REQUEST_METHOD"] not in _CHANGING or not _is_kept(environ):
            return self._application(environ, start_response)
        request = Request(environ)
        change = Change(
            request.method, environ["REQUEST_URI"], list(request.headers.items()), request.get_data(cache=False)
        )
        environ["wsgi.input"] = BytesIO(change.body)
        with self._lock:
            response = Response.from_app(self._application, environ, buffered=True)
            if response.status_code < 300:
                with self._file.open("ab", buffering=0) as file:
                    file.write(msgspec.json.encode(change) + b"\n")
        return response(environ, start_response)

    def replay(self) -> None:
        """Replay the changes, and drop a last one that is incomplete."""
        if not self._file.exists():
            return
        whole = 0
        with self._file.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    self._make(typed.decode(line, Change))
                    whole += len(line)
        os.truncate(self._file, whole)

    def _make(self, change: Change) -> None:
        builder = EnvironBuilder(change.target, method=change.method, headers=change.headers, data=change.body)
        environ: dict[str, Any] = builder.get_environ()
        Response.from_app(self._application, environ, buffered=True).close()


def _is_kept(environ: WSGIEnvironment) -> bool:
    if environ["PATH_INFO"] == CONTROL:
        return True
    of_multipart = "uploadId=" in environ["QUERY_STRING"] or "uploads" in environ["QUERY_STRING"]
    return "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", "") and not of_multipart
