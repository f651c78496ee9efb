"""Faults of S3 for tests: WSGI middleware, with a control interface under ``/_control/faults``.

``GET`` lists the active faults, each with the number of requests it has answered. ``POST`` adds one
(``{"kind": …, "bucket": …, "prefix": …, "count": …, "seconds": …}``). ``DELETE`` clears all. A fault stays until
it is cleared, or until it has answered `count` requests.
"""

from __future__ import annotations

import contextlib
import enum
import itertools
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote
from xml.sax.saxutils import escape

import msgspec
from werkzeug.wrappers import Request, Response

from cloudtrail_elasticsearch.core.encoding import typed

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONTROL: Final = "/_control/faults"

_WRITING: Final = frozenset({"PUT", "POST"})
_PIECES: Final = 16


class StorageFaultKind(enum.StrEnum):
    """A kind of fault.

    Writes find no space, or every request is throttled or fails. Or reads of objects fail: the key of an encrypted
    object cannot be used, the connection breaks before the answer, or the body comes slowly or in part.
    """

    FULL_BUCKET = "full_bucket"
    SLOW_DOWN = "slow_down"
    INTERNAL_ERROR = "internal_error"
    DECRYPTION_DENIED = "decryption_denied"
    RESET = "reset"
    SLOW_BODY = "slow_body"
    TRUNCATED_BODY = "truncated_body"

    @property
    def answer(self) -> tuple[int, str, str]:
        """The HTTP status, code and message of the answer.

        :raises KeyError: the kind does not answer with an error
        """
        return _ANSWERS[self]

    @property
    def is_error(self) -> bool:
        """Whether the fault is an answer of its own, whatever the object is."""
        return self in _ANSWERS and self is not StorageFaultKind.DECRYPTION_DENIED

    def strikes(self, method: str, key: str) -> bool:
        """Whether the fault applies to a request of that HTTP method for this key, or for a bucket without one."""
        if self is StorageFaultKind.FULL_BUCKET:
            return method in _WRITING
        return self.is_error or (method == "GET" and key != "")


_ANSWERS: Final = {
    StorageFaultKind.FULL_BUCKET: (507, "InsufficientStorage", "There is no room left for this object."),
    StorageFaultKind.SLOW_DOWN: (503, "SlowDown", "Please reduce your request rate."),
    StorageFaultKind.INTERNAL_ERROR: (500, "InternalError", "We encountered an internal error. Please try again."),
    StorageFaultKind.DECRYPTION_DENIED: (
        403,
        "AccessDenied",
        "User: arn:aws:iam::123456789012:user/loader is not authorized to perform: kms:Decrypt on this resource",
    ),
}


class StorageFault(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A fault of one bucket, or of all if the bucket is None, and the number of requests it has answered.

    :param prefix: the fault strikes only objects whose keys begin with it
    :param count: requests to answer; None for all until the fault is cleared
    :param seconds: the time that a slow body takes
    """

    kind: StorageFaultKind
    bucket: str | None
    answered: int
    prefix: str = ""
    count: int | None = None
    seconds: float = 2.0

    def strikes(self, method: str, bucket: str, key: str) -> bool:
        """Whether the fault applies to a request."""
        is_left = self.count is None or self.answered < self.count
        is_here = self.bucket in (None, bucket) and key.startswith(self.prefix)
        return is_left and is_here and self.kind.strikes(method, key)


class _Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: StorageFaultKind
    bucket: str | None = None
    prefix: str = ""
    count: int | None = None
    seconds: float = 2.0


class ActiveFaults:
    """The active faults of an S3; threads may share them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on: list[StorageFault] = []

    def add(
        self,
        kind: StorageFaultKind,
        bucket: str | None = None,
        *,
        prefix: str = "",
        count: int | None = None,
        seconds: float = 2.0,
    ) -> None:
        """Switch a fault on."""
        with self._lock:
            self._on.append(StorageFault(kind, bucket, 0, prefix, count, seconds))

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._on.clear()

    def listed(self) -> bytes:
        """Return the active faults as JSON."""
        with self._lock:
            return msgspec.json.encode(self._on)

    def strike(self, method: str, bucket: str, key: str) -> StorageFault | None:
        """Return the first fault that applies to a request, and count it."""
        with self._lock:
            for fault in self._on:
                if fault.strikes(method, bucket, key):
                    fault.answered += 1
                    return fault
        return None

    def control(self, method: str, body: bytes) -> bytes:
        """Answer a request of the control interface.

        :raises msgspec.MsgspecError: it does not describe a fault
        """
        if method == "POST":
            wanted = typed.decode(body, _Wanted)
            self.add(wanted.kind, wanted.bucket, prefix=wanted.prefix, count=wanted.count, seconds=wanted.seconds)
        elif method == "DELETE":
            self.clear()
        return self.listed()


class StorageFaults:
    """Answers a request with the first active fault that applies to it, and passes on all other requests."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._active = ActiveFaults()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if environ["PATH_INFO"] == CONTROL:
            return self._control(Request(environ))(environ, start_response)
        fault = self._strike(environ) if _is_storage(environ) else None
        if fault is None:
            return self._application(environ, start_response)
        if fault.kind is StorageFaultKind.RESET:
            break_connection(environ["werkzeug.socket"])
            raise ConnectionResetError("a fault of S3")
        if fault.kind.is_error:
            Request(environ).get_data(cache=False)  # with unread bytes the connection is reset
            return _refusal(fault.kind)(environ, start_response)
        return self._spoiled(fault, environ)(environ, start_response)

    def _control(self, request: Request) -> Response:
        try:
            listed = self._active.control(request.method, request.get_data())
        except msgspec.MsgspecError as error:
            return Response(f"{error}\n", 400)
        return Response(listed, content_type="application/json")

    def _strike(self, environ: WSGIEnvironment) -> StorageFault | None:
        bucket, _, key = unquote(environ["PATH_INFO"].lstrip("/")).partition("/")
        return self._active.strike(environ["REQUEST_METHOD"], bucket, key)

    def _spoiled(self, fault: StorageFault, environ: WSGIEnvironment) -> Response:
        """Return the answer of the application with the fault in it."""
        answer = Response.from_app(self._application, environ, buffered=True)
        if fault.kind is StorageFaultKind.DECRYPTION_DENIED:
            is_encrypted = answer.headers.get("x-amz-server-side-encryption") == "aws:kms"
            return _refusal(fault.kind) if is_encrypted else answer
        body = answer.get_data()
        answer.headers["Content-Length"] = str(len(body))
        answer.response = spoil(fault, body)
        return answer


def error_body(kind: StorageFaultKind) -> tuple[int, bytes]:
    """Return the HTTP status and the XML body of a kind that answers with an error."""
    status, code, message = kind.answer
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    )
    return status, body.encode()


def spoil(fault: StorageFault, body: bytes) -> Iterator[bytes]:
    """Yield a body slowly, or half of it."""
    if fault.kind is StorageFaultKind.TRUNCATED_BODY:
        yield body[: len(body) // 2]
        return
    bounds = [len(body) * piece // _PIECES for piece in range(_PIECES + 1)]
    for start, end in itertools.pairwise(bounds):
        time.sleep(fault.seconds / _PIECES)
        yield body[start:end]


def break_connection(connection: socket.socket) -> None:
    """Break a connection without an answer."""
    with contextlib.suppress(OSError):  # the client has closed it
        connection.shutdown(socket.SHUT_RDWR)


def _is_storage(environ: WSGIEnvironment) -> bool:
    return "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", "")


def _refusal(kind: StorageFaultKind) -> Response:
    status, body = error_body(kind)
    return Response(body, status, content_type="application/xml")
