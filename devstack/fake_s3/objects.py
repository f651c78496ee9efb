"""The answers to requests for objects and listings."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, NamedTuple

from devstack.fake_s3.listing import render_listing
from devstack.simulator.trails.stores import MemoryBucket, Stored, etag
from devstack.storage_faults import StorageFaultKind, error_body

_MODIFIED: Final = formatdate(1_767_225_600, usegmt=True)
_XML: Final = {"Content-Type": "application/xml"}


class Request(NamedTuple):
    """A request as received."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def place(self) -> tuple[str, str]:
        """The bucket and the key."""
        bucket, _, key = self.path.lstrip("/").partition("/")
        return bucket, key

    @property
    def kind(self) -> str:
        """The name under which the request is counted."""
        return self.method.lower() if self.place[1] else "list"


class Answer(NamedTuple):
    """An answer, without its length."""

    status: int
    headers: dict[str, str]
    body: bytes

    def head(self) -> bytes:
        """Return the status line and the headers."""
        lines = [f"HTTP/1.1 {int(self.status)} {HTTPStatus(self.status).phrase}"]
        lines += (f"{name}: {value}" for name, value in self.headers.items())
        return "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "\r\n"]).encode("latin-1")


def serve_request(buckets: Mapping[str, MemoryBucket], request: Request) -> Answer:
    """Return the answer to a request."""
    name, key = request.place
    bucket = buckets.get(name)
    if bucket is None:
        return _error(HTTPStatus.NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist")
    if request.method not in {"GET", "HEAD"}:
        return _error(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented", "The stand-in for S3 is read only")
    if not key:
        if request.query.get("list-type") != "2":
            return _error(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented", "Only ListObjectsV2 lists a bucket")
        return Answer(HTTPStatus.OK, _XML, render_listing(name, bucket, request.query).encode())
    try:
        return _object(bucket.get(key), request.headers.get("range"))
    except KeyError:
        return _error(HTTPStatus.NOT_FOUND, "NoSuchKey", "The specified key does not exist.")


def _object(stored: Stored, byte_range: str | None) -> Answer:
    body, metadata = stored
    headers = {
        "Content-Type": "binary/octet-stream",
        "ETag": etag(body),
        "Last-Modified": _MODIFIED,
        "Accept-Ranges": "bytes",
        **{f"x-amz-meta-{name}": value for name, value in metadata.items()},
    }
    if byte_range is None:
        return Answer(HTTPStatus.OK, headers, body)
    first, _, last = byte_range.removeprefix("bytes=").partition("-")
    start = int(first) if first else max(0, len(body) - int(last))
    end = min(int(last), len(body) - 1) if first and last else len(body) - 1
    if start > end:
        return _error(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "InvalidRange", "The range is not satisfiable")
    headers["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
    return Answer(HTTPStatus.PARTIAL_CONTENT, headers, body[start : end + 1])


def refuse(kind: StorageFaultKind) -> Answer:
    """Return the answer of a fault."""
    status, body = error_body(kind)
    return Answer(status, _XML, body)


def _error(status: HTTPStatus, code: str, message: str) -> Answer:
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, _XML, f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'.encode())
