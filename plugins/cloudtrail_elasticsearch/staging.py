"""Staging in S3: a window's parts, its manifest, and the record of its load.

``{prefix}/account={id}/region={region}/date={YYYY-MM-DD}/`` holds ``part-00000.ndjson.gz`` and so on, and
``manifest.json``, written last: its presence says that the window is staged.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from cloudtrail_elasticsearch.aws_errors import told
from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.core.windows import Window

MANIFEST: Final = "manifest.json"
LOADED: Final = "loaded.json"
DEFAULT_PREFIX: Final = "cloudtrail"
GZIP_LEVEL: Final = 5


@dataclass(frozen=True, slots=True)
class Part:
    """One staged object: compressed newline-delimited JSON."""

    key: str
    events: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A window's parts with their checksums, and what it took to look them up."""

    account: str
    region: str
    start: datetime
    end: datetime
    parts: tuple[Part, ...]
    looked_up: int
    duplicates: int
    calls: int
    staged_at: datetime
    version: int = 1

    @property
    def staged(self) -> int:
        """Events staged: looked up, less those that came twice."""
        return sum(part.events for part in self.parts)

    @property
    def window(self) -> Window:
        """The window it belongs to."""
        return Window(self.account, self.region, self.start, self.end)


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """That a window's staged events were loaded, and where to; written when the server has them all."""

    fingerprint: str
    loaded_at: datetime


Stored = TypeVar("Stored", Manifest, LoadRecord)


class Staging:
    """Reads and writes a bucket's staged windows through a boto3 S3 client."""

    def __init__(self, client: Any, bucket: str, prefix: str = DEFAULT_PREFIX) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix.strip("/")

    def folder(self, window: Window) -> str:
        """Return the key prefix of a window, without a slash at its end."""
        day = f"{window.start:%Y-%m-%d}"
        if not window.is_day:
            day += f"/time={window.start:%H%M%S}-{window.end:%Y%m%d%H%M%S}"
        top = f"{self._prefix}/" if self._prefix else ""
        return f"{top}account={window.account}/region={window.region}/date={day}"

    def uri(self, window: Window) -> str:
        """Return where a window is staged, for people and XComs."""
        return f"s3://{self._bucket}/{self.folder(window)}"

    def write_part(self, window: Window, number: int, lines: Iterable[bytes]) -> Part:
        """Stage lines as the window's part of that number; equal lines make equal objects."""
        content = list(lines)
        body = gzip.compress(b"\n".join([*content, b""]), GZIP_LEVEL, mtime=0)
        part = Part(
            key=f"{self.folder(window)}/part-{number:05d}.ndjson.gz",
            events=len(content),
            bytes=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
        )
        self._put(part.key, body, "application/x-ndjson")
        return part

    def write_manifest(self, manifest: Manifest) -> None:
        """Stage the manifest; from now on the window counts as staged."""
        self._put(f"{self.folder(manifest.window)}/{MANIFEST}", msgspec.json.encode(manifest), "application/json")

    def manifest(self, window: Window) -> Manifest | None:
        """Return a window's manifest, or None where it is not staged.

        :raises StagingError: it is not a manifest, or another window's
        """
        manifest = self._read(f"{self.folder(window)}/{MANIFEST}", Manifest)
        if manifest is not None and manifest.window != window:
            raise StagingError(
                f"The manifest in {self.uri(window)} is that of {manifest.window.name}, not of {window.name}: "
                f"fetch the window again with force."
            )
        return manifest

    def write_load_record(self, window: Window, record: LoadRecord) -> None:
        """Note that the window's staged events were loaded."""
        self._put(f"{self.folder(window)}/{LOADED}", msgspec.json.encode(record), "application/json")

    def load_record(self, window: Window) -> LoadRecord | None:
        """Return the note of the window's load, or None where it was not loaded."""
        return self._read(f"{self.folder(window)}/{LOADED}", LoadRecord)

    def lines(self, part: Part) -> Iterator[bytes]:
        """Yield a part's lines, once it is known to be what the manifest says.

        :raises StagingError: the part is missing, cut short or altered
        """
        body = self._get(part.key)
        if body is None:
            raise StagingError(self._damaged(part, "it is missing"))
        if len(body) != part.bytes:
            raise StagingError(self._damaged(part, f"it has {len(body)} bytes, not {part.bytes}"))
        if hashlib.sha256(body).hexdigest() != part.sha256:
            raise StagingError(self._damaged(part, "its content was altered (the checksum differs)"))
        try:
            lines = gzip.decompress(body).splitlines()
        except (OSError, EOFError, zlib.error) as error:
            raise StagingError(self._damaged(part, f"it cannot be unpacked ({error})")) from error
        if len(lines) != part.events:
            raise StagingError(self._damaged(part, f"it has {len(lines)} events, not {part.events}"))
        yield from lines

    def _damaged(self, part: Part, why: str) -> str:
        return (
            f"The staged part s3://{self._bucket}/{part.key} is not what its manifest says: {why}. Nothing of "
            f"it was loaded. Run the cell again with force, which fetches the window anew."
        )

    def _read(self, key: str, kind: type[Stored]) -> Stored | None:
        body = self._get(key)
        if body is None:
            return None
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.MsgspecError as error:
            raise StagingError(
                f"s3://{self._bucket}/{key} is not what this loader wrote ({error}): run the cell with force."
            ) from error

    def _get(self, key: str) -> bytes | None:
        with told(f"Reading s3://{self._bucket}/{key}", "s3:GetObject (and s3:ListBucket)"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
            except self._client.exceptions.NoSuchKey:
                return None
            body: bytes = answer["Body"].read()
            return body

    def _put(self, key: str, body: bytes, content_type: str) -> None:
        with told(f"Writing s3://{self._bucket}/{key}", "s3:PutObject"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=content_type)
