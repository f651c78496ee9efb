"""Put many objects into moto's S3 with one request: WSGI middleware under ``/_control/objects``.

Over S3's own API an object costs moto milliseconds, and a trail of an organization has tens of thousands a day.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import msgspec
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONTROL: Final = "/_control/objects"

_ACCOUNT: Final = "123456789012"
_BYTES_AT_ONCE: Final = 8 << 20


class BulkObject(msgspec.Struct, frozen=True, array_like=True):
    """An object to put. `metadata` has the names without ``x-amz-meta-``; `kms_key` encrypts it."""

    bucket: str
    key: str
    body: bytes
    metadata: dict[str, str]
    kms_key: str | None = None


class BulkObjects:
    """Answers the requests of `BulkBucket`, and passes on all others."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if environ["PATH_INFO"] != CONTROL:
            return self._application(environ, start_response)
        objects = msgspec.msgpack.decode(Request(environ).get_data(cache=False), type=list[BulkObject])
        for item in objects:
            _put(item)
        return Response(f"{len(objects)}\n")(environ, start_response)


class BulkBucket:
    """Puts objects into a bucket of moto's S3; all are there at the end of the ``with`` block.

    :param endpoint_url: of `devstack.aws`
    :param kms_key: the ARN of the key that encrypts the objects whose keys do not contain `unencrypted`
    """

    def __init__(
        self, endpoint_url: str, name: str, kms_key: str | None = None, unencrypted: str = "/CloudTrail-Digest/"
    ) -> None:
        self._url = f"{endpoint_url}{CONTROL}"
        self._name = name
        self._kms_key = kms_key
        self._unencrypted = unencrypted
        self._waiting: list[BulkObject] = []
        self._bytes = 0

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send the remaining objects."""
        if kind is None:
            self._send()

    def put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Store an object, at the latest at the end of the block.

        :raises OSError: the server does not answer, or the bucket does not exist
        """
        kms_key = None if self._unencrypted in key else self._kms_key
        self._waiting.append(BulkObject(self._name, key, body, dict(metadata), kms_key))
        self._bytes += len(body)
        if self._bytes >= _BYTES_AT_ONCE:
            self._send()

    def _send(self) -> None:
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        request = urllib.request.Request(self._url, msgspec.msgpack.encode(waiting), method="POST")
        with urllib.request.urlopen(request, timeout=300) as answer:
            answer.read()


def _put(item: BulkObject) -> None:
    from moto.s3.models import s3_backends

    encryption = "aws:kms" if item.kms_key else None
    stored = s3_backends[_ACCOUNT]["aws"].put_object(
        item.bucket, item.key, item.body, encryption=encryption, kms_key_id=item.kms_key, disable_notification=True
    )
    stored.set_metadata({f"x-amz-meta-{name}": value for name, value in item.metadata.items()})
