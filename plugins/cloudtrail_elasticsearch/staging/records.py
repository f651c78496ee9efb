"""The records of a window in the staging bucket: its manifest, the record of its load, and a task's state.

::

    {prefix}/account={id}/region={region}/date={YYYY-MM-DD}/
        manifest.json     the window is staged or listed
        loaded.json       the window is loaded; a fingerprint of the load
        state/….json      progress, if Airflow has no task state store

The records of LookupEvents' Insights events are below ``{prefix}/category=insight/``.

Only the manifest can be replaced by another one, which requires its current ETag: an attempt that Airflow gave up
cannot undo the work of a later one (ADR-0008).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.encoding import typed
from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.staging.bucket import Bucket, Encryption, OversizedError
from cloudtrail_elasticsearch.staging.manifest import LoadRecord
from cloudtrail_elasticsearch.staging.state import BucketState

log = logging.getLogger(__name__)

MANIFEST: Final = "manifest.json"
LOADED: Final = "loaded.json"
JSON: Final = "application/json"

DEFAULT_PREFIX: Final = "cloudtrail"

_decode_load_record: Final = typed.make_decode(LoadRecord)

Document = TypeVar("Document")


class WindowManifest(Protocol):
    """A manifest of any source."""

    @property
    def window(self) -> Window:
        """Its window."""

    def encode(self) -> bytes:
        """Return its JSON."""


AnyManifest = TypeVar("AnyManifest", bound=WindowManifest)


@dataclass(frozen=True, slots=True)
class Standing(Generic[AnyManifest]):
    """The object under a manifest's key: its ETag, empty if missing, and the manifest, if it is a valid one."""

    tag: str = ""
    manifest: AnyManifest | None = None


class WindowRecords(Generic[AnyManifest]):
    """Reads and writes the records of a bucket's windows with a boto3 S3 client.

    :param encryption: returns how S3 encrypts the objects; it is called before the first write
    """

    decode_manifest: Callable[[bytes], AnyManifest]
    """Reads a manifest; raises `msgspec.MsgspecError` if the content is none."""

    def __init__(
        self,
        client: Any,
        bucket: str,
        prefix: str = DEFAULT_PREFIX,
        encryption: Callable[[], Encryption] = Encryption,
    ) -> None:
        self.bucket = Bucket(client, bucket, encryption)
        self._prefix = prefix.strip("/")

    def folder(self, window: Window) -> str:
        """Return the key prefix of a window, without a trailing slash."""
        day = f"{window.start:%Y-%m-%d}"
        # Other windows lie below the day of their start, so that a listing by date finds them.
        if not window.is_day:
            day += f"/time={window.start:%H%M%S}-{window.end:%Y%m%d%H%M%S}"
        return f"{self.region_folder(window)}/date={day}"

    def uri(self, window: Window) -> str:
        """Return the URI of a window's folder, for messages and XComs."""
        return self.bucket.uri(self.folder(window))

    def manifest(self, window: Window) -> AnyManifest | None:
        """Return a window's manifest, or None if the window has none.

        :raises StagingError: the object is not a manifest, or is another window's
        """
        key = f"{self.folder(window)}/{MANIFEST}"
        stored = self.bucket.read(key)
        if stored is None:
            return None
        manifest = self._decode(key, stored.body, self.decode_manifest)
        if manifest.window != window:
            raise StagingError(
                f"The manifest in {self.uri(window)} belongs to {manifest.window.name}, not to {window.name}: "
                f"fetch the window again with force."
            )
        return manifest

    def standing(self, window: Window) -> Standing[AnyManifest]:
        """Return the object under the manifest's key, valid or not."""
        try:
            stored = self.bucket.read(f"{self.folder(window)}/{MANIFEST}")
        except OversizedError as error:
            # The ETag is enough to replace the object.
            return Standing(error.etag)
        if stored is None:
            return Standing()
        try:
            manifest = self.decode_manifest(stored.body)
        except msgspec.MsgspecError:
            # A damaged manifest counts as none, and may be replaced.
            return Standing(stored.etag)
        return Standing(stored.etag, manifest if manifest.window == window else None)

    def publish(self, manifest: AnyManifest, instead_of: Standing[AnyManifest]) -> bool:
        """Write the manifest, which marks the window as staged or listed; return whether it was written.

        It is not written if the object under its key is no longer `instead_of`: another attempt was faster.
        """
        key = f"{self.folder(manifest.window)}/{MANIFEST}"
        body = manifest.encode()
        if instead_of.tag:
            return self.bucket.replace(key, body, JSON, instead_of.tag)
        return self.bucket.create(key, body, JSON)

    def write_load_record(self, window: Window, record: LoadRecord) -> None:
        """Record that the window's events were loaded."""
        self.bucket.write(f"{self.folder(window)}/{LOADED}", msgspec.json.encode(record), JSON)

    def load_record(self, window: Window) -> LoadRecord | None:
        """Return the record of the window's load; None if there is none, or if it is damaged."""
        key = f"{self.folder(window)}/{LOADED}"
        stored = self.bucket.read(key)
        if stored is None:
            return None
        try:
            return self._decode(key, stored.body, _decode_load_record)
        except StagingError as error:
            log.warning("%s The window will be loaded again.", error)
            return None

    def state(self, window: Window, task: str) -> BucketState:
        """Return the substitute for Airflow's task state store, for one task, or task and run, and window."""
        return BucketState(self.bucket, f"{self.folder(window)}/state/{task}")

    def region_folder(self, window: Window) -> str:
        """Return the key prefix of a window's account and region, without a trailing slash."""
        top = f"{self._prefix}/" if self._prefix else ""
        if window.source is Source.LOOKUP_INSIGHTS:
            top += "category=insight/"
        return f"{top}account={window.account}/region={window.region}"

    def _decode(self, key: str, body: bytes, decode: Callable[[bytes], Document]) -> Document:
        try:
            return decode(body)
        except msgspec.MsgspecError as error:
            raise StagingError(
                f"{self.bucket.uri(key)} was not written by this loader, or is damaged ({error}): run the cell "
                f"with force."
            ) from error
