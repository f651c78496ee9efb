"""The bucket of a trail: lists and reads its objects with little processor time for each.

boto3's client spends most of the time of a small GET on its own generality, so requests are signed and sent by
botocore's signer and its HTTP session (docs/adr/0018-log-files-are-read-ahead.md). Endpoint, credentials, TLS
settings, proxies and timeouts are those of a boto3 client.

Over 300 lines, because listing and reading share the signing, the retries and the translation of errors.
"""

from __future__ import annotations

import logging
import random
import time
import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from cloudtrail_elasticsearch.aws_errors import is_temporary, translate_errors
from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    ConfigurationError,
    FileError,
    TransientError,
)
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.side_by_side import run_in_order
from cloudtrail_elasticsearch.sources.trail.digests import StoredObject

log = logging.getLogger(__name__)

CONNECTIONS: Final = 256
"""The connections to S3 that are kept open; more than the windows that are read side by side use at once."""

READERS: Final = 32
"""The objects that `read_many` reads at once for all of its callers together."""

AHEAD: Final = 16
"""The objects that `read_many` reads ahead for each of its callers."""

_NAMESPACE: Final = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_METADATA: Final = "x-amz-meta-"
_ARCHIVED: Final = "InvalidObjectState"
_KMS: Final = "KMS."
"""S3 puts it before the code of an error of KMS."""

_TEMPORARY_IN_KMS: Final = frozenset(
    {"DependencyTimeoutException", "KMSInternalException", "KeyUnavailableException"}
)
"""Codes of KMS that no other service has: https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html"""

_TEMPORARY: Final = frozenset({408, 425, 500, 502, 503, 504})
_LARGEST_ERROR: Final = 64 * 1024
_LARGEST_PAGE: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long a request is retried if S3 has a temporary fault."""

    tries: int = 8
    first_pause: float = 0.1
    """Seconds before the second try; each further pause is at most twice as long. Pauses are random."""
    longest_pause: float = 10.0


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object in a listing."""

    key: str
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a listing: the folders and the objects directly below a prefix."""

    folders: tuple[str, ...]
    objects: tuple[ListedObject, ...]
    next_token: str | None


@dataclass(frozen=True, slots=True)
class ReadObject:
    """An object that was read."""

    body: bytes
    etag: str
    metadata: dict[str, str]


def open_bucket(
    session: Any, name: str, prefix: str = "", patience: Patience | None = None, **client_arguments: Any
) -> TrailBucket:
    """Return a bucket, in whichever region it is.

    :param session: a boto3 session, with the credentials of an Airflow connection or of the environment
    :param prefix: a prefix that the session may list
    :param client_arguments: `endpoint_url`, `verify` and `config` of the S3 client, as boto3's sessions take them
    :raises AccessDeniedError: s3:ListBucket is not allowed
    :raises ConfigurationError: there is no such bucket
    :raises TransientError: S3 cannot be reached
    """
    from botocore.config import Config
    from botocore.exceptions import ClientError

    pool = Config(max_pool_connections=CONNECTIONS)
    given = client_arguments.pop("config", None)
    client_arguments["config"] = pool if given is None else given.merge(pool)
    with translate_errors(f"Opening the bucket {name}", "s3:ListBucket"):
        client = session.client("s3", **client_arguments)
        try:
            answer = client.list_objects_v2(Bucket=name, Prefix=prefix, MaxKeys=1)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucket":
                raise ConfigurationError(f"The bucket {name} does not exist: correct its name.") from error
            raise
    region = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    if region and region != client.meta.region_name:
        # boto3 follows S3's redirects, but a request that is signed here is sent once, to the right region.
        client = session.client("s3", **(client_arguments | {"region_name": region}))
    return TrailBucket(client, session.get_credentials(), name, patience)


class TrailBucket:
    """Lists and reads the objects of a bucket; threads may share it.

    :param client: a boto3 client of S3 in the bucket's region
    :param credentials: the session's credentials, which botocore refreshes; None for requests without a signature
    """

    def __init__(self, client: Any, credentials: Any, name: str, patience: Patience | None = None) -> None:
        self.bucket = name
        self._client = client
        self._credentials = credentials
        self._patience = patience or Patience()
        # Its threads start with the first object, and end when nobody has the bucket any more.
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="read")
        # There is no public way to a client's connection pool, with the proxies and certificates of its settings.
        self._http = client._endpoint.http_session  # noqa: SLF001 - as above
        self._region = client.meta.region_name or "us-east-1"
        with translate_errors(f"Signing a request for the bucket {name}", "s3:GetObject"):
            url: str = client.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "k"})
        # Whether the bucket is in the path or in the host's name is thus decided by botocore.
        self._url = url.partition("?")[0].removesuffix("/k")

    def uri(self, key: str) -> str:
        """Return an object's URI, for messages."""
        return f"s3://{self.bucket}/{key}"

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with a prefix."""
        for page in self.list_pages(prefix):
            yield from (each.key for each in page.objects)

    def list_folders(self, prefix: str) -> list[str]:
        """Return the prefixes of the folders directly below a folder, with a slash at the end of each."""
        return [folder for page in self.list_pages(prefix, "/") for folder in page.folders]

    def list_pages(self, prefix: str, delimiter: str = "", start_after: str = "") -> Iterator[ListPage]:
        """Yield the pages of a listing.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html

        :param start_after: list only keys after this one, in the order of their UTF-8 bytes
        :raises AccessDeniedError: s3:ListBucket is not allowed for the prefix
        :raises TransientError: S3 does not recover in time
        """
        doing = f"Listing {self.uri(prefix)}"
        query = {"encoding-type": "url", "list-type": "2", "prefix": prefix}
        if delimiter:
            query["delimiter"] = delimiter
        if start_after:
            query["start-after"] = start_after
        token: str | None = None
        while True:
            asked = query if token is None else query | {"continuation-token": token}
            answer = self._request(doing, "s3:ListBucket", "", asked, _LARGEST_PAGE)
            if answer is None:
                raise ConfigurationError(f"{doing}: the bucket does not exist.")
            page = _parse_page(doing, answer.body)
            yield page
            token = page.next_token
            if token is None:
                return

    def get(self, key: str, size: int) -> ReadObject | None:
        """Return an object of a listing; None if it was deleted since then.

        :param size: its size in the listing; if it is larger now, only that many bytes and one more are read
        :raises AccessDeniedError: s3:GetObject or kms:Decrypt is not allowed for it
        :raises FileError: it is archived and must be restored first
        :raises TransientError: S3 does not recover in time; the message names the object
        """
        return self._request(f"Reading {self.uri(key)}", "s3:GetObject", key, {}, size + 1)

    def read(self, key: str, most: int) -> StoredObject | None:
        """Return an object, or only its first `most` bytes if it has more; None if there is no such object.

        :raises LoaderError: as `get` raises
        """
        found = self._request(f"Reading {self.uri(key)}", "s3:GetObject", key, {}, most)
        return None if found is None else StoredObject(found.body, found.metadata)

    def read_many(self, keys: Iterable[str], most: int) -> Iterator[StoredObject | None]:
        """Yield what `read` returns for each key, in the order of the keys; the next objects are read meanwhile.

        :raises LoaderError: as `get` raises
        """
        return run_in_order(self._readers, lambda key: self.read(key, most), keys, AHEAD)

    def _request(
        self, doing: str, permission: str, key: str, query: dict[str, str], most: int
    ) -> ReadObject | None:
        """Send a GET until S3 answers it; None if there is no such object."""
        patience = self._patience
        for tried in count(1):
            try:
                with translate_errors(doing, permission):
                    return self._send(doing, key, query, most)
            except TransientError as error:
                if tried >= patience.tries:
                    raise
                pause = random.uniform(0.5, 1.0) * min(  # noqa: S311 - not for secrets
                    patience.first_pause * 2 ** (tried - 1), patience.longest_pause
                )
                log.warning("%s Retrying in %.1f s.", error, pause)
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _send(self, doing: str, key: str, query: dict[str, str], most: int) -> ReadObject | None:
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import ClientError

        url = f"{self._url}/{urllib.parse.quote(key)}"
        if query:
            url += "?" + urllib.parse.urlencode(sorted(query.items()), quote_via=urllib.parse.quote, safe="")
        request = AWSRequest("GET", url, stream_output=True)
        if self._credentials is not None:
            # Frozen for this request, because botocore refreshes the session's credentials when they expire.
            frozen = self._credentials.get_frozen_credentials()
            S3SigV4Auth(frozen, "s3", self._region).add_auth(request)
        answer = self._http.send(request.prepare())
        if answer.status_code == 200:
            etag = answer.headers.get("etag", "").strip('"')
            metadata = {
                name[len(_METADATA) :].lower(): value
                for name, value in answer.headers.items()
                if name.lower().startswith(_METADATA)
            }
            return ReadObject(_read_body(doing, answer, most), etag, metadata)
        error = _parse_error(_read_body(doing, answer, _LARGEST_ERROR))
        if error.get("Code", "NoSuchKey") == "NoSuchKey" and answer.status_code == 404:
            return None
        _check_refusal(doing, error, answer.status_code)
        error["Message"] = safe_text(error.get("Message", ""))
        # As boto3 raises it, so that it is translated like all other errors of AWS.
        raise ClientError(
            {"Error": error, "ResponseMetadata": {"HTTPStatusCode": answer.status_code}}, "GetObject"
        )


def _read_body(doing: str, answer: Any, most: int) -> bytes:
    """Return the first `most` bytes of an answer; a connection with an unread rest is closed.

    :raises TransientError: the connection ended before the body did
    """
    import urllib3

    try:
        body: bytes = answer.raw.read(most) if most else b""
    except (urllib3.exceptions.HTTPError, OSError) as error:
        answer.raw.close()
        raise TransientError(f"{doing}: the answer was cut short ({type(error).__name__}).") from error
    stated = answer.headers.get("content-length", "")
    # botocore's session does not compare them.
    if stated.isdecimal() and len(body) < min(int(stated), most):
        answer.raw.close()
        raise TransientError(f"{doing}: the answer was cut short: {len(body)} of {stated} bytes arrived.")
    if len(body) == most:
        answer.raw.close()
    else:
        answer.raw.release_conn()
    return body


def _parse_page(doing: str, body: bytes) -> ListPage:
    try:
        root = ET.fromstring(body)  # noqa: S314 - S3's answer over TLS; expat limits the expansion of entities
    except ET.ParseError as error:
        raise TransientError(f"{doing}: the answer is not XML.") from error
    # Local stand-ins for S3 omit the namespace.
    space = _NAMESPACE if root.tag.startswith("{") else ""
    if root.tag != f"{space}ListBucketResult":
        raise TransientError(f"{doing}: the answer is not a listing.")
    # S3 writes a blank as +, and + as %2B.
    unquote = urllib.parse.unquote_plus
    folders = [each.findtext(f"{space}Prefix", "") for each in root.iter(f"{space}CommonPrefixes")]
    objects = [
        ListedObject(
            unquote(each.findtext(f"{space}Key", "")),
            int(each.findtext(f"{space}Size", "0")),
            each.findtext(f"{space}ETag", "").strip('"'),
        )
        for each in root.iter(f"{space}Contents")
    ]
    token = root.findtext(f"{space}NextContinuationToken")
    is_truncated = root.findtext(f"{space}IsTruncated") == "true"
    if is_truncated and not token:
        raise TransientError(f"{doing}: the listing is incomplete, and S3 returned no token for its rest.")
    return ListPage(tuple(map(unquote, folders)), tuple(objects), token if is_truncated else None)


def _parse_error(body: bytes) -> dict[str, str]:
    """Return the members of an error, such as Code and Message; empty if the body is not S3's."""
    try:
        root = ET.fromstring(body)  # noqa: S314 - as above
    except ET.ParseError:
        return {}
    return {each.tag: each.text or "" for each in root}


def _check_refusal(doing: str, error: dict[str, str], status: int) -> None:
    """Raise the errors of objects that need sentences of their own, and of temporary faults without a code."""
    code, message = error.get("Code", ""), error.get("Message", "")
    in_kms = code.removeprefix(_KMS)
    if in_kms in _TEMPORARY_IN_KMS or (in_kms != code and is_temporary(in_kms)):
        # Every object costs a request to KMS, and KMS has a quota of its own.
        raise TransientError(f"{doing}: KMS has a temporary fault or throttles the requests ({code}).")
    if in_kms != code or "kms:Decrypt" in message:
        raise AccessDeniedError(
            f"{doing}: the object is encrypted with a KMS key that the loader's role may not use, or that is "
            f"disabled or deleted. Allow kms:Decrypt on that key, through S3, in the role's policy and in the "
            f"key's policy. AWS's message: {safe_text(message)}"
        )
    if code == _ARCHIVED:
        raise FileError(
            f"{doing}: the object is archived in S3 Glacier. Restore it (s3:RestoreObject), then load the window "
            f"again."
        )
    if status in _TEMPORARY and not is_temporary(code):
        raise TransientError(f"{doing}: S3 has a temporary fault ({code or status}).")
