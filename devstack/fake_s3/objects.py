"""The answers to requests for objects and listings."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, NamedTuple
from xml.etree import ElementTree as ET

from devstack.fake_s3.listing import render_listing
from devstack.simulator.trails.stores import MemoryBucket, Stored, etag
from devstack.storage_faults import StorageFaultKind, error_body

_MODIFIED: Final = formatdate(1_767_225_600, usegmt=True)
_METADATA: Final = "x-amz-meta-"
_CHANGING: Final = threading.Lock()
_XML: Final = {"Content-Type": "application/xml"}
_CREDENTIAL: Final = re.compile(r"Credential=(\w+)/")


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
        if self.method == "POST":
            return "delete"
        return self.method.lower() if self.place[1] else "list"

    @property
    def access_key(self) -> str:
        """The access key that signed it; empty if none did. The signature is not checked."""
        found = _CREDENTIAL.search(self.headers.get("authorization", ""))
        return found[1] if found else ""


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
    if key and request.method in {"PUT", "DELETE"}:
        return _change(bucket, key, request)
    if request.method == "POST" and "delete" in request.query:
        return _delete_objects(bucket, request.body)
    if request.method not in {"GET", "HEAD"}:
        return _error(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented", f"{request.method} is not served")
    if not key:
        if request.query.get("list-type") != "2":
            return _error(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented", "Only ListObjectsV2 lists a bucket")
        return Answer(HTTPStatus.OK, _XML, render_listing(name, bucket, request.query).encode())
    try:
        return _object(bucket.get(key), request.headers.get("range"))
    except KeyError:
        return _error(HTTPStatus.NOT_FOUND, "NoSuchKey", "The specified key does not exist.")


def _change(bucket: MemoryBucket, key: str, request: Request) -> Answer:
    """Put or delete an object. With a condition, the object that is there decides."""
    if request.headers.get("x-amz-content-sha256", "").startswith("STREAMING"):
        return _error(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented", "Bodies in signed chunks are not served")
    with _CHANGING:
        stored = bucket.objects.get(key)
        found = etag(stored.body) if stored else None
        wanted = request.headers.get("if-match")
        if wanted is not None and found is None:
            return _error(HTTPStatus.NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
        if (wanted is not None and wanted != found) or (found and request.headers.get("if-none-match") == "*"):
            return _error(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed", "A condition does not hold")
        if request.method == "DELETE":
            bucket.delete(key)
            return Answer(HTTPStatus.NO_CONTENT, {}, b"")
        metadata = {
            name.removeprefix(_METADATA): value
            for name, value in request.headers.items()
            if name.startswith(_METADATA)
        }
        bucket.put(key, request.body, metadata)
    return Answer(HTTPStatus.OK, {"ETag": etag(request.body)}, b"")


def _delete_objects(bucket: MemoryBucket, body: bytes) -> Answer:
    """Delete the objects of a request with Quiet: the answer has errors only, and there are none.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
    """
    keys = [each.text or "" for each in ET.fromstring(body).iterfind("{*}Object/{*}Key")]
    with _CHANGING:
        for key in keys:
            bucket.delete(key)
    return Answer(HTTPStatus.OK, _XML, b'<?xml version="1.0" encoding="UTF-8"?>\n<DeleteResult/>')


def _object(stored: Stored, byte_range: str | None) -> Answer:
    body, metadata = stored
    headers = {
        "Content-Type": "binary/octet-stream",
        "ETag": etag(body),
        "Last-Modified": _MODIFIED,
        "Accept-Ranges": "bytes",
        **{f"{_METADATA}{name}": value for name, value in metadata.items()},
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
