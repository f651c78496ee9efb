"""Faults of S3 that a test switches on: WSGI middleware, with a control interface under ``/_control/faults``.

``GET`` lists the faults that are on with how many requests each has answered, ``POST`` adds one (``{"kind": …,
"bucket": …}``), ``DELETE`` clears all. A fault stays until it is cleared.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

import msgspec
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONTROL: Final = "/_control/faults"

_WRITING: Final = frozenset({"PUT", "POST"})


class StorageFaultKind(enum.StrEnum):
    """What goes wrong: writes find no room, or every request is slowed down or fails."""

    FULL_BUCKET = "full_bucket"
    SLOW_DOWN = "slow_down"
    INTERNAL_ERROR = "internal_error"

    @property
    def answer(self) -> tuple[int, str, str]:
        """The HTTP status, code and message that a client gets."""
        return _ANSWERS[self]

    def strikes(self, method: str) -> bool:
        """Whether a request of that HTTP method goes wrong."""
        return self is not StorageFaultKind.FULL_BUCKET or method in _WRITING


_ANSWERS: Final = {
    StorageFaultKind.FULL_BUCKET: (507, "InsufficientStorage", "There is no room left for this object."),
    StorageFaultKind.SLOW_DOWN: (503, "SlowDown", "Please reduce your request rate."),
    StorageFaultKind.INTERNAL_ERROR: (500, "InternalError", "We encountered an internal error. Please try again."),
}


@dataclass(slots=True)
class StorageFault:
    """A fault of a bucket, or of all where that is None, and how many requests it has answered."""

    kind: StorageFaultKind
    bucket: str | None = None
    answered: int = 0

    def strikes(self, method: str, bucket: str) -> bool:
        """Whether a request goes wrong."""
        return self.bucket in (None, bucket) and self.kind.strikes(method)


class _Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: StorageFaultKind
    bucket: str | None = None


class StorageFaults:
    """Answers S3's requests with the fault that is on, the first that fits; hands on everything else."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._lock = threading.Lock()
        self._on: list[StorageFault] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if environ["PATH_INFO"] == CONTROL:
            return self._control(Request(environ))(environ, start_response)
        struck = self._strike(environ) if _is_storage(environ) else None
        if struck is None:
            return self._application(environ, start_response)
        Request(environ).get_data(cache=False)  # a connection closed on unread bytes is reset, not answered
        return _refusal(struck)(environ, start_response)

    def _control(self, request: Request) -> Response:
        with self._lock:
            if request.method == "POST":
                try:
                    wanted = msgspec.json.decode(request.get_data(), type=_Wanted)
                except msgspec.MsgspecError as error:
                    return Response(f"{error}\n", 400)
                self._on.append(StorageFault(wanted.kind, wanted.bucket))
            elif request.method == "DELETE":
                self._on.clear()
            listed = [asdict(fault) for fault in self._on]
        return Response(msgspec.json.encode(listed), content_type="application/json")

    def _strike(self, environ: WSGIEnvironment) -> StorageFaultKind | None:
        bucket = environ["PATH_INFO"].lstrip("/").partition("/")[0]
        with self._lock:
            for fault in self._on:
                if fault.strikes(environ["REQUEST_METHOD"], bucket):
                    fault.answered += 1
                    return fault.kind
        return None


def _is_storage(environ: WSGIEnvironment) -> bool:
    return "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", "")


def _refusal(kind: StorageFaultKind) -> Response:
    status, code, message = kind.answer
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    )
    return Response(body, status, content_type="application/xml")
